"""Small recordings written by the tests themselves."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from vimonet.motion.skeleton import CANONICAL_OFFSETS, JOINT_NAMES, PARENTS, T_POSE

LAFAN = [
    "Hips",
    "LeftUpLeg",
    "RightUpLeg",
    "Spine",
    "LeftLeg",
    "RightLeg",
    "Spine1",
    "LeftFoot",
    "RightFoot",
    "Spine2",
    "LeftToe",
    "RightToe",
    "Neck",
    "LeftShoulder",
    "RightShoulder",
    "Head",
    "LeftArm",
    "RightArm",
    "LeftForeArm",
    "RightForeArm",
    "LeftHand",
    "RightHand",
]


def bvh_text(
    rotations: np.ndarray,
    root: np.ndarray,
    *,
    names: list[str] | None = None,
    order: str = "ZXY",
    positions_everywhere: bool = False,
    scale: float = 100.0,
    frame_time: str = "0.05",
    declared: int | None = None,
    reverse_children: bool = False,
    skip: tuple[str, ...] = (),
    turn: np.ndarray | None = None,
) -> str:
    """A BVH of the canonical skeleton.

    rotations: [T, 22, 3] degrees, one per letter of ``order``; root: [T, 3] metres;
    turn: [3, 3] applied to every offset and to the root.
    """
    names = names or LAFAN
    turn = np.eye(3) if turn is None else turn
    offsets = CANONICAL_OFFSETS.astype(float) @ turn.T * scale
    root = root @ turn.T * scale
    lines: list[str] = []
    sequence: list[int] = []

    def write(joint: int, depth: int) -> None:
        pad = "  " * depth
        sequence.append(joint)
        lines.append(f"{pad}{'ROOT' if joint == 0 else 'JOINT'} {names[joint]}")
        lines.append(f"{pad}{{\n{pad}  OFFSET " + " ".join(f"{v:.6f}" for v in offsets[joint]))
        rotation = " ".join(f"{letter}rotation" for letter in order)
        if joint == 0 or positions_everywhere:
            lines.append(f"{pad}  CHANNELS 6 Xposition Yposition Zposition {rotation}")
        else:
            lines.append(f"{pad}  CHANNELS 3 {rotation}")
        children = [c for c, p in enumerate(PARENTS) if p == joint and JOINT_NAMES[c] not in skip]
        for child in reversed(children) if reverse_children else children:
            write(child, depth + 1)
        if not children:
            lines.append(f"{pad}  End Site\n{pad}  {{\n{pad}    OFFSET 0 0 0\n{pad}  }}")
        lines.append(f"{pad}}}")

    write(0, 0)
    rows = []
    for frame in range(len(rotations)):
        row: list[float] = []
        for joint in sequence:
            if joint == 0:
                row += list(root[frame])
            elif positions_everywhere:
                row += list(offsets[joint])
            row += list(rotations[frame, joint])
        rows.append(" ".join(f"{v:.6f}" for v in row))
    count = len(rotations) if declared is None else declared
    return "\n".join(["HIERARCHY", *lines, "MOTION", f"Frames: {count}", f"Frame Time: {frame_time}", *rows, ""])


def walk_like(frames: int, seed: int = 0, degrees: float = 25.0) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random rotations [T, 22, 3] in degrees and a root path [T, 3] at standing height."""
    rng = np.random.default_rng(seed)
    time = np.arange(frames)[:, None, None] / 20
    phase, speed = rng.uniform(0, 6.28, (22, 3)), rng.uniform(0.5, 1.5, (22, 3))
    rotations = degrees * rng.uniform(0.2, 1, (22, 3)) * np.sin(6.28 * speed * time + phase)
    rotations[:, 0] *= 0.3
    root = np.stack([0.3 * np.sin(time[:, 0, 0]), np.full(frames, 0.95), time[:, 0, 0]], axis=1)
    return rotations, root


def standing_bvh(frames: int = 8, **options: Any) -> str:
    rotations, root = walk_like(frames)
    return bvh_text(rotations, root, **options)


def person_2d(names: tuple[str, ...], frames: int = 30, width: float = 640, height: float = 480) -> np.ndarray:
    """[T, K, 3] pixels and confidence of a person facing the camera who raises the left hand."""
    from vimonet.motion.joint_names import map_joints

    body = np.repeat(T_POSE[None], frames, axis=0).astype(float)
    body[:, :, 1] += 0.95
    lift = np.linspace(0, 0.5, frames)
    body[:, 20, 1] += lift
    pixels = np.zeros((frames, len(names), 3))
    pixels[..., 2] = 0.9
    mapping = map_joints(names)
    face = {
        "nose": (0, 0.05),
        "left_ear": (0.07, 0.07),
        "right_ear": (-0.07, 0.07),
        "left_eye": (0.03, 0.09),
        "right_eye": (-0.03, 0.09),
    }
    for joint, index in mapping.items():
        if joint in JOINT_NAMES:
            place = body[:, JOINT_NAMES.index(joint), :2]
        elif joint in face:
            place = body[:, 15, :2] + np.array(face[joint])
        else:
            continue
        pixels[:, index, 0] = width / 2 + 200 * place[:, 0]
        pixels[:, index, 1] = height - 40 - 200 * place[:, 1]
    return pixels


def dump(value: Any) -> bytes:
    return json.dumps(value).encode()
