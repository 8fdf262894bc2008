"""Measure the speed of the HumanML3D features: clips (200 frames) per second on one core, singly and in batches of 64.

    python benchmarks/features.py [--json]

The reference is the published preparation code (``process_file``: skeleton, placing, features) on the same kind of
machine: ``../shared/data/golden/baseline_speeds.json`` if present, else its figure of 55 clips/s. The timing includes
retargeting to the target skeleton. Needs no data: the clips are generated from a seed.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path

# One core, as in the reference; numpy reads these variables on import.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402

from vimonet.motion.features.humanml3d_features import bone_offsets, humanml3d_features, humanml3d_joints  # noqa: E402
from vimonet.motion.skeleton import CANONICAL_OFFSETS, PARENTS  # noqa: E402

FRAMES, BATCH = 200, 64
RECORDED = {"features": 55.0, "joints": 3334.0}
BASELINES = Path(__file__).resolve().parents[2] / "shared" / "data" / "golden" / "baseline_speeds.json"


def clips(count: int, frames: int, seed: int = 0) -> np.ndarray:
    """Generate smoothly moving skeletons [count, frames, 22, 3]: oscillating random joint angles and a moving root."""
    rng = np.random.default_rng(seed)
    t = np.arange(frames) / 20.0
    joints = np.zeros((count, frames, 22, 3))
    rate, phase = rng.uniform(0.2, 1.5, (2, count, 22, 3, 1))
    swing = 0.35 * np.sin(2 * np.pi * (rate * t + phase)).transpose(0, 3, 1, 2)
    joints[:, :, 0] = np.cumsum(rng.normal(0, 0.005, (count, frames, 3)), axis=1) + np.array([0.0, 0.95, 0.0])
    for joint in range(1, 22):
        length = np.linalg.norm(CANONICAL_OFFSETS[joint])
        direction = CANONICAL_OFFSETS[joint] / length + swing[:, :, joint]
        direction /= np.linalg.norm(direction, axis=-1, keepdims=True)
        joints[:, :, joint] = joints[:, :, PARENTS[joint]] + length * direction
    return joints.astype(np.float32)


def clips_per_second(work: Callable[[], object], count: int, repeats: int) -> float:
    """Time ``repeats`` runs after one warm-up; return the median speed."""
    work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return count / float(np.median(seconds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--repeats", type=int, default=15, help="timed runs; their median counts (default: 15)")
    options = parser.parse_args()
    recorded = dict(RECORDED)
    if BASELINES.is_file():
        rows = {row["what"]: row for row in json.loads(BASELINES.read_text())["rows"]}
        for key, what in (("features", "process_file T=200"), ("joints", "recover_from_ric T=199")):
            row = next((row for name, row in rows.items() if name.startswith(what) and row.get("threads") == 1), None)
            recorded[key] = row["clips_per_s"] if row else recorded[key]

    data = clips(BATCH, FRAMES)
    target = bone_offsets(data[0, 0])
    features = humanml3d_features(data, target)
    work: dict[str, tuple[Callable[[], object], str]] = {
        "features, one by one": (lambda: [humanml3d_features(clip, target) for clip in data], "features"),
        f"features, batches of {BATCH}": (lambda: humanml3d_features(data, target), "features"),
        "joints, one by one": (lambda: [humanml3d_joints(clip) for clip in features], "joints"),
        f"joints, batches of {BATCH}": (lambda: humanml3d_joints(features), "joints"),
    }
    results = []
    for name, (run, key) in work.items():
        speed = clips_per_second(run, BATCH, options.repeats)
        results.append(
            {"what": name, "clips_per_s": speed, "reference_clips_per_s": recorded[key], "ratio": speed / recorded[key]}
        )
    if options.json:
        print(json.dumps({"frames": FRAMES, "threads": 1, "numpy": np.__version__, "results": results}))
        return
    print(f"T = {FRAMES}, one core, median of {options.repeats}, numpy {np.__version__}")
    for row in results:
        print(
            f"{row['what']:26} {row['clips_per_s']:8.0f} clips/s   {row['ratio']:6.1f} x the reference's "
            f"{row['reference_clips_per_s']:.0f}"
        )


if __name__ == "__main__":
    main()
