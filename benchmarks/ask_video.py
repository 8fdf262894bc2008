"""Time pose estimation and a cold `vimonet ask CLIP.mp4 QUESTION` on plain video, relative to the video's length.

    python benchmarks/ask_video.py CLIP [CLIP ...] [-m MODEL] [--json]

Each clip is asked in a process of its own with an empty cache folder, so that loading Python, the model and the
estimator counts; pose estimation alone is timed in this process with the estimator loaded. A first run, in which Python
compiles its files, is not counted. Processor seconds are printed beside wall seconds, since other load on the machine
does not affect them. Needs the extra `pose`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from vimonet.motion.pose import estimate, estimator_of
from vimonet.utils.errors import InputError
from vimonet.video import probe


def pose_seconds(path: Path) -> tuple[int, float, float]:
    """Estimate the keypoints; return the number of frames, wall seconds and processor seconds."""
    estimator = estimator_of()
    wall, processor = time.perf_counter(), time.process_time()
    poses = estimate(path, lambda: estimator)
    return len(poses.points), time.perf_counter() - wall, time.process_time() - processor


def ask_seconds(path: Path, model: str | None) -> tuple[float, float]:
    """Run the command line with an empty cache; return wall and processor seconds."""
    # Keep Python's compiled files, as on a user's machine.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-m", "vimonet", "ask", str(path), "What is the person doing?"]
    with tempfile.TemporaryDirectory() as cache:
        start, before = time.perf_counter(), _children()
        done = subprocess.run(
            [*command, *(["-m", model] if model else [])],
            env={**kept, "XDG_CACHE_HOME": cache},
            capture_output=True,
            text=True,
        )
        seconds, processor = time.perf_counter() - start, _children() - before
    if done.returncode:
        raise InputError(f"{path}: {done.stderr.strip().splitlines()[-1]}")
    return seconds, processor


def _children() -> float:
    """Return the processor seconds of the child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(paths: Sequence[Path], model: str | None) -> list[dict[str, float | int | str]]:
    """Time each clip; one row per clip."""
    rows: list[dict[str, float | int | str]] = []
    ask_seconds(paths[0], model)
    for path in paths:
        info = probe(path)
        frames, pose, pose_cpu = pose_seconds(path)
        ask, ask_cpu = ask_seconds(path, model)
        rows.append(
            {
                "clip": path.name,
                "width": info.width,
                "height": info.height,
                "seconds": info.duration,
                "pose_frames_per_s": frames / pose,
                "pose_s": pose,
                "pose_cpu_s": pose_cpu,
                "ask_s": ask,
                "ask_cpu_s": ask_cpu,
                "ask_share": ask / info.duration,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("clips", nargs="+", type=Path, metavar="CLIP", help="video files")
    parser.add_argument("-m", "--model", help="model folder (default: the shipped one)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    rows = measure(options.clips, options.model)
    if options.json:
        print(json.dumps({"cores": os.cpu_count(), "load": os.getloadavg()[0], "clips": rows}))
        return
    print("| clip | size | length | keypoints | processor | ask, cold | processor | of its length |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    for row in rows:
        cells = [str(row["clip"]), f"{row['width']}x{row['height']}", f"{row['seconds']:.1f} s"]
        cells += [f"{row['pose_frames_per_s']:.0f} frames/s", f"{row['pose_cpu_s']:.1f} s", f"{row['ask_s']:.1f} s"]
        cells += [f"{row['ask_cpu_s']:.1f} s", f"{row['ask_share']:.2f}"]
        print(f"| {' | '.join(cells)} |")
    keys = ("seconds", "pose_s", "pose_cpu_s", "ask_s", "ask_cpu_s")
    length, pose, pose_cpu, ask, ask_cpu = (sum(float(row[key]) for row in rows) for key in keys)
    print(
        f"\nall {len(rows)}, {length:.1f} s of video: keypoints {pose:.1f} s (processor {pose_cpu:.1f} s), "
        f"ask {ask:.1f} s (processor {ask_cpu:.1f} s), {ask / length:.2f} of their length"
    )


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"ask_video: {error}")
