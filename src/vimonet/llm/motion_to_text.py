"""Describe a motion as text, for a language model without a motion encoder.

Level ``facts`` holds the measured facts; ``series`` adds joint angles and trajectory over time. The text leaves out the
recording's name, because file names reveal answers. Angles and lengths are whole degrees and centimetres, because finer
digits cost tokens without describing the movement better.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from vimonet.motion.kinematics import Facts, heading, measure
from vimonet.motion.kinematics.limbs import knee_flexion, own_frame
from vimonet.motion.kinematics.preparation import (
    ANKLE,
    ELBOW,
    HIP,
    KNEE,
    NECK,
    PELVIS,
    SHOULDER,
    SIDES,
    WRIST,
    Array,
    Body,
    prepare,
    unit,
)
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.motion import Motion

LEVELS = ("facts", "series")
LEAST_TOKENS = {"facts": 100, "series": 900}

_TOKEN = re.compile(r"\d{1,3}|[^\W\d_]{1,6}|[^\w\s]|_|\n")
_EVENT = re.compile(r"\d-\d|\d s, \d")

_LEGEND_3D = """\
Columns: t = time in s. ahead, left = place of the pelvis on the ground in cm, as seen from the first frame's place and
facing. hips = height of the pelvis above the floor in cm. head = heading in degrees, + turned to the left. lean = trunk
from upright in degrees. knee, hip, elbow = bend in degrees, 0 is straight. arm = upper arm from the trunk in degrees, 0
hangs down, 180 points up. hand_fwd, hand_out, hand_up = wrist in front of, outward from and above its shoulder in cm.
foot_fwd, foot_up = ankle in front of the pelvis, and above the floor, in cm. _L and _R are the person's own left and
right."""
_LEGEND_2D = """\
Columns: t = time in s. x, y = place of the pelvis in the image, in hundredths of the trunk's length, from the first
frame, right and up. knee, hip, elbow = bend in the image in degrees, 0 is straight. arm = upper arm from the trunk in
the image in degrees. hand_x, hand_up = wrist to the right of and above its shoulder, foot_x, foot_up = ankle to the
right of and above the pelvis, in hundredths of the trunk's length. _L and _R are the person's own left and right."""


def describe_motion(
    motion: Motion, level: str = "series", *, rate: float = 4.0, max_tokens: int = 2000, facts: Facts | None = None
) -> str:
    """Describe a movement as text; equal movements give equal texts.

    Args:
        motion: joints [T, 22, 3], 3D or 2D.
        level: ``facts`` or ``series``.
        rate: rows per second of the series, lowered to fit the budget.
        max_tokens: token budget, as `count_tokens` counts.
        facts: facts of the movement; None measures them.

    Raises:
        InputError: the level is unknown, the rate is not positive, or the budget is too small.
    """
    if level not in LEVELS:
        raise InputError(f"motion as text has no level {level!r}; there are {' and '.join(LEVELS)}.")
    if max_tokens < LEAST_TOKENS[level]:
        raise InputError(
            f"{max_tokens} tokens are too few to describe a motion with {level}; give {LEAST_TOKENS[level]} or more."
        )
    if not (np.isfinite(rate) and rate > 0):
        raise InputError(f"the rate of the series is {rate}; expected a positive number of rows per second.")
    kind = "3D joints" if motion.dimensions == 3 else "2D keypoints of an image"
    opening = f"A recording of one person: {kind}, {motion.duration:.2f} s.\nMeasured facts:\n"
    lines = (facts if facts is not None else measure(motion)).lines()
    room = max_tokens - count_tokens(opening)
    listed = _fit_facts(lines, room if level == "facts" else min(room, max_tokens // 3))
    text = opening + listed
    if level == "series":
        text += "\n" + _series(motion, rate, max_tokens - count_tokens(text) - 1)
    return text


def count_tokens(text: str) -> int:
    """Estimate the tokens of a text for common vocabularies, on the high side.

    Up to three digits, up to six letters, a punctuation mark and a line break count one each.
    """
    return len(_TOKEN.findall(text))


def _fit_facts(lines: Sequence[str], room: int) -> str:
    """Keep as many facts as fit, in order; facts about single moments are dropped first, from the last on."""
    costs = [count_tokens(line) + 2 for line in lines]
    if sum(costs) <= room:
        return "\n".join(f"- {line}" for line in lines)
    room -= 12  # tokens of the line with the number of missing facts
    keep: list[int] = []
    for i in sorted(range(len(lines)), key=lambda i: (bool(_EVENT.search(lines[i])), i)):
        room -= costs[i]
        if room < 0:
            break
        keep.append(i)
    kept = [f"- {lines[i]}" for i in sorted(keep)]
    return "\n".join([*kept, f"- ({len(lines) - len(keep)} further facts left out)"])


def _series(motion: Motion, rate: float, room: int) -> str:
    body = prepare(motion)
    columns = _columns_2d(body) if motion.dimensions == 2 else _columns_3d(body)
    legend = _LEGEND_2D if motion.dimensions == 2 else _LEGEND_3D
    header = ",".join(["t", *columns])
    table = np.stack(list(columns.values()), axis=1)
    last = (body.frames - 1) / body.fps
    times = np.arange(int(last * rate + 1e-9) + 1) / rate

    def write(times: Array) -> str:
        at = np.clip(np.round(times * body.fps).astype(int), 0, body.frames - 1)
        values = np.round(table[at]).astype(int).tolist()
        rows = [f"{t:.2f}," + ",".join(map(str, row)) for t, row in zip(times, values, strict=True)]
        opening = f"Over time, a row every {times[1]:.2f} s:" if len(times) > 1 else "At the first frame:"
        return "\n".join([opening, legend, header, *rows])

    text = write(times)
    while len(times) > 1 and (excess := count_tokens(text) - room) > 0:
        per_row = count_tokens(text.rsplit("\n", 1)[1]) + 1
        # Drop half of the excess at a time, because the dropped rows may be the longest.
        times = np.linspace(0.0, last, max(1, len(times) - max(1, excess // (2 * per_row))))
        text = write(times)
    return text


def _bend(joints: Array, a: int, b: int, c: int) -> Array:
    """Compute the angle between a-b and b-c, degrees [T]."""
    first, second = unit(joints[:, b] - joints[:, a]), unit(joints[:, c] - joints[:, b])
    return np.degrees(np.arccos(np.clip(np.einsum("ti,ti->t", first, second), -1.0, 1.0)))


def _limb_angles(body: Body) -> dict[str, Array]:
    """Compute flexion of knees, hips and elbows and elevation of the arms, degrees [T] each, for seen limbs."""
    joints, out = body.joints, {}
    knees = knee_flexion(joints)
    down = unit(joints[:, PELVIS] - joints[:, NECK])

    def from_trunk(a: int, b: int) -> Array:
        along = unit(joints[:, b] - joints[:, a])
        return np.degrees(np.arccos(np.clip(np.einsum("ti,ti->t", along, down), -1.0, 1.0)))

    for side in SIDES:
        mark = side[0].upper()
        if body.seen[f"{side} leg"]:
            out[f"knee_{mark}"] = knees[side]
            out[f"hip_{mark}"] = from_trunk(HIP[side], KNEE[side])
        if body.seen[f"{side} arm"]:
            out[f"elbow_{mark}"] = _bend(joints, SHOULDER[side], ELBOW[side], WRIST[side])
            out[f"arm_{mark}"] = from_trunk(SHOULDER[side], ELBOW[side])
    return out


def _columns_3d(body: Body) -> dict[str, Array]:
    angle = heading(body.joints, body.fps)
    local = own_frame(body, angle)
    way = body.joints[:, PELVIS] - body.joints[0, PELVIS]
    sin, cos = np.sin(angle[0]), np.cos(angle[0])
    columns = {
        "ahead": 100 * (way[:, 0] * sin + way[:, 2] * cos),
        "left": 100 * (way[:, 0] * cos - way[:, 2] * sin),
        "hips": 100 * (body.joints[:, PELVIS, 1] - body.floor),
        "head": np.degrees(angle - angle[0]),
        "lean": body.tilt,
        **_limb_angles(body),
    }
    for side, outward in zip(SIDES, (1.0, -1.0), strict=True):
        mark = side[0].upper()
        if body.seen[f"{side} arm"]:
            hand = 100 * (local[:, WRIST[side]] - local[:, SHOULDER[side]])
            columns |= {f"hand_fwd_{mark}": hand[:, 2], f"hand_out_{mark}": outward * hand[:, 0]}
            columns[f"hand_up_{mark}"] = hand[:, 1]
        if body.seen[f"{side} leg"]:
            columns[f"foot_fwd_{mark}"] = 100 * local[:, ANKLE[side], 2]
            columns[f"foot_up_{mark}"] = 100 * (body.joints[:, ANKLE[side], 1] - body.floor)
    return columns


def _columns_2d(body: Body) -> dict[str, Array]:
    joints = 200 * body.joints  # the trunk measures 0.5, so 100 is one trunk
    way = joints[:, PELVIS] - joints[0, PELVIS]
    columns = {"x": way[:, 0], "y": way[:, 1], **_limb_angles(body)}
    for side in SIDES:
        mark = side[0].upper()
        if body.seen[f"{side} arm"]:
            hand = joints[:, WRIST[side]] - joints[:, SHOULDER[side]]
            columns |= {f"hand_x_{mark}": hand[:, 0], f"hand_up_{mark}": hand[:, 1]}
        if body.seen[f"{side} leg"]:
            foot = joints[:, ANKLE[side]] - joints[:, PELVIS]
            columns |= {f"foot_x_{mark}": foot[:, 0], f"foot_up_{mark}": foot[:, 1]}
    return columns
