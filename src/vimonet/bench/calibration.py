"""Making confidence mean what it says: one temperature, chosen on validation items (Guo et al., arXiv 1706.04599).

    python -m vimonet.bench.calibration MODEL_FOLDER

writes `confidence_temperature` into the folder's config.json. Greedy answers do not change with it.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vimonet.bench import metrics, statistics
from vimonet.errors import InputError

if TYPE_CHECKING:
    from vimonet.vimos.schema import Item

TEMPERATURES = (0.7, 0.85, 1.0, 1.2, 1.4, 1.7, 2.0, 2.4, 2.8)


def fit_temperature(
    assistant: Any, items: Sequence[Item], temperatures: Sequence[float] = TEMPERATURES
) -> dict[str, Any]:
    """Ask the items at several temperatures and keep the one whose confidences have the least Brier score.

    Args:
        assistant: a `vimonet.Assistant`; its config is left with the chosen temperature.
        items: validation items, never test items.
        temperatures: candidates.

    Returns:
        ``temperature``, ``n``, ``accuracy``, and ``ece`` and ``brier`` per candidate.

    Raises:
        InputError: no items.
    """
    if not items:
        raise InputError("there is no validation item to calibrate on.")
    rows: dict[float, statistics.Calibration] = {}
    right: list[float] = []
    for temperature in temperatures:
        assistant.config.confidence_temperature = temperature
        answers = assistant.ask_batch([(item.question, item.motion) for item in items])
        right = [
            float(metrics.exact_match(answer.text, item.answer)) for answer, item in zip(answers, items, strict=True)
        ]
        rows[temperature] = statistics.expected_calibration_error([answer.confidence for answer in answers], right)
    best = min(rows, key=lambda t: rows[t].brier)
    assistant.config.confidence_temperature = best
    return {
        "temperature": best,
        "n": len(items),
        "accuracy": float(np.mean(right)),
        "candidates": {str(t): {"ece": row.ece, "brier": row.brier} for t, row in rows.items()},
    }


def calibrate(folder: str | Path, limit: int = 600, seed: int = 0, root: str | None = None) -> dict[str, Any]:
    """Fit the temperature of a model folder on validation items, and write it into the folder's config.json.

    Args:
        folder: a model folder.
        limit: number of items drawn.
        seed: of the draw.
        root: data folder; None for the one beside a working checkout.

    Returns:
        What `fit_temperature` found.
    """
    import vimonet
    from vimonet.vimos import evaluation_items

    items = [item for item in evaluation_items("val", root=root) if item.kind != "caption"]
    items = random.Random(seed).sample(items, min(limit, len(items)))
    found = fit_temperature(vimonet.load(folder), items)
    path = Path(folder) / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["confidence_temperature"] = found["temperature"]
    part = path.with_suffix(".part")
    part.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)
    return found


if __name__ == "__main__":
    try:
        print(json.dumps(calibrate(sys.argv[1]), indent=1))
    except (InputError, IndexError) as error:
        sys.exit(
            f"vimonet: {error}"
            if isinstance(error, InputError)
            else "usage: python -m vimonet.bench.calibration MODEL_FOLDER"
        )
