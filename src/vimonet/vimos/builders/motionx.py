"""Build a dataset from ``motionx``: Motion-X (Lin et al., NeurIPS 2023), SMPL-X motion, captions, and local videos.

Layout after README.md of github.com/IDEA-Research/Motion-X ("Dataset Download", "Data Loading"):
``motion_data/smplx_322/<subset>/**/<name>.npy`` [T, 322] at 30 frames/s (axis-angle root 0:3, body 3:66, translation
309:312), ``texts/semantic_labels/<subset>/**/<name>.txt``, and the split lists of its ``datasets`` folder
(``train.txt``, ``val.txt``, ``test.txt``, lines ``<subset>/**/<name>``) in the root. Motion-X distributes no
videos; local ones are read from ``videos/<subset>/**/<name>.mp4`` (or ``video/``).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from vimonet.motion import Motion
from vimonet.motion.io.amass import pose_joints
from vimonet.motion.io.readers import Recording
from vimonet.motion.io.recording_to_motion import to_motion
from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.utils.errors import InputError
from vimonet.vimos.builders import option, register
from vimonet.vimos.builders.recorded_clips import Source, hashed_split, records_of
from vimonet.vimos.dataset_writer import Attached, Shard, Skipped, chunk
from vimonet.vimos.parquet import Caption, Record
from vimonet.vimos.reading import video_duration

LICENCE = "Motion-X licence (non-commercial), and those of its subsets"
FPS = 30.0
_WIDTH = 322
_ROWS = 100
_SPLITS = ("train", "val", "test")
_SAME_LENGTH = 0.5
_MOTIONS = Path("motion_data") / "smplx_322"
_TEXTS = Path("texts") / "semantic_labels"


@register("motionx", "Motion-X: motion, video and captions")
@dataclass(frozen=True)
class MotionXBuilder:
    """Build rows from Motion-X.

    Args:
        root: folder with ``motion_data`` and ``texts``; its split lists decide the split, else a hash does (8 : 1 : 1),
            with all clips of one video in one split.
        video: attach local videos.
        seed: seed of the splits and of the questions.

    Raises:
        InputError: `shards` finds a part of the layout missing.
    """

    root: str = option("folder of the source; Motion-X", metavar="DIR")
    video: bool = option("leave out the videos", True)
    seed: int = option("seed of every random draw", 0, "N")

    name = "vimos-motionx"

    def settings(self) -> dict[str, Any]:
        """Return the options and the hash of clips, splits and videos."""
        clips = _clips(self.root, self.seed)
        videos = [name for name in clips if self.video and _video(self.root, name)]
        digest = hashlib.sha256(repr((clips, videos)).encode()).hexdigest()
        return {"builder": "motionx", "video": self.video, "seed": self.seed, "clips": len(clips), "listing": digest}

    def shards(self) -> list[Shard]:
        """List the clips by split."""
        clips = _clips(self.root, self.seed)
        return [s for split in _SPLITS for s in chunk(split, [n for n, own in clips.items() if own == split], _ROWS)]

    def records(self, shard: Shard) -> Iterator[Record | Skipped | Attached]:
        """Read the clips of a shard."""
        for name in shard.keys:
            try:
                yield from self._clip(name, shard.split)
            except (InputError, OSError) as error:
                reason = str(error) if isinstance(error, InputError) else f"{error.strerror or error}."
                yield Skipped(name, reason)

    def _clip(self, name: str, split: str) -> Iterator[Record | Skipped | Attached]:
        motion = read_smplx322(Path(self.root) / _MOTIONS / f"{name}.npy")
        text = Path(self.root) / _TEXTS / f"{name}.txt"
        lines = text.read_text(encoding="utf-8", errors="replace").splitlines() if text.is_file() else []
        captions = [Caption(line.strip()) for line in dict.fromkeys(lines) if line.strip()]
        if not captions:
            yield Skipped(name, "it has no caption in texts/semantic_labels; its questions are measured ones only.")
        video, place = _video(self.root, name) if self.video else None, None
        if video is not None:
            try:
                seconds = video_duration(video)
                if abs(seconds - motion.duration) > _SAME_LENGTH:
                    raise InputError(f"its {seconds:.1f} s are not the {motion.duration:.1f} s of the motion.")
                place = f"video/{hashlib.sha256(name.encode()).hexdigest()[:16]}.mp4"
                yield Attached(str(video), place)
            except InputError as error:
                yield Skipped(f"{name}.mp4", str(error))
        source = Source("motionx", name, f"motionx/{_recording(self.root, name)}", split, LICENCE, self.seed)
        provenance = {"subset": name.split("/", 1)[0]}
        # A caption describes the whole clip, so the clip stays whole at any length.
        clips = [(0.0, motion.duration)] if captions else []
        yield from records_of(motion, source, captions, video=place, clips=clips, provenance=provenance)

    def describe(self) -> str:
        """Write the text of the card."""
        return (
            "Motion-X (Lin et al., NeurIPS 2023): clips with their semantic labels as captions, posed on the 22 joints "
            "with mean bone lengths (no body model), and the videos that were there. Answers of generator `kinematic` "
            "are measured on the joints, which in the subsets taken from video were themselves estimated."
        )


def read_smplx322(path: Path) -> Motion:
    """Read a Motion-X array [T, 322] (30 frames/s) as a Motion.

    Raises:
        InputError: the file is no such array.
    """
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(f"{path.name}: not a readable npy ({error.__class__.__name__}).") from None
    if values.ndim != 2 or values.shape[1] != _WIDTH or values.dtype.kind not in "fi" or not len(values):
        raise InputError(f"{path.name}: the array has shape {list(values.shape)}; expected [frames, 322].")
    if not np.isfinite(values[:, :312]).all():
        raise InputError(f"{path.name}: a parameter is not finite; every one must be a number.")
    recording = Recording(
        positions=pose_joints(values[:, :66], values[:, 309:312]),
        names=JOINT_NAMES,
        fps=FPS,
        format="motionx",
        family="smplx parameters",
        mapping={joint: i for i, joint in enumerate(JOINT_NAMES)},
        unit=1.0,
        notes=["posed with mean bone lengths (no body model)"],
    )
    return to_motion(recording, path.name)


@lru_cache(maxsize=2)
def _clips(root: str, seed: int) -> dict[str, str]:
    """Map every present motion file to its split."""
    folder = Path(root) / _MOTIONS
    if not folder.is_dir():
        parts = f"{_MOTIONS.as_posix()}/ and {_TEXTS.as_posix()}/"
        raise InputError(f"{root}: not Motion-X's folder; expected {parts} in it.")
    names = sorted(p.relative_to(folder).with_suffix("").as_posix() for p in folder.rglob("*.npy"))
    listed = _listed(root)
    if listed:
        return {name: listed[name] for name in names if name in listed}
    return {name: hashed_split(_recording(root, name), 0.1, 0.1, seed) for name in names}


@lru_cache(maxsize=2)
def _listed(root: str) -> dict[str, str]:
    """Map clips to splits by the published lists; empty without them."""
    found: dict[str, str] = {}
    for split in _SPLITS:
        for path in (Path(root) / f"{split}.txt", Path(root) / "datasets" / f"{split}.txt"):
            if path.is_file():
                names = (line.strip().removesuffix(".npy") for line in path.read_text("utf-8").splitlines())
                found.update({name: split for name in names if name})
                break
    return found


def _recording(root: str, name: str) -> str:
    """Name the unit of splits: the video of a clip; under the published lists, which divide videos, the clip."""
    parent, _, last = name.rpartition("/")
    plain = re.sub(r"^M(?=\d{6}$)", "", last)
    if not _listed(root):
        plain = re.sub(r"_clip_?\d+$", "", plain)
    return f"{parent}/{plain}" if parent else plain


def _video(root: str, name: str) -> Path | None:
    places = (Path(root) / folder / f"{name}.mp4" for folder in ("videos", "video"))
    return next((path for path in places if path.is_file()), None)
