"""Compare 2D keypoints with 3D joints: kinematic questions from five sides, with detector noise.

    python -m benchmarks.views DATASET [-m MODEL] [--split val] [--sources bnr cmu] [--limit 600] [--json OUT.json]

The same questions of a VIMOS dataset are asked about every 3D motion and about its keypoints as a camera 4 m away and a
pose estimator would give them: exact match, what it loses against 3D, and whether answers that name a side name the
other one on the mirrored keypoints. ``--split test`` is for the last run.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import vimonet
from vimonet.bench.items import select
from vimonet.bench.predictions import assistant_sha256, own_words
from vimonet.bench.scoring.text_metrics import exact_match
from vimonet.language import has_side, mirror_text
from vimonet.motion import Motion
from vimonet.motion.projection import detector_noise, project
from vimonet.utils.errors import InputError
from vimonet.utils.statistics import Interval, bootstrap_interval, bootstrap_statistic
from vimonet.vimos.reading import read_records
from vimonet.vimos.types import Item
from vimonet.weights import model_source

VIEWS: dict[str, tuple[float, float]] = {
    "front": (0.0, 0.0),
    "side": (90.0, 0.0),
    "back": (180.0, 0.0),
    "low": (35.0, -20.0),
    "high": (35.0, 40.0),
}
"""Name -> azimuth around the body from its front, elevation above the horizon, degrees."""
DISTANCE, NOISE = 4.0, 0.02  # metres to the camera; standard deviation of the keypoints, of two torsos

KINEMATIC = (
    *("displacement", "turn", "raised_hand", "speed", "more_active_arm", "more_active_leg", "arms_or_legs"),
    *("limb_moves", "fact_yes_no", "steps", "count", "when", "posture_start", "posture_end", "posture"),
)
"""Question forms measured on the joints and told by one camera: compared between 3D and 2D."""


@dataclass(frozen=True)
class ViewScore:
    """How one view does.

    Attributes:
        view: a key of VIEWS.
        n, recordings: items that could be filmed, and the recordings they are of.
        solid, flat: share of right answers on the 3D motion and on its keypoints.
        interval: 95 % interval of ``flat`` over recordings.
        loss: 1 - flat / solid; negative where 2D does better.
        loss_interval: its 95 % interval, the two answers to an item drawn together.
        flipped: of the keypoint answers that name a side, the share that names the other on the mirrored keypoints.
        sided: how many those are.
    """

    view: str
    n: int
    recordings: int
    solid: float
    flat: float
    interval: Interval
    loss: float
    loss_interval: Interval
    flipped: float
    sided: int


def film(motion: Motion, view: str, seed: int = 0, noise: float = NOISE) -> Motion | None:
    """The keypoints of a 3D motion from one of VIEWS; the same for the same name, view and seed.

    None where the body lies along the line of sight, so that no torso can be measured.
    """
    azimuth, elevation = VIEWS[view]
    rng = np.random.default_rng([seed, zlib.crc32(f"{motion.name}/{view}".encode())])
    try:
        return detector_noise(project(motion, azimuth, elevation, DISTANCE), rng, noise)
    except InputError:
        return None


def filmed(items: Sequence[Item], view: str, seed: int = 0) -> list[Item]:
    """The items whose motion can be filmed, about the keypoints; those about one motion share them."""
    films: dict[int, Motion | None] = {}
    found = []
    for item in items:
        key = id(item.motion)
        if key not in films:
            films[key] = film(item.motion, view, seed)
        flat = films[key]
        if flat is not None:
            found.append(replace(item, motion=flat))
    return found


def compare_views(assistant: Any, items: Sequence[Item], *, seed: int = 0, samples: int = 500) -> list[ViewScore]:
    """Ask items about their 3D motion and about its keypoints from every view.

    Args:
        assistant: has ``ask_batch([(question, motion), ...])``.
        items: about 3D motions.
        seed: of the noise and of the resampling.
        samples: bootstrap resamples behind an interval.
    """
    solid = dict(zip((item.id for item in items), _right(assistant, items), strict=True))
    return [_view(assistant, view, filmed(items, view, seed), solid, seed, samples) for view in VIEWS]


def _view(
    assistant: Any, view: str, items: Sequence[Item], solid: dict[str, float], seed: int, samples: int
) -> ViewScore:
    said = _said(assistant, [(item.question, item.motion) for item in items])
    flat = np.array([float(exact_match(text, item.answer)) for text, item in zip(said, items, strict=True)])
    whole = np.array([solid[item.id] for item in items])
    groups = [(item.source, item.recording) for item in items]

    def loss(chosen: Any) -> float:
        return 1.0 - float(flat[chosen].mean()) / max(float(whole[chosen].mean()), 1e-9)

    sided = [k for k, text in enumerate(said) if has_side(text)]
    asked = [(mirror_text(items[k].question), items[k].motion.mirrored()) for k in sided]
    turned = [exact_match(text, mirror_text(said[k])) for k, text in zip(sided, _said(assistant, asked), strict=True)]
    return ViewScore(
        view=view,
        n=len(items),
        recordings=len(set(groups)),
        solid=float(whole.mean()),
        flat=float(flat.mean()),
        interval=bootstrap_interval(flat, groups, seed, samples),
        loss=loss(np.arange(len(items))),
        loss_interval=bootstrap_statistic(loss, groups, seed, samples),
        flipped=float(np.mean(turned)) if turned else float("nan"),
        sided=len(turned),
    )


def _right(assistant: Any, items: Sequence[Item]) -> list[float]:
    said = _said(assistant, [(item.question, item.motion) for item in items])
    return [float(exact_match(text, item.answer)) for text, item in zip(said, items, strict=True)]


def _said(assistant: Any, asked: Sequence[tuple[str, Motion]]) -> list[str]:
    """The model's own words."""
    return [own_words(answer) for answer in assistant.ask_batch(asked)]


