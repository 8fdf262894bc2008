"""Making confidence mean what it says, on validation items: a temperature, and floors for names of actions.

    python -m vimonet.bench.calibration MODEL_FOLDER

writes `confidence_temperature` (Guo et al., arXiv 1706.04599), `action_floor`, `caption_floor` and `picture_floor` into
the folder's config.json. The model's own words do not change with them.
"""

from __future__ import annotations

import json
import os
import random
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vimonet.bench.predictions import own_words
from vimonet.bench.scoring import text_metrics
from vimonet.evidence.parsing import SUBJECT
from vimonet.inference.answer_policy import numeric
from vimonet.utils import statistics
from vimonet.utils.errors import InputError
from vimonet.vimos.action_labels import participle, third_person

if TYPE_CHECKING:
    from vimonet.vimos.types import Item

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


def fit_floor(assistant: Any, items: Sequence[Item], question: str = "") -> dict[str, Any]:
    """The confidence from which on naming an action does more good than harm.

    Of all thresholds the one with the most gain above it, a wrong name costing what a right one gains (Chow's rule,
    IEEE Trans. Information Theory 16, 1970): under it names are mostly wrong. Of several actions in a row each counts
    for its share. Answers that decline name nothing.

    Args:
        assistant: a `vimonet.Assistant`, its temperature fitted.
        items: validation items that ask what is done; ``evidence["parts"]`` holds the actions, none for one without a
            name.
        question: asked instead of the items' own, for captions.

    Returns:
        ``floor``, ``n`` answers that name something, and ``right``: how many are ``above`` and ``below`` the floor, and
        what share of the actions in them is right.

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
    return _floor(named)


def fit_picture_floor(assistant: Any, items: Sequence[Item]) -> dict[str, Any]:
    """The confidence from which on an answer about joints in a picture does more good than harm, as in `fit_floor`;
    numbers are left out, for they can be nearly right.

    Args:
        assistant: a `vimonet.Assistant`, its temperature fitted.
        items: validation items about 2D motions that do not ask for an action (`picture_items`).

    Returns:
        As `fit_floor`.

    Raises:
        InputError: no items.
    """
    if not items:
        raise InputError("there is no validation item about a 2D motion.")
    answers = assistant.ask_batch([(item.question, item.motion) for item in items])
    pairs = [(float(answer.confidence), own_words(answer), item) for answer, item in zip(answers, items, strict=True)]
    return _floor(
        sorted(
            (confidence, float(text_metrics.exact_match(said, item.answer)))
            for confidence, said, item in pairs
            if not text_metrics.exact_match(said, text_metrics.ABSTENTION) and not numeric(said)
        )
    )


def _floor(answers: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Chow's threshold of (confidence, share right), in order of confidence."""
    sure, share = (np.array([pair[k] for pair in answers]) for k in (0, 1))
    # gains[k]: answers k and above are taken, those before are not.
    gains = np.append(np.cumsum((2 * share - 1)[::-1])[::-1], 0.0)
    first = int(np.argmax(gains))
    edges = np.concatenate(([0.0], sure, [1.0]))
    right = {
        name: {"n": len(part), "share": round(float(part.mean()), 3) if len(part) else None}
        for name, part in (("above", share[first:]), ("below", share[:first]))
    }
    floor = 0.0 if first == 0 else round(float(edges[first] + edges[first + 1]) / 2, 3)
    return {"floor": floor, "n": len(answers), "right": right}


def share_named(said: str, actions: Sequence[str]) -> float:
    """What share of what is said, or of what is done where that is more, are actions named right.

    Args:
        said: "waving, then bowing" or "a person waves, then bows."
        actions: what is done, in the base form.
    """
    text = said.strip().lower().rstrip(".")
    inflect = third_person if re.match(SUBJECT, text) else participle
    parts = re.sub(f"^{SUBJECT}", "", text).split(", then ")
    left = list(parts)
    for action in map(inflect, actions):
        # A sentence may go on: "walks" is named by "walks forward slowly".
        found = next((part for part in left if part == action or part.startswith(f"{action} ")), None)
        if found is not None:
            left.remove(found)
    return (len(parts) - len(left)) / max(len(parts), len(actions))


