"""Print what the fall detector sees of recordings, a quarter of a second at a time: for falls missed and false alarms.

    python -m research.falls.show --root RECORDINGS --poses FILM_POSES s2_fall_14 RL_Avatar_Fall_Left_Motion>5

Lengths are in body lengths (trunk and leg), times in s, the tilt of the trunk in degrees from upright; a drop ends with
its probability and measures.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from research.falls.material import Sample, films, mocap_falls, ordinary, upfall
from vimonet.motion.kinematics import falling
from vimonet.motion.kinematics.preparation import VISIBLE

STEP = 0.25


def show(sample: Sample) -> None:
    """Print height, tilt, speed, shape and visibility of the body over time, and the drops."""
    motion = sample.motion
    seen = np.ones(motion.joints.shape[:2], bool) if motion.confidence is None else motion.confidence > VISIBLE
    scale, legs = falling.body_length(motion.joints, seen, motion.dimensions == 2)
    fall = "nobody falls" if sample.fall is None else "falls {:.1f}-{:.1f} s".format(*sample.fall)
    print(f"{sample.name} ({sample.label}; {fall}): {motion.duration:.1f} s, legs {'seen' if legs else 'unseen'}")
    print("   time  neck/feet  hips/feet  tilt  trunk  down/s  wide/high  trunk, head, ankles seen")
    sinks = -np.gradient(motion.joints[:, 12, 1]) * motion.fps / scale if motion.frames > 1 else np.zeros(1)
    for at in np.arange(0, motion.duration, STEP):
        rows = slice(round(at * motion.fps), max(round(at * motion.fps) + 1, round((at + STEP) * motion.fps)))
        if not len(motion.joints[rows]):
            break
        body, share = np.median(motion.joints[rows], axis=0) / scale, seen[rows].mean(axis=0)
        feet, trunk = min(body[7, 1], body[8, 1]), body[12] - body[0]
        long = max(float(np.linalg.norm(trunk)), 1e-6)
        shown = body[share > 0.5]
        wide = np.ptp(shown[:, 0]) / max(np.ptp(shown[:, 1]), 1e-3) if len(shown) > 2 else float("nan")
        print(
            f"{at:7.2f}{body[12, 1] - feet:11.2f}{body[0, 1] - feet:11.2f}{np.degrees(np.arccos(trunk[1] / long)):6.0f}"
            f"{long:7.2f}{sinks[rows].mean():8.2f}{wide:11.2f}  "
            f"{share[[1, 2, 16, 17]].mean():.2f}, {share[15]:.2f}, {share[[7, 8]].mean():.2f}"
        )
    for drop in falling.drops(motion.joints, motion.confidence, motion.fps, motion.dimensions == 2):
        measures = " ".join(f"{name}={value:.2f}" for name, value in zip(falling.FEATURES, drop.features, strict=True))
        print(
            f"   drop {drop.start / motion.fps:.2f}-{drop.end / motion.fps:.2f} s: {drop.probability:.3f}; {measures}"
        )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--poses", type=Path, required=True)
    parser.add_argument("names", nargs="+", help="parts of the names of recordings")
    args = parser.parse_args(argv)
    few = itertools.chain(mocap_falls(args.root), upfall(args.root), films(args.root, args.poses))
    for sample in itertools.chain(few, ordinary("test", args.root)):
        if any(name in sample.name for name in args.names):
            show(sample)


if __name__ == "__main__":
    main()
