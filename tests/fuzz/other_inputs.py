"""What else may be damaged: videos, AMC with its skeleton, model folders, indexes, datasets, tables, tasks.

Each kind has a whole input and a function that reads the damaged bytes in their place.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "training"))

import vimonet
from vimonet.motion.skeleton import CANONICAL_OFFSETS, JOINT_NAMES, PARENTS

_INCH = 0.0254 / 0.45  # metres of a unit of length in CMU's files


@dataclass(frozen=True)
class Input:
    """A whole input.

    Attributes:
        name: file name, by whose suffix a reader may choose.
        data: the bytes that are damaged.
        read: reads damaged bytes; returns joints, or None where the input holds none.
    """

    name: str
    data: bytes
    read: Callable[[bytes], Any]


@lru_cache(maxsize=1)
def room() -> Path:
    """Make a folder for the files of this process, deleted with it."""
    import atexit

    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    atexit.register(shutil.rmtree, folder, True)
    return folder


# ------------------------------- AMC with its skeleton

_BONES = {
    **{name: side + bone for side, word in (("l", "left"), ("r", "right")) for name, bone in (
        (f"{word}_knee", "femur"), (f"{word}_ankle", "tibia"), (f"{word}_foot", "foot"), (f"{word}_hip", "hipjoint"),
        (f"{word}_collar", "collar"), (f"{word}_shoulder", "clavicle"), (f"{word}_elbow", "humerus"),
        (f"{word}_wrist", "radius"),
    )},
    **{"spine1": "lowerback", "spine2": "upperback", "spine3": "thorax", "neck": "lowerneck", "head": "upperneck"},
}  # fmt: skip
"""Joint -> bone of CMU's naming that ends in it."""


def asf() -> str:
    """Write our own proportions as a skeleton."""
    lines = [":version 1.10", ":name own", ":units", "  mass 1.0", "  length 0.45", "  angle deg", ":root"]
    lines += ["  order TX TY TZ RX RY RZ", "  axis XYZ", "  position 0 0 0", "  orientation 0 0 0", ":bonedata"]
    children: dict[str, list[str]] = {}
    for joint, bone in sorted(_BONES.items(), key=lambda pair: JOINT_NAMES.index(pair[0])):
        number = JOINT_NAMES.index(joint)
        parent = PARENTS[number]
        offset = CANONICAL_OFFSETS[number]
        length = float(np.linalg.norm(offset))
        direction = " ".join(f"{value:.6f}" for value in offset / length)
        lines += ["  begin", f"    id {number}", f"    name {bone}", f"    direction {direction}"]
        lines += [f"    length {length / _INCH:.6f}", "    axis 0 0 0 XYZ", "    dof rx ry rz"]
        lines += ["    limits (-180.0 180.0)", "    (-180.0 180.0)", "    (-180.0 180.0)", "  end"]
        children.setdefault(_BONES.get(JOINT_NAMES[parent], "root"), []).append(bone)
    lines += [":hierarchy", "  begin"]
    lines += [f"    {parent} {' '.join(below)}" for parent, below in children.items()]
    return "\n".join([*lines, "  end", ""])


def amc(frames: int = 6) -> str:
    """Write a body that bends a knee."""
    lines = [":FULLY-SPECIFIED", ":DEGREES"]
    for frame in range(frames):
        lines += [str(frame + 1), f"root 0 {0.95 / _INCH:.4f} {0.01 * frame / _INCH:.4f} 0 0 0"]
        lines += [f"{bone} {5.0 * frame if bone == 'lfemur' else 0} 0 0" for bone in _BONES.values()]
    return "\n".join([*lines, ""])


def _read_amc(skeleton: bytes, motion: bytes) -> Any:
    from vimonet.motion import load

    folder = room() / "amc"
    folder.mkdir(exist_ok=True)
    (folder / "own.asf").write_bytes(skeleton)
    (folder / "own_01.amc").write_bytes(motion)
    return load(folder / "own_01.amc").joints


# ------------------------------- video


def _read_video(data: bytes) -> None:
    from vimonet.video import probe, read

    probe(data)
    assert read(data, 4, max_side=128).images.dtype == np.uint8


# ------------------------------- model folders, indexes, datasets


def _read_model(name: str, data: bytes) -> None:
    import torch

    from vimonet.weights import model_source

    folder = room() / "model"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for file in Path(model_source("nano")).iterdir():
        if file.is_file() and file.name != name:
            os.symlink(file, folder / file.name)
    (folder / name).write_bytes(data)
    model = vimonet.load(folder).model
    assert all(torch.isfinite(value).all() for value in model.state_dict().values() if value.is_floating_point())


