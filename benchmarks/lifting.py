"""Measure the errors of a model's 2D-to-3D lifter: facing, turn and joints of held-out recordings in five views.

    python -m benchmarks.lifting DATASET [-m MODEL] [--split val] [--sources bnr cmu] [--limit 200] [--json OUT.json]

Keypoints are those of benchmarks/views.py. Two baselines need no network: the facing from the distance of the shoulders
in the image and the side of the head, and the joints of the mean pose of the same recordings. Use ``--split test`` for
the final run only.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import vimonet
from benchmarks.views import VIEWS, dataset_items, project_view
from vimonet.bench.items import select
from vimonet.model.towers.keypoint_lifter import KeypointEncoder
from vimonet.motion import Motion
from vimonet.motion.skeleton import INDEX
from vimonet.training.stages.lift_keypoints import angle_errors, facing_of, joint_errors, pose_of
from vimonet.utils.errors import InputError
from vimonet.utils.statistics import bootstrap_interval


def by_shoulders(flat: Motion) -> NDArray[np.float64]:
    """Estimate the facing [T], radians, 0 toward the camera, from the shoulder width relative to its maximum."""
    joints = flat.joints[..., 0].astype(np.float64)
    width = joints[:, INDEX["left_shoulder"]] - joints[:, INDEX["right_shoulder"]]
    ahead = joints[:, INDEX["head"]] - joints[:, [INDEX["left_shoulder"], INDEX["right_shoulder"]]].mean(1)
    cosine = np.clip(width / max(float(np.percentile(np.abs(width), 95)), 1e-6), -1, 1)
    return np.arccos(cosine) * np.where(ahead > 0, 1, -1)


@torch.no_grad()
def measure(assistant: Any, motions: dict[str, Motion], view: str, seed: int) -> dict[str, Any]:
    """Measure errors over recordings (name -> motion of at most one window) in a view."""
    tower = assistant.model.vimonet.keypoint_tower
    extractor = assistant.processor.feature_extractor
    rows: dict[str, list[float]] = {name: [] for name in ("facing", "rule", "turn", "turn_rule", "joints", "mean")}
    names: list[str] = []
    poses: list[NDArray[np.float32]] = []
    for name, motion in motions.items():
        flat = project_view(motion, view, seed)
        if flat is None:
            continue
        true = pose_of(motion.joints, VIEWS[view][0])
        values = torch.from_numpy(extractor.extract(flat))[None].to(tower.lifter.input.weight)
        said = tower.lifter.of_rows(values)[0, : motion.frames].float().cpu().numpy()
        for facing, turn, angle in (("facing", "turn", facing_of(said)), ("rule", "turn_rule", by_shoulders(flat))):
            off, turned = angle_errors(angle, facing_of(true))
            rows[facing].append(float(np.median(off)))
            rows[turn].append(turned < 45)
        rows["joints"].append(float(joint_errors(said, true).mean()))
        poses.append(true)
        names.append(name)
    mean = np.concatenate(poses).mean(0, keepdims=True)
    rows["mean"] = [float(joint_errors(np.broadcast_to(mean, pose.shape), pose).mean()) for pose in poses]
    intervals = {key: bootstrap_interval(np.array(values, float), names, seed, 500) for key, values in rows.items()}
    return {
        "view": view,
        "n": len(names),
        **{key: (float(np.mean(rows[key])), i.low, i.high) for key, i in intervals.items()},
    }


def table(title: str, rows: list[dict[str, Any]]) -> str:
    """Format a Markdown table, a row per view."""
    lines = [f"**{title}**", "", "| view | n | facing, degrees off | by shoulders | turn within 45° | by shoulders |"]
    lines[-1] += " joints, mm off | mean pose |"
    lines += ["|---|--:|---|--:|---|--:|---|--:|"]
    for row in rows:
        cells = [
            f"{form} ({form} to {form}) | {form}".format(*row[key], row[rule][0])
            for key, rule, form in (
                ("facing", "rule", "{:.1f}"),
                ("turn", "turn_rule", "{:.2f}"),
                ("joints", "mean", "{:.0f}"),
            )
        ]
        lines.append(f"| {row['view']} | {row['n']} | {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="VIMOS dataset (vimonet data build)")
    parser.add_argument("-m", "--model", help="model folder (default: the shipped one)")
    parser.add_argument("--split", choices=("val", "test"), default="val", help="recordings (val)")
    parser.add_argument("--sources", nargs="+", default=["bnr", "cmu"], help="corpora with 3D motions (bnr cmu)")
    parser.add_argument("--limit", type=int, default=200, help="at most so many recordings of each source (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice and of the errors of the keypoints (0)")
    parser.add_argument("--json", type=Path, help="also write the figures")
    options = parser.parse_args()
    assistant = vimonet.load(options.model)
    if not isinstance(assistant.model.vimonet.keypoint_tower, KeypointEncoder):
        raise InputError(f"{assistant.name}: this model has no lifter; train one with `vimonet train lift-keypoints`.")
    results = {}
    for source in options.sources:
        items = [item for item in dataset_items(options.dataset, options.split) if item.source == source]
        whole = {i.recording: i for i in items if i.motion.dimensions == 3 and i.motion.confidence is None}
        chosen = select(list(whole.values()), options.limit or None, options.seed)
        window = assistant.processor.feature_extractor.max_frames
        motions = {i.recording: i.motion.window(0, min(window, i.motion.frames)) for i in chosen}
        results[source] = [measure(assistant, motions, view, options.seed) for view in VIEWS]
        print(table(f"{source}, {options.split}", results[source]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"split": options.split, **results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"lifting: {error}")
