"""Fit the confidence temperature and the abstention thresholds of a model on the validation split of a VIMOS dataset.

    python -m scripts.fit_abstention_thresholds MODEL_FOLDER data/vimos-open

The temperature (Guo et al., arXiv 1706.04599) and the thresholds (Chow's rule) are written into the folder's
config.json. They do not change the model's own words.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.views import VIEWS, dataset_items, project_items
from research.vimos_open.augment import Pool, make_sample
from vimonet.bench.predictions import own_words
from vimonet.bench.scoring import text_metrics
from vimonet.evidence.claims import SUBJECT
from vimonet.inference.answer_policy import numeric
from vimonet.utils import statistics
from vimonet.utils.errors import InputError
from vimonet.vimos.action_labels import participle, third_person
from vimonet.vimos.types import Clip, Item

_WIDEST = 3.0
"""Extent of a projected body, in units of two torsos (about 1 m), above which it is too near to the camera."""
TEMPERATURES = (0.7, 0.85, 1.0, 1.2, 1.4, 1.7, 2.0, 2.4, 2.8)


def fit_temperature(
    assistant: Any, items: Sequence[Item], temperatures: Sequence[float] = TEMPERATURES
) -> dict[str, Any]:
    """Fit the temperature with the lowest Brier score of confidences on validation answers.

    Args:
        assistant: a `vimonet.Assistant`; its config gets the fitted temperature.
        items: validation items.
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
            float(text_metrics.exact_match(own_words(answer), item.answer))
            for answer, item in zip(answers, items, strict=True)
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


def fit_action_threshold(assistant: Any, items: Sequence[Item], question: str = "") -> dict[str, Any]:
    """Fit the abstention threshold of action names on validation answers.

    The threshold maximises the gain of the names above it, if a wrong name costs as much as a right one gains (Chow,
    IEEE Trans. Information Theory 16, 1970). Each action of a sequence counts for its share. Answers that abstain are
    ignored.

    Args:
        assistant: a `vimonet.Assistant` with a fitted temperature.
        items: validation items that ask for the action; ``evidence["parts"]`` holds the actions, none if unnamed.
        question: question instead of the items' own, for captions.

    Returns:
        ``threshold``, the number ``n`` of answers with a name, and under ``right`` for those ``above`` and ``below``
        it, their number and the share of right actions.

    Raises:
        InputError: no items.
    """
    if not items:
        raise InputError("there is no validation item that asks for an action.")
    answers = assistant.ask_batch([(question or item.question, item.motion) for item in items])
    named = sorted(
        (float(answer.confidence), share_named(own_words(answer), [part[0] for part in item.evidence.get("parts", ())]))
        for answer, item in zip(answers, items, strict=True)
        if not text_metrics.exact_match(own_words(answer), text_metrics.ABSTENTION)
    )
    return _threshold(named)


def fit_keypoint_threshold(assistant: Any, items: Sequence[Item]) -> dict[str, Any]:
    """Fit the abstention threshold of answers about 2D keypoints on validation answers; see `fit_action_threshold`.

    Numeric answers are ignored, since they can be nearly right.

    Args:
        assistant: a `vimonet.Assistant` with a fitted temperature.
        items: validation items about 2D motions that do not ask for an action (`keypoint_items`).

    Returns:
        As `fit_action_threshold`.

    Raises:
        InputError: no items.
    """
    if not items:
        raise InputError("there is no validation item about a 2D motion.")
    answers = assistant.ask_batch([(item.question, item.motion) for item in items])
    pairs = [(float(answer.confidence), own_words(answer), item) for answer, item in zip(answers, items, strict=True)]
    return _threshold(
        sorted(
            (confidence, float(text_metrics.exact_match(text, item.answer)))
            for confidence, text, item in pairs
            if not text_metrics.exact_match(text, text_metrics.ABSTENTION) and not numeric(text)
        )
    )


