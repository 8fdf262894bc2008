"""A small builder whose records are made by rule, and what tests do with datasets."""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vimonet.motion import Motion
from vimonet.motion.skeleton import CANONICAL_OFFSETS, PARENTS
from vimonet.vimos.dataset_writer import Build, Shard, Skipped, build, chunk, summarise
from vimonet.vimos.parquet import Caption, Instruction, Record
from vimonet.vimos.types import Part


def swaying(seed: int, frames: int = 40) -> Motion:
    """A body in T-pose that sways and drifts."""
    joints = np.zeros((22, 3), np.float32)
    for joint, parent in enumerate(PARENTS):
        joints[joint] = CANONICAL_OFFSETS[joint] + (joints[parent] if parent >= 0 else (0, 0.95, 0))
    rng = np.random.default_rng(seed)
    path = np.cumsum(rng.normal(0, 0.01, (frames, 1, 3)), axis=0)
    return Motion((joints + path).astype(np.float32), name=f"m{seed}")


def record(index: int, split: str = "train", **changes: Any) -> Record:
    """One row with everything a row can have but video."""
    side = "left" if index % 2 else "right"
    instructions = (
        Instruction("turn", "turn", f"Which way does person {index % 5} turn?", side, "direction", "kinematic",
                    ("left", "right"), {}, {"net_turn_deg": 12.5}, "seen", 0.5, 1.0),
        Instruction("count", "count", "How often does it happen?", str(index % 3), "count", "kinematic"),
    )  # fmt: skip
    made = Record(
        f"{split}/{index:04d}",
        "made",
        f"made/{split}-{index}",
        split,
        "CC0",
        swaying(index),
        actions=(Part("walk", 0.0, 1.0), Part(f"turn {side}", 1.0, 2.0)),
        captions=(Caption(f"a person walks and turns {side}.", "people", tokens="a/DET person/NOUN"),),
        instructions=instructions,
        provenance={"recordings": [f"made/{split}-{index}"]},
    )
    return replace(made, **changes)


@dataclass(frozen=True)
class MadeBuilder:
    """Rows by rule; every seventh key is skipped."""

    train: int = 24
    test: int = 6
    rows: int = 4
    pause: float = 0.0

    name = "made"

    def settings(self) -> dict[str, Any]:
        return {"builder": "made", "train": self.train, "test": self.test, "rows": self.rows}

    def shards(self) -> list[Shard]:
        return [*chunk("train", range(self.train), self.rows), *chunk("test", range(self.test), self.rows)]

    def records(self, shard: Shard) -> Iterator[Record | Skipped]:
        for index in shard.keys:
            time.sleep(self.pause)
            if index % 7 == 3:
                yield Skipped(f"file{index}.bvh", "not readable.")
            else:
                yield record(index, shard.split)

    def describe(self) -> str:
        return "Rows made by rule."


def finish(out: str | Path, builder: Any, workers: int = 0) -> Build:
    """Everything that `vimonet data build` does."""
    from vimonet.vimos.card import write_card
    from vimonet.vimos.leak_report import leak_report

    result = build(builder, out, workers=workers, progress=False)
    write_card(result, builder, leak_report(result.folder))
    return result


def rewrite(folder: Path, change: Any, split: str = "train", number: int = 0) -> None:
    """Change the rows (as dicts) of one shard, keep the rest of the dataset in agreement with it."""
    path = folder / split / f"{number:05d}.parquet"
    table = pq.read_table(path)
    rows = table.to_pylist()
    change(rows)
    pq.write_table(pa.Table.from_pylist(rows, schema=table.schema), path)
    shards = [Shard(p.parent.name, int(p.stem), ()) for p in sorted(folder.glob("*/*.parquet"))]
    summarise(folder, shards)


def film(path: Path, frames: int = 50) -> None:
    """A small MP4, 25 frames/s."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(frames):
            picture = np.full((48, 64, 3), number * 4 % 256, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())


def tree(folder: Path) -> dict[str, str]:
    """Hash of every file."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


if __name__ == "__main__":  # what the killed process runs
    print("ready", flush=True)
    finish(sys.argv[1], MadeBuilder(pause=float(sys.argv[3])), workers=int(sys.argv[2]))
