"""2D keypoints against 3D joints: kinematic questions from the side, front, back, low and high, with detector noise.

    python benchmarks/views.py [-m MODEL] [--split val] [--sources bnr cmu] [--limit 600] [--json OUT.json]

Needs the recordings (docs/training.md). The same questions are asked about every 3D motion and about its keypoints as a
camera 4 m away and a pose estimator would give them: exact match, what it loses against 3D, and whether answers that
name a side name the other one on the mirrored keypoints. ``--split test`` is for the last run.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import vimonet
from vimonet.bench.predictions import assistant_sha256
from vimonet.bench.runner import select
from vimonet.bench.views import KINEMATIC, ViewScore, compare_views
from vimonet.utils.errors import InputError
from vimonet.vimos.builders.vimos_open.eval_questions import evaluation_items
from vimonet.weights import model_source


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
        items = evaluation_items(options.split, sources=[source], seed=options.seed)
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
