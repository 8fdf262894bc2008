"""Procedural movements as clips: the licence-free part of the training data, and the only one with many falls and low postures."""

from __future__ import annotations

from vimonet.motion.synthesis import ACTIONS, generate
from vimonet.vimos.schema import Clip

_PER_ACTION = {"train": (0, 24), "val": (10_000, 3), "test": (20_000, 6)}


def synthetic_clips(split: str) -> list[Clip]:
    """Generated clips of a split; splits differ in their seeds."""
    first, count = _PER_ACTION[split]
    clips = []
    for action in ACTIONS:
        for seed in range(first, first + count):
            motion, facts = generate(action, seed=seed)
            name = f"synthetic/{action}-{seed}"
            clips.append(Clip(name, "synthetic", name, split, motion.named(name), facts.get("phrase"), licence="Apache-2.0 (generated)"))
    return clips
