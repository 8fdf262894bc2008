"""Measure the speed of HumanML3D features and VQ-VAE tokens on 10,000 clips, against recorded reference speeds.

    python benchmarks/library.py [--clips 10000] [--json]

The reference is the published code: feature preparation, and T2M-GPT's encoder clip by clip, as recorded in
``../shared/data/golden/baseline_speeds.json`` or, without that file, its figures for the same kind of machine. Batches
of 64 clips are timed: features in numpy on one core, the encoder (random weights of the published shape: width 512, 512
codes) on two threads as the reference, or on a GPU if present. 512 clips of 200 frames are generated from a seed and
repeated. The limit of the encoder is its number of operations at the measured speed of matrix products.
"""

from __future__ import annotations

import argparse
import json
import time

from features import BASELINES, FRAMES, RECORDED, clips  # before numpy: it holds numpy to one core

# isort: split
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from vimonet.model import MotionVQVAE, MotionVQVAEConfig
from vimonet.motion.features.humanml3d_features import bone_offsets, humanml3d_features

BATCH, DIFFERENT, THREADS = 64, 512, 2
ENCODER_CLIPS_PER_S = 79.8  # recorded: encode_x, full size, 1 x 196


def recorded() -> tuple[float, float]:
    """Return the reference's clips per second: features, encoder."""
    features, encoder = RECORDED["features"], ENCODER_CLIPS_PER_S
    if BASELINES.is_file():
        for row in json.loads(BASELINES.read_text())["rows"]:
            if row["what"].startswith("process_file T=200") and row.get("threads") == 1:
                features = row["clips_per_s"]
            if row["what"].startswith("VQ-VAE encode_x full size, 1x196") and row.get("threads") == THREADS:
                encoder = 1 / row["s"]
    return features, encoder


def matrix_flops(device: torch.device) -> float:
    """Measure the FLOP/s of a float32 product of square matrices."""
    a = torch.randn(1024, 1024, device=device)
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        a @ a
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * 1024**3 / best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=10_000, help="how many go through (default: 10000)")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.set_num_threads(THREADS)
    joints = clips(DIFFERENT, FRAMES)
    target = bone_offsets(joints[0, 0])
    batches = -(-options.clips // BATCH)
    torch.manual_seed(0)
    model = MotionVQVAE(MotionVQVAEConfig(input_dim=263)).to(device).eval()
    spent = {"features": 0.0, "encoder": 0.0}
    humanml3d_features(joints[:BATCH], target)
    with torch.inference_mode():
        for number in range(batches):
            start = (number * BATCH) % DIFFERENT
            part = joints[start : start + BATCH]
            began = time.perf_counter()
            features = humanml3d_features(part, target)
            halfway = time.perf_counter()
            codes = model.encode(torch.from_numpy(np.asarray(features, np.float32)).to(device))
            codes.cpu()
            spent["features"] += halfway - began
            spent["encoder"] += time.perf_counter() - halfway
        with FlopCounterMode(display=False) as counted:
            model.encode(torch.from_numpy(np.asarray(features, np.float32)).to(device))
    done = batches * BATCH
    speeds = {name: done / value for name, value in spent.items()}
    theirs = dict(zip(("features", "encoder"), recorded(), strict=True))
    limit = matrix_flops(device) / (counted.get_total_flops() / BATCH)
    both = done / sum(spent.values()) * sum(1 / speed for speed in theirs.values())
    result = {
        "clips": done,
        **{f"{name}_clips_per_s": speed for name, speed in speeds.items()},
        **{f"{name}_ratio": speed / theirs[name] for name, speed in speeds.items()},
        "both_ratio": both,
        "encoder_limit_clips_per_s": limit,
        "threads": torch.get_num_threads(),
    }
    if options.json:
        print(json.dumps(result))
        return
    for name, speed in speeds.items():
        bound = f"; matrix products allow {limit:.0f}" if name == "encoder" else ""
        print(
            f"{name:9} {speed:8.0f} clips/s   {speed / theirs[name]:6.1f} x the reference's {theirs[name]:.0f}{bound}"
        )
    print(
        f"both      {done / sum(spent.values()):8.0f} clips/s   {both:6.1f} x, {done:,} clips in "
        f"{sum(spent.values()):.0f} s"
    )


if __name__ == "__main__":
    main()
