"""A small world to check the benchmark in: bodies that raise a hand or walk, and an assistant that looks at joints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vimonet.motion import Motion
from vimonet.motion.skeleton import CANONICAL_OFFSETS, JOINT_NAMES, PARENTS
from vimonet.vimos.types import Item

LEFT, RIGHT, HEAD = (JOINT_NAMES.index(name) for name in ("left_wrist", "right_wrist", "head"))


@dataclass
class FakeAnswer:
    text: str
    confidence: float | None = 0.9


def body(side: str | None = None, walks: bool = False, frames: int = 24, jitter: int = 0) -> Motion:
    """A standing body that raises one hand over time, or walks ahead."""
    rest = np.zeros((22, 3), np.float32)
    for joint, parent in enumerate(PARENTS):
        rest[joint] = CANONICAL_OFFSETS[joint] + (rest[parent] if parent >= 0 else 0)
    joints = np.repeat(rest[None], frames, axis=0)
    ramp = np.linspace(0, 1, frames, dtype=np.float32)[:, None]
    if side is not None:
        wrist = LEFT if side == "left" else RIGHT
        joints[:, wrist, 1:2] += ramp * (rest[HEAD, 1] + 0.2 - rest[wrist, 1])
    if walks:
        joints[:, :, 2] += 1.5 * ramp
    joints += np.random.default_rng(jitter).normal(0, 0.0005, joints.shape).astype(np.float32)
    return Motion(joints.astype(np.float32))


@dataclass
class Observer:
    """Answers from the joints; without a movement it guesses "left hand" and "yes". Counts what it is asked."""

    asked: int = 0
    batches: list[int] = field(default_factory=list)
    fail_after: int | None = None
    name: str = "observer"

    def ask_batch(self, questions: Sequence[tuple[str, Motion | None]], **_: Any) -> list[FakeAnswer]:
        if self.fail_after is not None and self.asked >= self.fail_after:
            raise KeyboardInterrupt
        self.asked += len(questions)
        self.batches.append(len(questions))
        return [self._answer(*question) for question in questions]

    def _answer(self, question: str, motion: Motion | None) -> FakeAnswer:
        if "Describe" in question:
            walks = motion is not None and np.ptp(motion.joints[:, 0, 2]) > 0.5
            return FakeAnswer("a person walks forward." if walks else "a person stands.")
        if motion is None:
            return FakeAnswer("Yes." if "Does" in question else "The left hand.", 0.5)
        height = {side: np.ptp(motion.joints[:, wrist, 1]) for side, wrist in (("left", LEFT), ("right", RIGHT))}
        walks = np.ptp(motion.joints[:, 0, 2]) > 0.5
        if "Does" in question:
            return FakeAnswer("Yes, the person does." if walks else "no")
        if max(height.values()) < 0.1:
            return FakeAnswer("I cannot tell", 0.3)
        return FakeAnswer(f"The {max(height, key=lambda side: height[side])} hand.")


def make_items(source: str = "here", n: int = 12, first: int = 0) -> list[Item]:
    """n recordings, each asked which hand, whether it walks, and for a caption."""
    items = []
    for k in range(first, first + n):
        side, walks = ("left", "right")[k % 2], k % 3 == 0
        motion, recording = body(side, walks, 16 + k % 5, k), f"r{k}"
        wording = "unseen" if k % 4 == 0 else "seen"
        common = {"source": source, "recording": recording, "motion": motion}
        hand = {"kind": "raised", "form": "raised", "answer": f"the {side} hand", "wording": wording}
        yes = {"kind": "yes_no", "form": "yes_no", "answer": "yes" if walks else "no", "wording": "seen"}
        told = ["a person walks ahead.", "someone walks forward."] if walks else ["a person stands still.", "standing."]
        items += [
            Item(f"{source}/{recording}/hand", question="Which hand is raised?", **hand, **common),
            Item(f"{source}/{recording}/walk", question="Does the person walk?", **yes, **common),
            Item(
                f"{source}/{recording}/caption",
                question="Describe the movement.",
                kind="caption",
                form="caption",
                answer=told[0],
                evidence={"references": told},
                **common,
            ),
        ]
    return items
