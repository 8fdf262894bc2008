"""What the shipped model's lifter sees in depth: facing, turn and joints of held-out recordings from five sides.

    python benchmarks/lifting.py [-m MODEL] [--split val] [--sources bnr cmu] [--limit 200] [--json OUT.json]

Needs the recordings (docs/training.md). Keypoints are those of benchmarks/views.py. Beside the lifter stands what needs
no network: the facing from how far the shoulders lie apart in the picture and on which side of them the head is, and
the joints of the mean pose of the same recordings. ``--split test`` is for the last run.
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
from vimonet.bench.evaluate import select
from vimonet.bench.views import DISTANCE, NOISE, VIEWS, film
from vimonet.errors import InputError
from vimonet.model.lifting import FACING, POSE, ROOT, KeypointEncoder
from vimonet.motion import Motion
from vimonet.motion.projection import View
from vimonet.motion.skeleton import INDEX
from vimonet.statistics import bootstrap_interval
from vimonet.training.lifting import pose_of
from vimonet.vimos import evaluation_items

_JOINTS = slice(FACING + ROOT, (FACING + ROOT + POSE) // 2)


def by_shoulders(flat: Motion) -> NDArray[np.float64]:
    """Facing [T] in radians, 0 toward the camera: shoulders as wide as their widest are square to it."""
    joints = flat.joints[..., 0].astype(np.float64)
    width = joints[:, INDEX["left_shoulder"]] - joints[:, INDEX["right_shoulder"]]
    ahead = joints[:, INDEX["head"]] - joints[:, [INDEX["left_shoulder"], INDEX["right_shoulder"]]].mean(1)
    cosine = np.clip(width / max(float(np.percentile(np.abs(width), 95)), 1e-6), -1, 1)
    return np.arccos(cosine) * np.where(ahead > 0, 1, -1)


def off(said: NDArray[Any], true: NDArray[Any]) -> NDArray[Any]:
    """Degrees between two angles in radians."""
    return np.degrees(np.abs(np.angle(np.exp(1j * (said - true)))))


def turn(angle: NDArray[Any]) -> float:
    """Degrees from the first frame to the last, turns added up."""
    whole = np.unwrap(angle)
    return float(np.degrees(whole[-1] - whole[0]))


@torch.no_grad()
def measure(assistant: Any, motions: dict[str, Motion], view: str) -> dict[str, Any]:
    """Errors over recordings (name -> motion of at most a window) in a view."""
    tower = assistant.model.vimonet.keypoint_tower
    extractor = assistant.processor.feature_extractor
    rows: dict[str, list[float]] = {name: [] for name in ("facing", "rule", "turn", "turn_rule", "joints", "mean")}
    names: list[str] = []
    poses: list[NDArray[np.float32]] = []
    for name, motion in motions.items():
        flat = film(motion, view)
        if flat is None:
            continue
        azimuth, elevation = VIEWS[view]
        true = pose_of(motion.joints, View(azimuth, elevation, DISTANCE, NOISE, 0))
        values = torch.from_numpy(extractor.extract(flat))[None].to(tower.lifter.input.weight)
        said = tower.lifter.of_rows(values)[0, : motion.frames].float().cpu().numpy()
        angle, found, rule = np.arctan2(*true[:, :2].T), np.arctan2(*said[:, :2].T), by_shoulders(flat)
        rows["facing"].append(float(np.median(off(found, angle))))
        rows["rule"].append(float(np.median(off(rule, angle))))
        rows["turn"].append(abs(turn(found) - turn(angle)) < 45)
        rows["turn_rule"].append(abs(turn(rule) - turn(angle)) < 45)
        rows["joints"].append(_apart(said, true))
        poses.append(true)
        names.append(name)
    mean = np.concatenate(poses).mean(0, keepdims=True)
    rows["mean"] = [_apart(np.broadcast_to(mean, pose.shape), pose) for pose in poses]
    intervals = {key: bootstrap_interval(np.array(values, float), names, 0, 500) for key, values in rows.items()}
    return {
        "view": view,
        "n": len(names),
        **{key: (float(np.mean(rows[key])), i.low, i.high) for key, i in intervals.items()},
    }


def _apart(said: NDArray[Any], true: NDArray[Any]) -> float:
    """Mean distance of a joint to where it is from the pelvis, mm."""
    return float(1000 * np.linalg.norm((said - true)[:, _JOINTS].reshape(len(true), -1, 3), axis=-1).mean())


def table(title: str, rows: list[dict[str, Any]]) -> str:
    """Markdown, a row per view."""
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
    parser.add_argument("-m", "--model", help="model folder (default: the shipped one)")
    parser.add_argument("--split", choices=("val", "test"), default="val", help="recordings (val)")
    parser.add_argument("--sources", nargs="+", default=["bnr", "cmu"], help="corpora with 3D motions (bnr cmu)")
    parser.add_argument("--limit", type=int, default=200, help="at most so many recordings of each source (200)")
    parser.add_argument("--seed", type=int, default=0, help="of the choice and of the errors of the keypoints (0)")
    parser.add_argument("--json", type=Path, help="also write the figures")
    options = parser.parse_args()
    assistant = vimonet.load(options.model)
    if not isinstance(assistant.model.vimonet.keypoint_tower, KeypointEncoder):
        raise InputError(f"{assistant.name}: this model has no lifter; train one with `vimonet train lift`.")
    results = {}
    for source in options.sources:
        items = evaluation_items(options.split, sources=[source], seed=options.seed)
        whole = {i.recording: i for i in items if i.motion.dimensions == 3 and i.motion.confidence is None}
        chosen = select(list(whole.values()), options.limit or None, options.seed)
        window = assistant.processor.feature_extractor.max_frames
        motions = {i.recording: i.motion.window(0, min(window, i.motion.frames)) for i in chosen}
        results[source] = [measure(assistant, motions, view) for view in VIEWS]
        print(table(f"{source}, {options.split}", results[source]), flush=True)
    if options.json:
        options.json.write_text(json.dumps({"split": options.split, **results}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"lifting: {error}")