def _threshold(answers: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Compute Chow's threshold from pairs (confidence, share right) in order of confidence."""
    confidence, share = (np.array([pair[k] for pair in answers]) for k in (0, 1))
    # gains[k]: gain of giving answers k and above and abstaining from the others.
    gains = np.append(np.cumsum((2 * share - 1)[::-1])[::-1], 0.0)
    first = int(np.argmax(gains))
    edges = np.concatenate(([0.0], confidence, [1.0]))
    right = {
        name: {"n": len(part), "share": round(float(part.mean()), 3) if len(part) else None}
        for name, part in (("above", share[first:]), ("below", share[:first]))
    }
    threshold = 0.0 if first == 0 else round(float(edges[first] + edges[first + 1]) / 2, 3)
    return {"threshold": threshold, "n": len(answers), "right": right}


def share_named(answer: str, actions: Sequence[str]) -> float:
    """Compute the number of rightly named actions over the number of named or true actions, whichever is larger.

    Args:
        answer: "waving, then bowing" or "a person waves, then bows."
        actions: true actions in the base form.
    """
    text = answer.strip().lower().rstrip(".")
    inflect = third_person if re.match(SUBJECT, text) else participle
    parts = re.sub(f"^{SUBJECT}", "", text).split(", then ")
    left = list(parts)
    for action in map(inflect, actions):
        # A longer phrase counts too: "walks forward slowly" names "walks".
        found = next((part for part in left if part == action or part.startswith(f"{action} ")), None)
        if found is not None:
            left.remove(found)
    return (len(parts) - len(left)) / max(len(parts), len(actions))


def action_items(items: Sequence[Item], limit: int = 200, seed: int = 0) -> list[Item]:
    """Draw items that ask for the action, in 3D and in a random view, with half as many unnamed actions as named ones.

    An unnamed action combines the arms of one recording with the legs of another (`make_sample`, "chimera").

    Args:
        items: validation items (`benchmarks.views.dataset_items`).
        limit: number of named actions.
        seed: seed of the draws.
    """
    rng = random.Random(seed)
    named = [item for item in items if item.form == "action" and item.evidence.get("parts")]
    named = rng.sample(named, min(limit, len(named)))
    solid = [item for item in named if item.motion.dimensions == 3]
    clips = [
        Clip(item.id, item.source, item.recording, "val", item.motion, item.evidence["parts"][0][0])
        for item in solid
        if len(item.evidence["parts"]) == 1
    ]
    drawn = rng.sample(clips, min(limit // 2, len(clips)))
    pool = Pool(clips)
    samples = [make_sample(pool, rng, clip, mode="chimera") for clip in drawn]
    unnamed = [
        replace(item, id=f"unnamed/{number}", motion=sample.motion, answer=text_metrics.ABSTENTION, evidence={})
        for number, (sample, item) in enumerate(zip(samples, named, strict=False))
        if sample is not None
    ]
    views = [rng.choice(sorted(VIEWS)) for _ in (*solid, *unnamed)]
    pairs = zip((*solid, *unnamed), views, strict=True)
    flat = [projected for item, view in pairs for projected in project_items([item], view, seed)]
    return [*named, *unnamed, *(replace(item, id=f"{item.id}/2d") for item in flat if _in_view(item))]


def keypoint_items(items: Sequence[Item], limit: int = 600, seed: int = 0) -> list[Item]:
    """Draw items that do not ask for the action, about keypoints and about 3D motions in a random view."""
    rng = random.Random(seed)
    items = [item for item in items if item.form != "action"]
    items = rng.sample(items, min(limit, len(items)))
    flat = [item for item in items if item.motion.dimensions == 2]
    solid = [item for item in items if item.motion.dimensions == 3]
    projected = [one for item in solid for one in project_items([item], rng.choice(sorted(VIEWS)), seed)]
    return [*flat, *filter(_in_view, projected)]


def _in_view(item: Item) -> bool:
    """Tell whether a projected body keeps a distance from the camera: one that passes it fills the image."""
    return float(np.ptp(item.motion.joints, axis=1).max()) < _WIDEST


def calibrate(folder: str | Path, dataset: str | Path, limit: int = 600, seed: int = 0) -> dict[str, Any]:
    """Fit temperature and thresholds of a model folder on validation items, and write them into its config.json.

    Args:
        folder: a model folder.
        dataset: a VIMOS dataset with a split ``val``.
        limit: number of items drawn.
        seed: seed of the draw.

    Returns:
        The result of `fit_temperature`, and under ``actions``, ``captions`` and ``keypoints_2d`` those of
        `fit_action_threshold` and `fit_keypoint_threshold`.
    """
    import vimonet

    every = list(dataset_items(dataset, "val"))
    items = random.Random(seed).sample(every, min(limit, len(every)))
    assistant = vimonet.load(folder)
    found = fit_temperature(assistant, items)
    asked = action_items(every, seed=seed)
    found["actions"] = fit_action_threshold(assistant, asked)
    found["captions"] = fit_action_threshold(assistant, asked, assistant.config.caption_question)
    found["keypoints_2d"] = fit_keypoint_threshold(assistant, keypoint_items(every, limit, seed))
    path = Path(folder) / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["confidence_temperature"] = found["temperature"]
    keys = {"action": "actions", "caption": "captions", "keypoints_2d": "keypoints_2d"}
    config["abstention_thresholds"] = {key: found[name]["threshold"] for key, name in keys.items()}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.fit_abstention_thresholds", description=__doc__.splitlines()[0]
    )
    parser.add_argument("model", help="model folder; its config.json is written")
    parser.add_argument("dataset", help="VIMOS dataset with a split val")
    parser.add_argument("--limit", type=int, default=600, metavar="N", help="validation items drawn (default: 600)")
    given = parser.parse_args(arguments)
    try:
        print(json.dumps(calibrate(given.model, given.dataset, given.limit), indent=1))
    except InputError as error:
        print(f"fit_abstention_thresholds: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
