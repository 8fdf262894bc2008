"""Procedural movements as clips: free of any licence, and the only source of many falls and low postures."""

from __future__ import annotations

from vimonet.vimos.types import Clip

_PER_ACTION = {"train": (0, 60), "val": (10_000, 3), "test": (20_000, 6)}

_PHRASES = {
    "stand": "stand still",
    "walk": "walk",
    "run": "run",
    "walk_backward": "walk",
    "side_step": "step sideways",
    "turn_walking": "walk and turn {side}",
    "turn_in_place": "turn {side} on the spot",
    "crawl": "crawl on hands and knees",
    "wave": "wave {hand}",
    "raise_hand": "raise {hand}",
    "punch": "punch",
    "clap": "clap",
    "kick": "kick",
    "bow": "bow",
    "squats": "squat",
    "jumps": "jump",
    "jumping_jacks": "do jumping jacks",
    "sit_down": "sit down",
    "stand_up": "stand up",
    "crouch": "crouch",
    "kneel": "kneel",
    "lie_down": "lie down",
    "get_up": "get up from the floor",
    "fall": "fall",
}
"""Generator's action -> action phrase, in the words of the recorded corpora where they have the action."""


def synthetic_clips(split: str) -> list[Clip]:
    """Generated clips of a split, of every action alike; splits differ in their seeds."""
    from vimonet.vimos.synthesis import generate

    first, count = _PER_ACTION.get(split, (0, 0))
    clips = []
    for action, phrase in _PHRASES.items():
        for seed in range(first, first + count):
            motion, truth = generate(action, seed=seed)
            side = truth.get("side")
            hand = "both hands" if side == "both" else f"the {side} hand"
            name = f"synthetic/{action}-{seed}"
            told = phrase.format(side=side, hand=hand)
            clips.append(
                Clip(name, "synthetic", name, split, motion.named(name), told, licence="Apache-2.0 (generated)")
            )
    return clips
