"""Collect what the fall detector learns from and is scored on: falls and ordinary movement, 3D and 2D, by split."""

from __future__ import annotations

import json
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.ndimage import gaussian_filter1d

from research.falls.frame_order import falls
from research.vimos_open.sources import SOURCES_2D, SOURCES_3D, load_clips
from research.vimos_open.synthesis import generate
from vimonet.motion import Motion, load
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.kinematics import heading
from vimonet.motion.motion import resample
from vimonet.motion.pose import Poses
from vimonet.motion.projection import View
from vimonet.utils.errors import InputError

VIEWS: Final = 12
"""Random virtual cameras from which each 3D fall is projected; ordinary 3D movement is projected once."""
HALF_ANGLE: Final = 35.0
"""Degrees between the middle and the edge of a virtual camera's picture."""
GMDCSA_FALL: Final = "Falling"


@dataclass(frozen=True)
class Sample:
    """Hold one movement and the interval in which a person falls, s; None: nobody falls."""

    name: str
    source: str
    group: str
    split: str
    motion: Motion
    fall: tuple[float, float] | None
    label: str


def ordinary(split: str, root: Path) -> Iterator[Sample]:
    """Read labelled clips without a fall, and each 3D clip through one virtual camera."""
    for clip in load_clips(root, SOURCES_3D + SOURCES_2D):
        held = "test" if clip.split in ("test", "test_view", "val") else "train"
        fall = clip.source == "ase_amp" and "fall" in (clip.action or "")
        if fall or held != split:
            continue
        if clip.source in ("ase_amp", "deepmimic", "mimickit_parc") and split != "train":
            continue
        base = Sample(clip.id, clip.source, clip.recording, split, clip.motion, None, str(clip.action))
        yield base
        if clip.motion.dimensions == 3:
            flat = projected(clip.motion, zlib.crc32(clip.id.encode()))
            if flat is not None:
                yield replace(base, motion=flat, source=clip.source + ">2d")


def projected(motion: Motion, seed: int) -> Motion | None:
    """Project through a random virtual camera with a pose estimator's errors; None if no body shows.

    The camera is moved back until the whole movement is in its picture: no detector finds a body that is not.
    """
    view = View.draw(random.Random(seed))
    angle = float(heading(motion.joints[:5].astype(np.float64), motion.fps)[0]) + np.radians(view.azimuth)
    tilt = np.radians(view.elevation)
    towards = np.array([np.cos(tilt) * np.sin(angle), np.sin(tilt), np.cos(tilt) * np.cos(angle)])
    moved = motion.joints - np.median(motion.joints[:, 0], axis=0)
    near = moved @ towards
    beside = np.sqrt(np.maximum((moved**2).sum(axis=-1) - near**2, 0.0))
    least = float((near + beside / np.tan(np.radians(HALF_ANGLE))).max())
    try:
        return replace(view, distance=max(view.distance, least)).project_2d(motion)
    except InputError:
        return None


LOW = ("lie_down", "get_up", "kneel", "sit_down", "crouch", "squats", "crawl", "bow", "stand_up", "jumps")


def synthetic(split: str) -> Iterator[Sample]:
    """Generate falls and what is near to them, in 3D and through virtual cameras."""
    first, count = (0, 40) if split == "train" else (50_000, 10)
    for action in ("fall", *LOW):
        for seed in range(first, first + count):
            motion, _ = generate(action, seed=seed)
            rng = random.Random(seed * 7 + 1)
            pace = rng.uniform(0.6, 1.35) if action == "fall" else rng.uniform(1.0, 1.4)
            joints, _ = resample(motion.joints, motion.fps * pace)
            motion = replace(motion, joints=joints)
            span = None
            if action == "fall":
                span = _drop(motion)
            name = f"synthetic/{action}-{seed}"
            base = Sample(name, "synthetic", name, split, motion, span, action)
            yield base
            for view in range(3 if action == "fall" else 1):
                flat = projected(motion, seed * 31 + view)
                if flat is not None:
                    yield replace(base, name=f"{name}>{view}", source="synthetic>2d", motion=flat)


