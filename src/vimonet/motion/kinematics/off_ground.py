"""Find the times in which the hands carry the body: hanging from a bar, climbing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics.preparation import (
    ANKLE,
    FOOT,
    HIP,
    KNEE,
    PELVIS,
    SHOULDER,
    SIDES,
    WRIST,
    Array,
    Body,
    norm,
    runs,
    smooth,
    unit,
)

OFF = 0.25  # leg lengths of the lowest foot over the floor
GRIP, GRIP_TIME = 0.12, 0.6  # leg lengths that a hand which holds on moves, in s
OVERHEAD = 0.2  # arm lengths of a wrist above its shoulder
LASTS = 0.5  # s
CARRIED = ("hanging", "climbing", "sitting")


def carried(body: Body) -> dict[str, NDArray[np.bool_]]:
    """Tell the frames in which the body hangs by its hands, climbs, or sits high: name out of CARRIED -> bool [T].

    Both feet are 0.25 leg lengths over the floor for longer than a jump lasts, and a hand keeps its place to 0.12 leg
    lengths for 0.6 s. The body hangs if both hands do so above their shoulders while no foot rests and the legs swing
    for a third of the time. Else it climbs if the pelvis gets over its standing height and moves against the hand at
    over 0.35 leg lengths/s for 0.4 s, which people who stand or step on something high do not. With level thighs and a
    pelvis at rest it sits on something.
    """
    joints, fps, leg = body.joints, body.fps, body.leg
    feet = [ANKLE["left"], ANKLE["right"], FOOT["left"], FOOT["right"]]
    off = joints[:, feet, 1].min(axis=1) - body.floor > OFF * leg
    out = {name: np.zeros(body.frames, dtype=bool) for name in CARRIED}
    long = [(a, b) for a, b in runs(off) if b - a > 1.1 * fps]  # 1.1 s of flight would need a height of 1.5 m
    if not long:
        return out
    up = np.zeros(body.frames, dtype=bool)
    for a, b in long:
        up[a:b] = True
    grips, overhead = [], []
    for side in SIDES:
        wrist = joints[:, WRIST[side]]
        grips.append(_stays(wrist, GRIP * leg, round(GRIP_TIME * fps)))
        overhead.append(wrist[:, 1] - joints[:, SHOULDER[side], 1] > OVERHEAD * body.arm)
    rest = smooth(body.pace[:, feet].min(axis=1), 0.1, fps) < 0.15 * leg
    swings = body.pace[:, feet[:2]].max(axis=1) > 0.4 * leg
    pulled = (grips[0] | grips[1]) & (body.pace[:, PELVIS] > 0.35 * leg)
    high = (joints[:, PELVIS, 1] - body.floor) > 1.15 * body.stand
    close = round(fps)
    thighs = np.stack([-unit(joints[:, KNEE[s]] - joints[:, HIP[s]])[:, 1] for s in SIDES]).mean(axis=0)
    sits = (thighs < 0.64) & (body.tilt < 60.0) & (smooth(body.pace[:, PELVIS], 0.2, fps) < 0.25 * leg)
    sits = up & _closed(sits, close)
    hangs = _closed(up & grips[0] & grips[1] & overhead[0] & overhead[1] & ~rest, close) & up & ~sits
    climbs = _closed(up & (grips[0] | grips[1]), close) & up
    for a, b in runs(hangs):
        out["hanging"][a:b] = b - a >= LASTS * fps and swings[a:b].mean() > 1 / 3
    for a, b in runs(climbs):
        if b - a >= LASTS * fps and high[a:b].any() and pulled[a:b].sum() >= 0.4 * fps:
            out["climbing"][a:b] = ~(out["hanging"] | sits)[a:b]
    for a, b in runs(sits):
        out["sitting"][a:b] = b - a >= LASTS * fps
    return out


def _stays(point: Array, reach: float, frames: int) -> NDArray[np.bool_]:
    """Tell the frames [T] around which a point [T, 3] stays within `reach` of its place for `frames`."""
    half = max(1, frames // 2)
    padded = np.pad(point, [(half, half), (0, 0)], mode="edge")
    apart = [norm(padded[k : k + len(point)] - point) for k in range(2 * half + 1)]
    return np.max(apart, axis=0) < reach


def _closed(mask: NDArray[np.bool_], gap: int) -> NDArray[np.bool_]:
    """Fill the gaps of a mask that are shorter than `gap` frames."""
    mask = mask.copy()
    for a, b in runs(~mask):
        if a > 0 and b < len(mask) and b - a < gap:
            mask[a:b] = True
    return mask
