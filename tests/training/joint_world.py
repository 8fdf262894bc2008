"""A small VIMOS dataset with motion, video and both, made by rule."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from training_world import Clips
from video_clips import make

from vimonet.motion import Motion
from vimonet.vimos.dataset_writer import Shard, Skipped, build, chunk
from vimonet.vimos.parquet import Caption, Instruction, Record

RATE, FRAMES = 20, 60
COLOURS = {"red": (220, 30, 30), "blue": (30, 30, 220)}
KINDS = ("motion", "keypoint", "video", "paired", "paired 2D")


def colour_of(index: int) -> str:
    return "red" if index % 2 else "blue"


def record(index: int, split: str) -> Record:
    """Its kind by turns; the video's second second is the clip, the motion shows as long."""
    kind = KINDS[index % len(KINDS)]
    motion = None
    if kind != "video":
        joints = np.resize(Clips(keypoints=False)[index]["joints"], (RATE, 22, 3))
        flat = kind in ("keypoint", "paired 2D")
        motion = Motion(joints * [1, 1, 0 if flat else 1], dimensions=2 if flat else 3)
    filmed = kind not in ("motion", "keypoint")
    colour = Instruction("colour", "colour", "What colour is it?", colour_of(index), options=tuple(COLOURS))
    return Record(
        f"{split}/{index:04d}",
        "made",
        f"made/{split}-{index}",
        split,
        "CC0",
        motion,
        video=f"video/{split}-{index:04d}.mp4" if filmed else None,
        video_span=(1.0, 2.0) if filmed else None,
        captions=(Caption("a person waves."),),
        instructions=(colour,),
    )


@dataclass(frozen=True)
class JointBuilder:
    train: int = 20
    val: int = 5
    name = "joint"

    def settings(self) -> dict[str, Any]:
        return {"builder": "joint", "train": self.train}

    def shards(self) -> list[Shard]:
        return [*chunk("train", range(self.train), 10), *chunk("val", range(self.val), 10)]

    def records(self, shard: Shard) -> Iterator[Record | Skipped]:
        for index in shard.keys:
            yield record(index, shard.split)

    def describe(self) -> str:
        return "Rows made by rule."


def make_dataset(folder: Path, size: int = 32) -> Path:
    """Rows and videos of `size` pixels: a coloured bar that grows with time."""
    builder = JointBuilder()
    build(builder, folder, workers=0, progress=False)
    (folder / "video").mkdir(exist_ok=True)
    for split, count in (("train", builder.train), ("val", builder.val)):
        for index in range(count):
            made = record(index, split)
            if made.video is not None:

                def draw(number: int, index: int = index) -> np.ndarray:
                    picture = np.full((size, size, 3), 90, np.uint8)
                    picture[:, : size * (number + 1) // FRAMES] = COLOURS[colour_of(index)]
                    return picture

                make(folder / made.video, FRAMES, rate=RATE, size=(size, size), draw=draw)
    return folder
