"""Small made-up data and settings that the tests of training share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from vimonet.motion import Motion
from vimonet.motion.skeleton import CANONICAL_OFFSETS, PARENTS
from vimonet.training.config import TrainingConfig, make_config
from vimonet.vimos.parquet import Caption, Instruction, Record
from vimonet.vimos.types import Part

TINY = [
    "trainer.device=cpu",
    "trainer.bf16=false",
    "trainer.batch_size=4",
    "trainer.log_every=1",
    "trainer.save_every=2",
    "trainer.steps=4",
    "trainer.qa_pairs_per_clip=3",
    "language.hidden_size=32",
    "language.layers=2",
    "language.heads=4",
    "language.kv_heads=4",
    "language.intermediate_size=64",
    "language.vocab_size=400",
    "motion.width=16",
    "motion.code_dim=16",
    "motion.num_codes=16",
    "motion.depth=1",
]

TEXTS: list[Any] = [
    {"question": f"Which {part} is {state}?", "answer": f"The {side} {part}."}
    for part in ("arm", "leg")
    for side in ("left", "right")
    for state in ("raised", "moving", "still")
] + ["The person walks forward.", "The person turns 45 degrees to the left.", "Someone jumps twice."]


def tiny(output: Path, *overrides: str) -> TrainingConfig:
    return make_config({}, [*TINY, f"output={output}", *overrides])


def rest_pose() -> np.ndarray:
    joints = np.zeros((22, 3), np.float32)
    for joint in range(1, 22):
        joints[joint] = joints[PARENTS[joint]] + CANONICAL_OFFSETS[joint]
    return joints + np.float32([0, 0.95, 0])


class Clips:
    """Clips that move a wrist, every third in 2D, and (on request) samples of text alone."""

    def __init__(self, count: int = 12, *, text: bool = False, keypoints: bool = True) -> None:
        self.count, self.text, self.keypoints = count, text, keypoints

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng(index)
        turns = [
            ("Which arm moves?", "The left arm." if index % 2 else "The right arm."),
            ("How fast is it?", f"{index % 5} m/s"),
            ("Describe the movement.", "A person waves while walking."),
            ("Does it jump?", "no"),
        ]
        if self.text and index % 4 == 3:
            return {"joints": None, "qa_pairs": turns[:2], "source": "text"}
        frames = int(rng.integers(12, 40))
        joints = np.repeat(rest_pose()[None], frames, 0)
        joints[:, 20 if index % 2 else 21, 1] += np.sin(np.arange(frames) / 3) * 0.3
        joints[..., 2] += np.arange(frames)[:, None] * rng.uniform(0, 0.05)
        flat = self.keypoints and index % 3 == 1
        if flat:
            joints[..., 2] = 0
        confidence = None
        if index % 5 == 2:
            confidence = np.ones((frames, 22), np.float32)
            confidence[:, 18:] = 0
        return {
            "joints": joints.astype(np.float32),
            "confidence": confidence,
            "dimensions": 2 if flat else 3,
            "qa_pairs": turns,
            "source": "made up",
        }


def pair_record(index: int, split: str) -> Record:
    sample = Clips(40)[index]
    side = "left" if index % 2 else "right"
    motion = Motion(sample["joints"], name=f"{split}/{index}", dimensions=sample["dimensions"])
    half = motion.duration / 2
    actions = (Part(f"wave the {side} hand", 0.0, half), Part("walk", half, motion.duration))
    turned = Instruction("yes_no", "fact_yes_no", "Does it turn?", "yes", slots={"do": "turn to the left"})
    denied = Instruction("yes_no", "fact_yes_no", "Does it jump?", "no", slots={"do": "jump"})
    return Record(
        motion.name,
        "made up",
        f"recording {index // 2}",
        split,
        "none",
        None if index == 5 else motion,
        actions=actions if index % 4 else actions[:1],
        captions=(Caption(f"a person waves the {side} hand {index} times.", "people" if index < 12 else "kinematic"),)
        if index % 3
        else (),
        instructions=(turned, denied) if index % 2 else (),
    )


class LabelledClips(Clips):
    """Clips whose label follows the wrist that moves."""

    actions = ("raise the left hand", "walk")

    def __getitem__(self, index: int) -> Any:
        sample = super().__getitem__(index)
        left, right = (float(np.abs(np.diff(sample["joints"][:, wrist], axis=0)).sum()) for wrist in (20, 21))
        return {**sample, "spans": [(self.actions[int(right > left)], 0.0, 99.0)]}