def action_items(root: str | None = None, limit: int = 200, seed: int = 0) -> list[Item]:
    """Validation items that ask what is done, in 3D and from a drawn view: half as many unnamed actions as named ones.

    An unnamed action is the arms of one recording over the legs of another, played at odds (`make_sample`, "chimera").
    """
    from vimonet.bench.views import VIEWS, filmed
    from vimonet.vimos.builders.vimos_open.augment import Pool, make_sample
    from vimonet.vimos.builders.vimos_open.eval_questions import evaluation_items
    from vimonet.vimos.builders.vimos_open.sources import clips_of

    rng = random.Random(seed)
    named = [item for item in evaluation_items("val", root=root) if item.form == "action"]
    named = rng.sample(named, min(limit, len(named)))
    clips = clips_of("val", tuple(sorted({item.source for item in named if item.motion.dimensions == 3})), root)
    pool = Pool(clips)
    samples = [make_sample(pool, rng, clip, mode="chimera") for clip in rng.sample(clips, min(limit // 2, len(clips)))]
    unnamed = [
        replace(item, id=f"unnamed/{number}", motion=sample.motion, answer=text_metrics.ABSTENTION, evidence={})
        for number, (sample, item) in enumerate(zip(samples, named, strict=False))
        if sample is not None
    ]
    solid = [item for item in (*named, *unnamed) if item.motion.dimensions == 3]
    views = [rng.choice(sorted(VIEWS)) for _ in solid]
    flat = [film for item, view in zip(solid, views, strict=True) for film in filmed([item], view, seed)]
    return [*named, *unnamed, *(replace(item, id=f"{item.id}/2d") for item in flat)]


def picture_items(root: str | None = None, limit: int = 600, seed: int = 0) -> list[Item]:
    """Validation items about tracked joints, and 3D ones from a drawn view, that ask for anything but the action."""
    from vimonet.bench.views import VIEWS, filmed
    from vimonet.vimos.builders.vimos_open.eval_questions import evaluation_items

    rng = random.Random(seed)
    items = [i for i in evaluation_items("val", root=root) if i.kind != "caption" and i.form != "action"]
    items = rng.sample(items, min(limit, len(items)))
    solid = [item for item in items if item.motion.dimensions == 3]
    flat = [item for item in items if item.motion.dimensions == 2]
    return [*flat, *(film for item in solid for film in filmed([item], rng.choice(sorted(VIEWS)), seed))]


def calibrate(folder: str | Path, limit: int = 600, seed: int = 0, root: str | None = None) -> dict[str, Any]:
    """Fit temperature and floors of a model folder on validation items, and write them into the folder's config.json.

    Args:
        folder: a model folder.
        limit: number of items drawn.
        seed: of the draw.
        root: data folder; None for the one beside a working checkout.

    Returns:
        What `fit_temperature` found, and under ``actions``, ``captions`` and ``pictures`` what `fit_floor` and
            `fit_picture_floor` did.
    """
    import vimonet
    from vimonet.vimos.builders.vimos_open.eval_questions import evaluation_items

    items = [item for item in evaluation_items("val", root=root) if item.kind != "caption"]
    items = random.Random(seed).sample(items, min(limit, len(items)))
    assistant = vimonet.load(folder)
    found = fit_temperature(assistant, items)
    asked = action_items(root, seed=seed)
    found["actions"] = fit_floor(assistant, asked)
    found["captions"] = fit_floor(assistant, asked, assistant.config.caption_question)
    found["pictures"] = fit_picture_floor(assistant, picture_items(root, limit, seed))
    path = Path(folder) / "config.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    config["confidence_temperature"] = found["temperature"]
    for name in ("action", "caption", "picture"):
        config[f"{name}_floor"] = found[f"{name}s"]["floor"]
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
