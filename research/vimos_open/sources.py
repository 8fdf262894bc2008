"""Read the recordings of the sources as clips: motion arrays, labels, splits (layout: the README).

Splits never cut through a recording. Where a source names an official split it is used; Kinder-Gator and the martial-
arts recordings name none, so whole subjects are kept for the test.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from research.vimos_open.corpus_labels import action_phrase
from research.vimos_open.synthesis import generate
from vimonet.motion import Motion, load
from vimonet.motion.joint_names import LAYOUTS
from vimonet.utils.errors import InputError
from vimonet.vimos.types import Clip

SOURCES_3D = (
    *("bnr", "cmu", "kinder_gator", "utd_mhad", "nw_ucla", "precog", "sbu_interaction", "deepmimic", "ase_amp"),
    "mimickit_parc",
)
SOURCES_2D = ("penn_action_2d", "jhmdb_2d", "pushfit_2d", "posetrainer_2d", "ground_guide_2d")

LICENCES = {
    "bnr": "CC BY-NC 4.0",
    "cmu": "free for all uses, credit mocap.cs.cmu.edu",
    "kinder_gator": "for use in animation and whole-body recognition",
    "utd_mhad": "unstated",
    "nw_ucla": "CC BY-NC 4.0 repository",
    "precog": "MIT",
    "sbu_interaction": "none stated; SBU Kinect Interaction, cite Yun et al. 2012",
    "deepmimic": "MIT; sie_* CC BY-NC 4.0",
    "ase_amp": "non-commercial",
    "mimickit_parc": "Apache-2.0",
    "penn_action_2d": "unstated",
    "jhmdb_2d": "unstated",
    "pushfit_2d": "unstated",
    "posetrainer_2d": "GPL-3.0 (repository)",
    "ground_guide_2d": "GPL-3.0 (repository)",
}
_KINDER_TEST, _KINDER_VAL = {934, 595, 474}, {921}
_PRECOG_TEST = {11, 12}
_UCLA_TEST_SUBJECTS = {7, 8}
_LAYOUT = {"penn_action_2d": "penn13", "pushfit_2d": "mediapipe33", "ground_guide_2d": "coco17"}  # others: coco18
_ALIASES = {"face": "nose", "left_foot": "left_foot_index", "right_foot": "right_foot_index"}
_ARMS_SEEN = 0.5
"""Least share of frames that show a wrist, of clips that a detector tracked: without it, no exercise is visible."""


def data_folder(root: Path | str | None = None) -> Path:
    """Find the folder of the recordings: `root`, else the one that the environment variable VIMONET_DATA names.

    Raises:
        InputError: neither names a folder that exists.
    """
    named = root or os.environ.get("VIMONET_DATA")
    if not named:
        raise InputError(
            "the folder of the recordings is not named; give it as --root DIR or in the environment variable "
            "VIMONET_DATA, laid out as research/vimos_open/README.md says."
        )
    if not Path(named).is_dir():
        raise InputError(
            f"{named}: no such folder; give that of the recordings, laid out as research/vimos_open/README.md says."
        )
    return Path(named)


def clips_of(split: str, names: Sequence[str], root: Path | str | None = None) -> list[Clip]:
    """Read the clips of a split of the named sources, the synthetic ones and the captioned windows of CMU included."""
    recorded = tuple(name for name in names if name != "synthetic")
    clips = [c for c in load_clips(root, recorded) if c.split == split] if recorded else []
    if "cmu" in names:
        clips += [c for c in captioned_windows(root) if c.split == split]
    if "synthetic" in names:
        clips += synthetic_clips(split)
    return clips


def load_clips(root: Path | str | None = None, sources: tuple[str, ...] = SOURCES_3D + SOURCES_2D) -> list[Clip]:
    """Read every labelled clip of the named sources.

    Args:
        root: folder of the recordings; None takes the environment variable VIMONET_DATA.
        sources: names out of SOURCES_3D and SOURCES_2D.

    Raises:
        InputError: an unknown source, or a folder without its files.
    """
    folder = data_folder(root)
    clips: list[Clip] = []
    for source in sources:
        if source == "bnr":
            clips.extend(_bnr(folder))
        elif source == "cmu":
            clips.extend(_cmu(folder))
        elif source in LICENCES:
            clips.extend(_labelled(folder, source))
        else:
            raise InputError(f"unknown source '{source}'; the known ones are {', '.join(LICENCES)}.")
    return clips


def _arrays(path: Path) -> Any:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not a readable npz of the training data ({error}).") from error


def _pairs(folder: Path) -> list[dict[str, Any]]:
    with (folder / "motion" / "pairs.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _bnr(folder: Path) -> Iterator[Clip]:
    archive = _arrays(folder / "motion" / "bnr20.npz")
    joints, scale = archive["joints"], float(archive["scale"])
    split = {p["seq"]: p["split"] for p in _pairs(folder) if p["collection"] == "bnr"}
    captions = {p["seq"]: tuple(c["text"] for c in p["captions"]) for p in _pairs(folder) if p["collection"] == "bnr"}
    for row in json.loads((folder / "motion" / "bnr20.index.json").read_text(encoding="utf-8")):
        if row["id"] not in split:
            continue
        motion = _motion(joints, scale, row, f"bnr/{row['id']}")
        action = action_phrase("bnr", row["content"])
        yield Clip(
            motion.name,
            "bnr",
            motion.name,
            split[row["id"]],
            motion,
            action,
            captions[row["id"]],
            licence=LICENCES["bnr"],
        )


def _cmu(folder: Path) -> Iterator[Clip]:
    """Read CMU sequences whole; a sequence is in the test if any collection tests on a part of it."""
    archive = _arrays(folder / "motion" / "cmu20.npz")
    joints, scale = archive["joints"], float(archive["scale"])
    pairs: dict[str, list[dict[str, Any]]] = {}
    for pair in _pairs(folder):
        if pair["motion"] == "cmu20":
            pairs.setdefault(pair["seq"], []).append(pair)
    for row in json.loads((folder / "motion" / "cmu20.index.json").read_text(encoding="utf-8")):
        own = pairs.get(row["id"], [])
        splits = {(p["collection"], p["split"]) for p in own}
        split = "train"
        if {("humanml3d", "test"), ("kitml", "test")} & splits:
            split = "test"
        elif ("humanml3d", "val") in splits:
            split = "val"
        motion = _motion(joints, scale, row, f"cmu/{row['id']}")
        texts = tuple(c["text"].strip() for p in own if p["collection"] != "babel-val" for c in p["captions"])
        action = action_phrase("cmu", row["cmu_description"])
        yield Clip(motion.name, "cmu", motion.name, split, motion, action, texts, licence=LICENCES["cmu"])


def captioned_windows(root: Path | str | None = None) -> list[Clip]:
    """Read the CMU windows that people captioned (HumanML3D and KIT-ML), each as a clip of its own."""
    folder = data_folder(root)
    whole = {clip.id: clip for clip in _cmu(folder)}
    clips = []
    for pair in _pairs(folder):
        captions = tuple(c["text"].strip() for c in pair["captions"])
        sequence = whole.get(f"cmu/{pair['seq']}")
        if pair["collection"] in ("humanml3d", "kitml") and captions and sequence is not None:
            name = f"{sequence.id}@{pair['start']}-{pair['end']}"
            motion = sequence.motion.window(pair["start"], pair["end"]).named(name)
            clips.append(
                Clip(
                    name,
                    "cmu",
                    sequence.recording,
                    sequence.split,
                    motion,
                    sequence.action,
                    captions,
                    licence=sequence.licence,
                )
            )
    return clips


def _labelled(folder: Path, source: str) -> Iterator[Clip]:
    archive = _arrays(folder / "labelled" / f"{source}.npz")
    index = json.loads((folder / "labelled" / "index.json").read_text(encoding="utf-8"))
    flat = source in SOURCES_2D
    data, scale = archive["keypoints2d" if flat else "joints"], float(archive["scale"])
    columns = _columns(source, archive["names"].tolist()) if flat else {}
    for row in index[source]:
        action = action_phrase(source, row["label"], row.get("side"))
        name = f"{source}/{row['id']}"
        licence = row.get("licence", LICENCES[source])
        if flat:
            try:
                motion = _keypoints(data, scale, row, name, source, columns)
            except InputError:
                continue
            if source == "posetrainer_2d" and motion.seen[:, [20, 21]].any(axis=1).mean() < _ARMS_SEEN:
                continue
            yield Clip(name, source, name, _split(source, row), motion, action, side_known=False, licence=licence)
            continue
        try:
            motion = _motion(data, scale, row, name)
        except InputError:
            continue  # precog Seq2_10: the sensor lost the body and wrote zeros
        split = _split(source, row)
        recording = f"{source}/{row['id'].rsplit('_v', 1)[0]}" if source == "nw_ucla" else name
        if source == "sbu_interaction":  # both people of a scene; facing is wrong at times when one turns away
            recording = f"{source}/{row['pair']}"
            yield Clip(name, source, recording, split, motion, action, side_known=False, licence=licence)
            continue
        if source == "precog":
            for label, start, frames in row["segments"]:
                part = (
                    motion.window(start, start + frames).named(f"{name}@{start}") if start + 8 < motion.frames else None
                )
                if part is not None:
                    yield Clip(part.name, source, name, split, part, action_phrase(source, label), licence=licence)
            continue
        yield Clip(name, source, recording, split, motion, action, licence=licence)


def _split(source: str, row: dict[str, Any]) -> str:
    if source == "nw_ucla":
        # The published protocol tests the third camera on performances it trained on from two others; whole subjects
        # are kept aside here as well, so that a number for new people can stand beside it.
        if row["subject"] in _UCLA_TEST_SUBJECTS:
            return "test"
        return "test_view" if row["split"] == "test" else "train"
    if "split" in row:
        return str(row["split"])
    if source == "kinder_gator":
        return "test" if row["subject"] in _KINDER_TEST else "val" if row["subject"] in _KINDER_VAL else "train"
    if source == "precog":
        return "test" if row["subject"] in _PRECOG_TEST else "train"
    if source == "pushfit_2d":
        return "test" if zlib.crc32(row["id"].encode()) % 5 == 0 else "train"
    return "train"


def _motion(joints: NDArray, scale: float, row: dict[str, Any], name: str) -> Motion:
    rows = joints[row["start"] : row["start"] + row["frames"]].astype(np.float32) * np.float32(scale)
    return Motion(rows, name=name, source="joints", source_fps=float(row.get("fps") or 20.0))


def _columns(source: str, names: Sequence[str]) -> dict[int, int]:
    """Match the points of a corpus to its layout by name: place in the layout -> column of the corpus."""
    layout = LAYOUTS[_LAYOUT.get(source, "coco18")]
    sides = {"l_": "left_", "r_": "right_"}
    full = [sides.get(name[:2], name[:2]) + name[2:] for name in names]
    placed = {_ALIASES.get(name, name): column for column, name in enumerate(full)}
    return {place: placed[name] for place, name in enumerate(layout) if name in placed}


def _keypoints(
    data: NDArray, scale: float, row: dict[str, Any], name: str, source: str, columns: dict[int, int]
) -> Motion:
    """Read image keypoints of one clip as the loader of keypoint files does: y up, torso 0.5, 20 frames/s."""
    values = data[row["start"] : row["start"] + row["frames"]].astype(np.float32) * np.float32(scale)
    if source == "penn_action_2d":
        # The third value says "visible", but hidden joints were annotated too; a missing one is 0, 0.
        values[..., 2] = (values[..., :2] != 0).any(axis=-1)
    elif source == "pushfit_2d":
        # Fractions of a frame whose size is not recorded: 16:9, as phones film.
        values[..., 0] *= 16 / 9
    elif source in ("jhmdb_2d", "ground_guide_2d"):
        # Centred on the body: move them, since 0, 0 means a missing joint, and small values fractions of an image.
        values[..., :2] += 10.0
    layout = _LAYOUT.get(source, "coco18")
    full = np.zeros((len(values), len(LAYOUTS[layout]), 3), np.float32)
    full[:, list(columns)] = values[:, list(columns.values())]
    return load(full, fps=float(row.get("fps") or 30.0), format=layout, name=name)


_PER_ACTION = {"train": (0, 60), "val": (10_000, 3), "test": (20_000, 6)}

PHRASES = {
    "stand": "stand still",
    "walk": "walk",
    "run": "run",
    "walk_backward": "walk",
    "side_step": "step sideways",
    "turn_walking": "walk and turn {side}",
    "turn_in_place": "turn {side} on the spot",
    "crawl": "crawl on hands and knees",
    "wave": "wave {hand}",
    "raise_hand": "raise {hand}",
    "punch": "punch",
    "clap": "clap",
    "kick": "kick",
    "bow": "bow",
    "squats": "squat",
    "jumps": "jump",
    "jumping_jacks": "do jumping jacks",
    "sit_down": "sit down",
    "stand_up": "stand up",
    "crouch": "crouch",
    "kneel": "kneel",
    "lie_down": "lie down",
    "get_up": "get up from the floor",
    "fall": "fall",
}
"""Generator's action -> action phrase, in the words of the recorded corpora where they have the action."""


def synthetic_clips(split: str) -> list[Clip]:
    """Generate the clips of a split, as many of every action; splits differ in their seeds.

    They are free of any licence, and the only source of many falls and low postures.
    """
    first, count = _PER_ACTION.get(split, (0, 0))
    clips = []
    for action, phrase in PHRASES.items():
        for seed in range(first, first + count):
            motion, truth = generate(action, seed=seed)
            side = truth.get("side")
            hand = "both hands" if side == "both" else f"the {side} hand"
            name = f"synthetic/{action}-{seed}"
            told = phrase.format(side=side, hand=hand)
            clips.append(
                Clip(name, "synthetic", name, split, motion.named(name), told, licence="Apache-2.0 (generated)")
            )
    return clips
