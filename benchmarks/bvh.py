"""Measure the speed of reading BVH, in MB/s and against numpy's parse of the numbers alone in the same run.

Usage: python benchmarks/bvh.py FILE.bvh [copies of its frames]
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from vimonet.motion import load
from vimonet.motion.io.bvh_text import parse_numbers


def best(work: Callable[[], object], repeats: int = 5) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


SAMPLE = Path(__file__).parents[1] / "src" / "vimonet" / "samples" / "walk_turn_wave.bvh"


def main() -> None:
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else SAMPLE
    copies = int(sys.argv[2]) if len(sys.argv) > 2 else 20
    data = path.read_bytes()
    line = data.index(b"\n", data.index(b"Frame Time")) + 1
    head, block = data[:line], data[line:].rstrip() + b"\n"
    # Repeat the frames to a long recording, and adapt the declared count.
    before, _, after = head.partition(b"Frames:")
    count = int(after.split()[0]) * copies
    long = before + b"Frames: %d\n" % count + after.split(b"\n", 1)[1] + block * copies
    megabytes = len(block) * copies / 1e6
    plain = best(lambda: np.fromstring(block * copies, sep=" "))
    numbers, whole = best(lambda: parse_numbers(block * copies, path.name)), best(lambda: load(long))
    print(f"{path.name} x {copies}: {megabytes:.1f} MB, {count} frames")
    print(f"numbers   {megabytes / numbers:6.1f} MB/s")
    print(f"load      {megabytes / whole:6.1f} MB/s ({whole * 1e3:.0f} ms)")
    print(f"load takes {whole / plain:.2f} times as long as numpy takes for the numbers alone")


if __name__ == "__main__":
    main()
