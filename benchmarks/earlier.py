"""Run an earlier commit of this repository beside the present one, and make recordings of ordinary length for both."""

from __future__ import annotations

import io
import itertools
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from vimonet.motion import Motion, load
from vimonet.motion.io.loading import list_recordings
from vimonet.utils.errors import InputError

ROOT = Path(__file__).parents[1]
BEFORE = "c04983f"
"""The commit before formats were told by the body: the reference of reading and indexing."""


@contextmanager
def source_of(commit: str) -> Iterator[Path]:
    """Extract the package of a commit into a temporary folder."""
    archive = subprocess.run(["git", "archive", commit, "src"], cwd=ROOT, capture_output=True, check=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(folder, filter="data")
        yield Path(folder) / "src"


def run_script(script: str, source: Path, *arguments: str) -> dict[str, float]:
    """Run Python text with the package of `source`; its last line of output is a JSON object."""
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env={**os.environ, "PYTHONPATH": str(source)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.strip().splitlines()[-1])
    return found


def readable(folder: Path) -> list[Path]:
    """List the recordings of a folder that can be read, and name the others."""
    return [folder / path for path in list_recordings(folder).recordings if _is_read(folder / path, path)]


def _is_read(source: Path | bytes, name: str) -> bool:
    try:
        load(source, name=name)
    except InputError as error:
        print(f"left out: {error}")
        return False
    return True


def make_library(sources: list[Path], folder: Path, count: int, seconds: float) -> None:
    """Copy recordings under new names until there are `count`, each repeated to about `seconds`; 0 leaves their length.

    A BVH file keeps its skeleton, channels and rate. What else can be read is written as an `.npz` of joints or, in 2D,
    as a JSON file of COCO keypoints. A recording that jumps too far between repeats to be read is left out.
    """
    folder.mkdir()
    made = [_lengthened(path, seconds) for path in sources]
    made = [one for one, path in zip(made, sources, strict=True) if not seconds or _is_read(one[1], path.name)]
    for number, (suffix, data) in enumerate(itertools.islice(itertools.cycle(made), count)):
        (folder / f"{number:05d}{suffix}").write_bytes(data)


def _lengthened(path: Path, seconds: float) -> tuple[str, bytes]:
    data = path.read_bytes()
    if not seconds:
        return path.suffix, data
    if path.suffix.lower() == ".bvh":
        line = data.index(b"\n", data.index(b"Frame Time")) + 1
        before, _, after = data[:line].partition(b"Frames:")
        frames, rate = int(after.split()[0]), float(data[:line].split(b"Frame Time:")[1].split()[0])
        copies = max(1, round(seconds / (frames * rate)))
        block = data[line:].rstrip() + b"\n"
        return ".bvh", before + b"Frames: %d\n" % (frames * copies) + after.split(b"\n", 1)[1] + block * copies
    motion = load(path)
    joints = np.concatenate([motion.joints] * max(1, round(seconds / motion.duration)))
    return (".npz", _archive(joints)) if motion.dimensions == 3 else (".json", _annotations(motion, len(joints)))


def _archive(joints: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, joints=joints, fps=20.0)
    return out.getvalue()


def _annotations(motion: Motion, frames: int) -> bytes:
    """Write COCO annotations, one per frame, of a 2D motion: nose and hips, shoulders, limbs from its 22 joints."""
    order = [15, 15, 15, 15, 15, 16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8]
    points = np.full((motion.frames, 17, 3), 2.0)
    points[..., 0] = 320.0 + 200.0 * motion.joints[:, order, 0]
    points[..., 1] = 400.0 - 200.0 * motion.joints[:, order, 1]
    rows = points.round(1).reshape(motion.frames, -1).tolist()
    notes = [{"image_id": i + 1, "category_id": 1, "keypoints": rows[i % len(rows)]} for i in range(frames)]
    about = {"format": "coco17", "fps": 20.0, "width": 640, "height": 480}
    return json.dumps({**about, "annotations": notes}).encode()