def dataset_items(dataset: str | Path, split: str) -> Iterator[Item]:
    """Yield every instruction about a motion of a split as an item; ``evidence["parts"]`` holds the row's actions.

    Rows that training makes to be declined (a few frames, limbs of two movements) are left out.
    """
    for record in read_records(dataset, split):
        if record.motion is None or record.provenance.get("mode") in ("chimera", "short"):
            continue
        motion = record.motion.named(record.id)
        parts = [(part.action, part.start, part.end) for part in record.actions]
        for number, told in enumerate(record.instructions):
            yield Item(
                f"{record.id}#{number}",
                record.source,
                record.recording,
                *(told.kind, told.form, told.question, told.answer),
                motion,
                tuple(told.options),
                told.wording,
                {**told.evidence, "parts": parts},
            )


def table(title: str, scores: Sequence[ViewScore]) -> str:
    """Markdown, a row per view."""
    lines = [f"**{title}**", "", "| view | n | 3D | 2D | 95 % | loss | 95 % | mirrored | of |"]
    lines += ["|---|--:|--:|--:|---|--:|---|--:|--:|"]
    for s in scores:
        lines.append(
            f"| {s.view} | {s.n} | {s.solid:.3f} | {s.flat:.3f} | {s.interval.low:.3f} to {s.interval.high:.3f} "
            f"| {100 * s.loss:.1f} % | {100 * s.loss_interval.low:.1f} to {100 * s.loss_interval.high:.1f} % "
            f"| {s.flipped:.2f} | {s.sided} |"
        )
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="VIMOS dataset (vimonet data build)")
    parser.add_argument("-m", "--model", help="model folder (default: the shipped one)")
    parser.add_argument("--split", choices=("val", "test"), default="val", help="recordings asked about (val)")
    parser.add_argument("--sources", nargs="+", default=["bnr", "cmu"], help="corpora with 3D motions (bnr cmu)")
    parser.add_argument("--limit", type=int, default=0, help="at most so many items of each source, drawn evenly")
    parser.add_argument("--seed", type=int, default=0, help="of items, noise and resampling (0)")
    parser.add_argument("--json", type=Path, help="also write the figures")
    options = parser.parse_args()
    assistant = vimonet.load(options.model)
    weights = assistant_sha256(assistant, model_source(options.model))
    print(f"Model {assistant.name}, weights {str(weights)[:15]}, {options.split}, seed {options.seed}\n")
    results: dict[str, list[ViewScore]] = {}
    for source in options.sources:
        items = [item for item in dataset_items(options.dataset, options.split) if item.source == source]
        asked = [i for i in items if i.form.partition(":")[0] in KINEMATIC and i.motion.dimensions == 3]
        asked = select([i for i in asked if i.kind != "cannot_tell"], options.limit or None, options.seed)
        if not asked:
            raise InputError(f"{source}: no kinematic question about a 3D motion in split {options.split}.")
        results[source] = compare_views(assistant, asked, seed=options.seed)
        print(table(source, results[source]), flush=True)
    if options.json:
        record = {"weights": weights, "split": options.split, "seed": options.seed}
        scores = {source: [asdict(score) for score in found] for source, found in results.items()}
        options.json.write_text(json.dumps({**record, "views": scores}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"views: {error}")
