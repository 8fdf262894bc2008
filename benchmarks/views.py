"""Compare 2D keypoints with 3D joints: kinematic questions from five sides, with detector noise.

    python -m benchmarks.views DATASET [-m MODEL] [--split val] [--sources bnr cmu] [--limit 600] [--json OUT.json]

The questions of a VIMOS dataset are asked about each 3D motion and about its noisy keypoints from a virtual camera 4 m
away: exact match, its loss relative to 3D, and whether answers with a side change it on mirrored keypoints. Use
``--split test`` for the final run only.
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
DISTANCE, NOISE = 4.0, 0.02  # camera distance, m; standard deviation of keypoints in units of two torsos

KINEMATIC = (
    *("displacement", "turn", "raised_hand", "speed", "more_active_arm", "more_active_leg", "arms_or_legs"),
    *("limb_moves", "fact_yes_no", "steps", "count", "when", "posture_start", "posture_end", "posture"),
)
"""Question forms that are measured on joints and visible from one camera: compared between 3D and 2D."""


@dataclass(frozen=True)
class ViewScore:
    """Score of one view.

    Attributes:
        view: a key of VIEWS.
        n, recordings: number of projected items, and of their recordings.
        solid, flat: exact match on the 3D motion and on its keypoints.
        interval: 95 % interval of ``flat`` over recordings.
        loss: 1 - flat / solid; negative if 2D is better.
        loss_interval: its 95 % interval, with the two answers to an item resampled together.
        flipped: share of keypoint answers with a side that change it on the mirrored keypoints.
        sided: number of keypoint answers with a side.
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


def project_view(motion: Motion, view: str, seed: int = 0, noise: float = NOISE) -> Motion | None:
    """Project a 3D motion to noisy keypoints in one of VIEWS, the same for the same name, view and seed.

    Return None if the body lies along the line of sight, so that no torso can be measured.
    """
    azimuth, elevation = VIEWS[view]
    rng = np.random.default_rng([seed, zlib.crc32(f"{motion.name}/{view}".encode())])
    try:
        return detector_noise(project(motion, azimuth, elevation, DISTANCE), rng, noise)
    except InputError:
        return None


def project_items(items: Sequence[Item], view: str, seed: int = 0) -> list[Item]:
    """Replace the motion of each item by its keypoints, and drop items without; items of one motion share them."""
    known: dict[int, Motion | None] = {}
    found = []
    for item in items:
        key = id(item.motion)
        if key not in known:
            known[key] = project_view(item.motion, view, seed)
        flat = known[key]
        if flat is not None:
            found.append(replace(item, motion=flat))
    return found


def compare_views(assistant: Any, items: Sequence[Item], *, seed: int = 0, samples: int = 500) -> list[ViewScore]:
    """Ask items about their 3D motion and about its keypoints from every view.

    Args:
        assistant: object with ``ask_batch([(question, motion), ...])``.
        items: items about 3D motions.
        seed: seed of noise and resampling.
        samples: bootstrap resamples per interval.
    """
    solid = dict(zip((item.id for item in items), _right(assistant, items), strict=True))
    return [_view(assistant, view, project_items(items, view, seed), solid, seed, samples) for view in VIEWS]


def _view(
    assistant: Any, view: str, items: Sequence[Item], solid: dict[str, float], seed: int, samples: int
) -> ViewScore:
    texts = _model_texts(assistant, [(item.question, item.motion) for item in items])
    flat = np.array([float(exact_match(text, item.answer)) for text, item in zip(texts, items, strict=True)])
    whole = np.array([solid[item.id] for item in items])
    groups = [(item.source, item.recording) for item in items]

    def loss(chosen: Any) -> float:
        return 1.0 - float(flat[chosen].mean()) / max(float(whole[chosen].mean()), 1e-9)

    sided = [k for k, text in enumerate(texts) if has_side(text)]
    asked = [(mirror_text(items[k].question), items[k].motion.mirrored()) for k in sided]
    mirrored = _model_texts(assistant, asked)
    flipped = [exact_match(text, mirror_text(texts[k])) for k, text in zip(sided, mirrored, strict=True)]
    return ViewScore(
        view=view,
        n=len(items),
        recordings=len(set(groups)),
        solid=float(whole.mean()),
        flat=float(flat.mean()),
        interval=bootstrap_interval(flat, groups, seed, samples),
        loss=loss(np.arange(len(items))),
        loss_interval=bootstrap_statistic(loss, groups, seed, samples),
        flipped=float(np.mean(flipped)) if flipped else float("nan"),
        sided=len(flipped),
    )


def _right(assistant: Any, items: Sequence[Item]) -> list[float]:
    texts = _model_texts(assistant, [(item.question, item.motion) for item in items])
    return [float(exact_match(text, item.answer)) for text, item in zip(texts, items, strict=True)]


def _model_texts(assistant: Any, asked: Sequence[tuple[str, Motion]]) -> list[str]:
    """Ask a batch; return the model's own words."""
    return [own_words(answer) for answer in assistant.ask_batch(asked)]


def dataset_items(dataset: str | Path, split: str) -> Iterator[Item]:
    """Yield every instruction about a motion of a split as an item; ``evidence["parts"]`` holds the row's actions.

    Rows whose right answer is "cannot tell" by construction (a few frames, limbs of two movements) are dropped.
    """
    for record in read_records(dataset, split):
        if record.motion is None or record.provenance.get("mode") in ("chimera", "short"):
            continue
        motion = record.motion.named(record.id)
        parts = [(part.action, part.start, part.end) for part in record.actions]
        for number, asked in enumerate(record.instructions):
            yield Item(
                f"{record.id}#{number}",
                record.source,
                record.recording,
                *(asked.kind, asked.form, asked.question, asked.answer),
                motion,
                tuple(asked.options),
                asked.wording,
                {**asked.evidence, "parts": parts},
            )


def table(title: str, scores: Sequence[ViewScore]) -> str:
    """Format a Markdown table, a row per view."""
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
