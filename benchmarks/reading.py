"""Measure reading against the commit before, c04983f, in the same run: BVH in MB/s, JSON and npz in files per second.

    python -m benchmarks.reading FOLDER [--seconds 20] [--files 6]

Recordings of the folder are repeated to about so many seconds (see `benchmarks.earlier`). Either commit reads them in a
process of its own, in turns; a figure is the best of three rounds of processor time. Also prints what the check of the
layout (`choose_layout`) and that of the body (`examine`) cost a clip.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.earlier import BEFORE, ROOT, make_library, readable, run_script, source_of

READ = """
import json, sys, time
from pathlib import Path
from vimonet.motion import load
out = {}
for suffix in (".bvh", ".json", ".npz"):
    files = sorted(Path(sys.argv[1]).glob("*" + suffix))
    times = []
    for turn in range(4):
        start = time.process_time()
        for file in files:
            load(file)
        times.append(time.process_time() - start)
    if files:
        out[suffix] = min(times[1:])
print(json.dumps(out))
"""
CHECKS = """
import json, sys, time
from pathlib import Path
from vimonet.motion import load
from vimonet.motion.io import joint_arrays, recording_to_motion
spent = {}
def timed(module, name):
    work = getattr(module, name)
    def run(*args, **kwargs):
        start = time.process_time()
        try:
            return work(*args, **kwargs)
        finally:
            spent.setdefault(name, []).append(time.process_time() - start)
    setattr(module, name, run)
timed(joint_arrays, "choose_layout")
timed(recording_to_motion, "examine")
for turn in range(3):
    for file in sorted(Path(sys.argv[1]).glob("*.npz")):
        load(file)
print(json.dumps({name: 1000 * sorted(times)[len(times) // 2] for name, times in spent.items()}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of the recordings")
    parser.add_argument("--files", type=int, default=6, help="files of each format")
    args = parser.parse_args()
    found = readable(args.folder)
    few = [[path for path in found if path.suffix == end][: args.files] for end in (".bvh", ".json", ".npz", ".npy")]
    with source_of(BEFORE) as before, tempfile.TemporaryDirectory() as made:
        library = Path(made) / "library"
        sources = [path for paths in few for path in paths]
        make_library(sources, library, len(sources), args.seconds)
        runs = [(run_script(READ, before, str(library)), run_script(READ, ROOT / "src", str(library))) for _ in "ab"]
        checks = run_script(CHECKS, ROOT / "src", str(library))
        for end in runs[0][0]:
            files = list(library.glob(f"*{end}"))
            size = sum(file.stat().st_size for file in files) / 1e6
            was, now = (min(pair[k][end] for pair in runs) for k in (0, 1))
            print(
                f"{end}: {len(files)} files of {size / len(files):.2f} MB; before {size / was:.0f} MB/s, "
                f"{len(files) / was:.0f} files/s; now {size / now:.0f} MB/s, {len(files) / now:.0f} files/s; "
                f"ratio {was / now:.2f}"
            )
    for name, ms in checks.items():
        print(f"{name} of an array of joints: {ms:.1f} ms a clip (median)")


if __name__ == "__main__":
    main()