def _drop(motion: Motion) -> tuple[float, float]:
    speed = -np.gradient(gaussian_filter1d(motion.joints[:, 12, 1], 3.0))
    at = int(np.argmax(speed)) / motion.fps
    return max(0.0, at - 0.8), at + 0.8


def mocap_falls(root: Path) -> Iterator[Sample]:
    """Read the acted falls in mocap (test alone), in 3D and through virtual cameras."""
    for clip in load_clips(root, ("ase_amp",)):
        if "fall" not in (clip.action or ""):
            continue
        base = Sample(clip.id, "mocap falls", clip.id, "test", clip.motion, _drop(clip.motion), str(clip.action))
        yield base
        for view in range(VIEWS):
            flat = projected(clip.motion, view)
            if flat is not None:
                yield replace(base, name=f"{clip.id}>{view}", source="mocap falls>2d", motion=flat)


def upfall(root: Path) -> Iterator[Sample]:
    """Read the falls of UP-Fall that its arrays hold (see `frame_order`): people 1 and 10 to learn from, 3 to test."""
    archive = np.load(root / "labelled" / "upfall_2d.npz", allow_pickle=False)
    index = json.loads((root / "labelled" / "index.json").read_text("utf-8"))["upfall_2d"]
    names = archive["names"].tolist()
    for row in index:
        rows = slice(row["start"], row["start"] + row["frames"])
        values = archive["keypoints2d"][rows].astype(np.float64) * float(archive["scale"])
        points = values[..., :2] * (640, 480)
        split = "train" if row["split"] == "train" else "test"
        for number, order in enumerate(falls(points)):
            name = f"upfall/{row['id']}.{number}"
            seen = np.where(order[:, None] < 0, 0.0, values[order][..., 2])
            motion = flat_motion(points[order], seen, names, float(row["fps"]), name)
            yield Sample(name, "upfall", f"upfall/{row['subject']}", split, motion, _drop(motion), row["label"])


def flat_motion(points: np.ndarray, confidence: np.ndarray, names: list[str], fps: float, name: str) -> Motion:
    sides = {"l_": "left_", "r_": "right_"}
    full = [sides.get(n[:2], n[:2]) + n[2:] for n in names]
    layout = LAYOUTS["coco17"]
    out = np.zeros((len(points), 17, 3))
    for i, n in enumerate(layout):
        if n in full:
            out[:, i, :2], out[:, i, 2] = points[:, full.index(n)], np.clip(confidence[:, full.index(n)], 0, 1)
    return load(out, fps=fps, format="coco17", name=name)


def films(root: Path, poses: Path) -> Iterator[Sample]:
    """Read the keypoints of every film in which somebody is seen."""
    index = {row["file"]: row for row in map(json.loads, (root / "video_labelled" / "index.jsonl").open())}
    for line in (poses / "films.jsonl").open():
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            continue
        if not found.get("poses"):
            continue
        row = index[found["file"]]
        if row["kind"] != "real":
            continue
        held = Poses.open(poses / found["poses"])
        rows = np.concatenate([held.points, held.confidence[..., None]], axis=2)
        rows[~(held.confidence > 0)] = 0.0
        try:
            motion = load(rows, fps=held.fps, format=held.layout, name=row["file"])
        except InputError:
            continue
        yield Sample(
            row["file"],
            row["source"],
            f"{row['source']}/{row['group']}",
            row["split"],
            motion,
            _film_fall(row),
            row["label"],
        )


def _film_fall(row: dict[str, Any]) -> tuple[float, float] | None:
    import re

    found = re.search(r"Falling[^\[]*\[([\d.]+) to ([\d.]+)\]", str(row.get("segments", "")))
    return (float(found[1]), float(found[2])) if found else None
