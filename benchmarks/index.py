"""Measure how fast a folder is indexed: `Index.build` against a loop that reads and encodes one recording at a time.

    python benchmarks/index.py FOLDER [--copies 400]

The folder's recordings are copied under new names until there are enough. The loop is what `vimonet index` did up to
0.2.0: in one process it reads a recording, encodes its first window to see whether it can be, and windows by 64.
Vectors of both must agree. Prints milliseconds per recording of both, and the ratio.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from vimonet.motion import load
from vimonet.motion.io.loading import list_recordings
from vimonet.retrieval import WINDOWS, Index
from vimonet.retrieval.index import FPS
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder, split


def one_by_one(folder: Path, encoder: TextMotionEncoder) -> dict[str, np.ndarray]:
    """Encode the windows of every recording as up to 0.2.0."""
    frames = [round(seconds * FPS) for seconds in WINDOWS]
    clips, owners = [], []
    for path in list_recordings(folder).recordings:
        motion = load(folder / path)
        bounds = sorted({pair for n in frames for pair in split(motion.frames, n, n // 2)})
        encoder.clips([motion.window(*bounds[0])])
        clips += [motion.window(*pair) for pair in bounds]
        owners += [path] * len(bounds)
    vectors = np.concatenate([encoder.clips(clips[i : i + 64]) for i in range(0, len(clips), 64)])
    return {path: vectors[[owner == path for owner in owners]] for path in dict.fromkeys(owners)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=400, help="recordings to index")
    args = parser.parse_args()
    found = [args.folder / path for path in list_recordings(args.folder).recordings]
    with tempfile.TemporaryDirectory() as made:
        library = Path(made) / "library"
        library.mkdir()
        for i in range(args.copies):
            source = found[i % len(found)]
            shutil.copy(source, library / f"{i:05d}{source.suffix}")
        encoder = TextMotionEncoder.load(None)
        one_by_one(args.folder, encoder)  # imports, and pages of the weights
        start = time.perf_counter()
        reference = one_by_one(library, encoder)
        middle = time.perf_counter()
        index = Index.build(library, Path(made) / "new.index", encoder=encoder)
        end = time.perf_counter()
    for entry in index.entries:
        assert np.abs(entry.vectors.astype(np.float32) - reference[entry.path]).max() < 5e-3, entry.path
    old, new = (1000 * seconds / args.copies for seconds in (middle - start, end - middle))
    print(f"{args.copies} recordings, {len(index)} windows: one by one {old:.1f} ms, Index.build {new:.1f} ms each")
    print(f"ratio {old / new:.2f}; 20,000 such recordings take {new * 20_000 / 60_000:.1f} minutes")


if __name__ == "__main__":
    main()