def _index() -> bytes:
    from vimonet.retrieval import storage

    rng = np.random.default_rng(0)
    entries = [
        storage.Entry(
            f"clip{k}.bvh", "1:1", "d", np.array([[0, 60], [30, 90]], np.int32), rng.random((2, 8)).astype("f2")
        )
        for k in range(4)
    ]
    about = {"root": "/clips", "windows": [3.0], "fingerprint": "f", "evaluator": "", "complete": True}
    storage.write(room() / "whole.index", about, entries)
    return (room() / "whole.index").read_bytes()


def _read_index(data: bytes) -> None:
    from vimonet.retrieval import Index

    path = room() / "damaged.index"
    path.write_bytes(data)
    index = Index.open(path)
    if index.entries:
        vectors, _, _ = index.arrays()
        assert all(np.isfinite(hit.score) for hit in index.nearest(np.ones(vectors.shape[1], np.float32), 3))


def _shard() -> bytes:
    import pyarrow.parquet as pq
    from training_world import pair_record

    from vimonet.vimos.parquet import to_row, to_table

    rows = to_table([to_row(pair_record(k, "train")) for k in range(4)])
    pq.write_table(rows, stream := io.BytesIO(), compression="zstd", row_group_size=2)
    return stream.getvalue()


def _read_dataset(shard: bytes, about: bytes = b'{"vimos_version": 1}') -> None:
    from vimonet.vimos.card import count
    from vimonet.vimos.reading import read_records

    folder = room() / "dataset"
    (folder / "train").mkdir(parents=True, exist_ok=True)
    (folder / "vimos.json").write_bytes(about)
    (folder / "train" / "00000.parquet").write_bytes(shard)
    for record in read_records(folder, "train"):
        assert record.motion is None or np.isfinite(record.motion.joints).all()
    count(folder)


TABLE = "file,caption,start,end,action,split\na.bvh,a person walks,0,1.5,walk,train\nb.bvh,waves,,,,test\n"
TASK = """name: own
group: motion
select: {styles: [sequence]}
prompt: "{question}"
answer: {format: number, tolerance: 1}
"""


def _read_table(suffix: str, data: bytes) -> None:
    from vimonet.vimos.builders.folder import read_table

    path = room() / f"table{suffix}"
    path.write_bytes(data)
    for _, row in read_table(path):
        assert row["start"] is None or np.isfinite(row["start"])


def _read_task(data: bytes) -> None:
    from vimonet.bench.tasks import load_task

    (room() / "own.yaml").write_bytes(data)
    load_task(room() / "own.yaml")


@lru_cache(maxsize=1)
def other_inputs() -> dict[str, Input]:
    """{kind: whole input} of everything that is no recording in one file."""
    from vimonet.weights import model_source

    nano = Path(model_source("nano"))
    video = (Path(vimonet.__file__).parent / "samples" / "wave_right.mp4").read_bytes()
    skeleton, motion = asf().encode(), amc().encode()
    lines = "\n".join(json.dumps({"file": f"{name}.bvh", "caption": "walks", "start": 0.5}) for name in "ab").encode()
    found = {
        "video": Input("a.mp4", video, _read_video),
        "amc": Input("a.amc", motion, lambda data: _read_amc(skeleton, data)),
        "asf": Input("a.asf", skeleton, lambda data: _read_amc(data, motion)),
        "index": Input("a.index", _index(), _read_index),
        "shard": Input("a.parquet", _shard(), _read_dataset),
        "vimos.json": Input(
            "vimos.json", b'{"vimos_version": 1, "rows": {"train": 4}}', lambda d: _read_dataset(_shard(), d)
        ),
        "table csv": Input("a.csv", TABLE.encode(), lambda data: _read_table(".csv", data)),
        "table jsonl": Input("a.jsonl", lines, lambda data: _read_table(".jsonl", data)),
        "task": Input("a.yaml", TASK.encode(), _read_task),
    }
    for name in (
        "config.json",
        "model.safetensors",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ):
        if (nano / name).is_file():
            read: Callable[[bytes], Any] = lambda data, name=name: _read_model(name, data)  # type: ignore[misc]  # noqa: E731
            found[f"model {name}"] = Input(name, (nano / name).read_bytes(), read)
    return found
