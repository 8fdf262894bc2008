"""Plan footsteps along a path of the pelvis: walking, running, turning and stepping in any direction."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from research.vimos_open.synthesis.figure import SIDES, SIGN, Array, Channels, apply, highest_pelvis, jerk, rotation


@dataclass(frozen=True, slots=True)
class Style:
    """How someone steps: time of a step (s), share of a cycle a foot stands, lift (m), angles (degrees), bounce (m)."""

    step_time: float = 0.52
    duty: float = 0.62
    lift: float = 0.06
    heel_off: float = 32.0
    toe_up: float = 14.0
    arms: float = 22.0
    elbow: float = 18.0
    bounce: float = 0.012
    lean: float = 3.0
    run: bool = False


def path(
    ch: Channels, start: float, end: float, speed: float, direction: float, turn: float, turn_span: tuple[float, float]
) -> None:
    """Fill x, z, yaw of going at `speed` m/s from start to end (soft at both), `direction` degrees off the heading."""
    ramp = min(0.5, (end - start) / 3)
    t = ch.t
    pace = speed * jerk(np.clip((t - start) / ramp, 0, 1)) * (1.0 - jerk(np.clip((t - end + ramp) / ramp, 0, 1)))
    a, b = turn_span
    s = np.clip((t - a) / max(b - a, 1e-6), 0.0, 1.0)
    ch["yaw"] = ch["yaw"] + turn * jerk(s)
    way = np.radians(ch["yaw"] + direction)
    step = pace / ch.fps
    ch["x"] = ch["x"] + np.concatenate(
        ([0.0], np.cumsum(0.5 * (step[1:] * np.sin(way[1:]) + step[:-1] * np.sin(way[:-1]))))
    )
    ch["z"] = ch["z"] + np.concatenate(
        ([0.0], np.cumsum(0.5 * (step[1:] * np.cos(way[1:]) + step[:-1] * np.cos(way[:-1]))))
    )


def footsteps(ch: Channels, start: float, end: float, style: Style, first: str) -> list[tuple[float, str]]:
    """Plan and fill the feet for the path in the channels; gives the landings (time, side) of steps that go anywhere.

    A foot lands so that the pelvis passes over it in the middle of its stance; a foot that would hardly move stays.
    """
    stance = 2.0 * style.step_time * style.duty
    swing = 2.0 * style.step_time - stance
    last = float(ch.t[-1])
    sides = (first, "right" if first == "left" else "left")
    plans: dict[str, list[tuple[float, float]]] = {"left": [], "right": []}  # (lift-off, landing)
    landing, k = start + swing, 0
    done = {"left": False, "right": False}
    while not all(done.values()) and landing < last + 2.0:
        side = sides[k % 2]
        plans[side].append((landing - swing, landing))
        done[side] = landing + 0.5 * stance >= end
        landing, k = landing + style.step_time, k + 1
    landings: list[tuple[float, str]] = []
    for side in SIDES:
        landings += [(t, side) for t in _foot(ch, side, plans[side], stance, style)]
    _trunk(ch, start, end, style, min(p[0][1] for p in plans.values() if p))
    return sorted(landings)


def _at(ch: Channels, t: float, side: str) -> tuple[Array, float]:
    """Place a foot (ankle x, z, yaw) when the pelvis is as at time t."""
    yaw, x, z = (float(np.interp(t, ch.t, ch[name])) for name in ("yaw", "x", "z"))
    a = np.radians(yaw)
    across, back = SIGN[side] * (ch.body.hip_width + 0.015), float(ch.body.offsets[7, 2])
    place = np.array([x + across * np.cos(a) + back * np.sin(a), z - across * np.sin(a) + back * np.cos(a)])
    return place, yaw + SIGN[side] * 7.0


def _foot(ch: Channels, side: str, plan: list[tuple[float, float]], stance: float, style: Style) -> list[float]:
    t = ch.t
    toe = float(np.hypot(ch.body.offsets[10, 0], ch.body.offsets[10, 2]))
    ankle = ch.body.ankle
    place = np.array([ch[f"{side}_fx"][0], ch[f"{side}_fz"][0]])
    yaw = float(ch[f"{side}_fyaw"][0])
    pos = np.tile(np.array([place[0], ankle, place[1]]), (ch.frames, 1))
    yaws, pitch = np.full(ch.frames, yaw), np.zeros(ch.frames)
    landings = []
    for off, on in plan:
        target, new_yaw = _at(ch, on + 0.5 * stance, side)
        if np.hypot(*(target - place)) < 0.05 and abs(new_yaw - yaw) < 8.0:
            continue
        near = min(1.0, float(np.hypot(*(target - place))) / 0.5)  # short steps are flat and low
        heel = style.heel_off * near
        rise0 = off - 0.28 * stance
        s = jerk(np.clip((t - rise0) / (off - rise0), 0, 1))
        rising = (t >= rise0) & (t < off)
        pitch = np.where(rising, heel * s, pitch)
        pos = np.where(rising[:, None], _on_ball(place, yaw, heel * s, toe, ankle), pos)
        lifted = _on_ball(place, yaw, np.full(1, heel), toe, ankle)[0]
        u = np.clip((t - off) / (on - off), 0, 1)
        moving = (t >= off) & (t < on)
        up = style.toe_up * near
        # The heel meets the ground first: the ankle lands where the flat foot will have it.
        ground = np.array([target[0], ankle, target[1]])
        e = u**2 * (3 - 2 * u)
        swing = lifted + (ground - lifted) * e[:, None]
        arc = np.sin(np.pi * u) ** 1.5 * (1.0 - 0.35 * u)
        swing[:, 1] += (0.35 + 0.65 * near) * style.lift * arc
        pos = np.where(moving[:, None], swing, pos)
        pitch = np.where(
            moving,
            heel + (-up - heel) * jerk(np.clip(u * 1.15, 0, 1)) + (30.0 * near * arc if style.run else 0.0),
            pitch,
        )
        yaws = np.where(moving, yaw + (new_yaw - yaw) * e, yaws)
        after = t >= on
        pos = np.where(after[:, None], ground, pos)
        pitch = np.where(after, -up * (1.0 - jerk(np.clip((t - on) / (0.16 * stance), 0, 1))), pitch)
        yaws = np.where(after, new_yaw, yaws)
        if on <= t[-1]:
            landings.append(on)
        place, yaw = target, new_yaw
    ch[f"{side}_fx"], ch[f"{side}_fy"], ch[f"{side}_fz"] = pos.T
    ch[f"{side}_fyaw"], ch[f"{side}_fpitch"] = yaws, pitch
    return landings


def _on_ball(place: Array, yaw: float, pitch: Array, toe: float, ankle: float) -> Array:
    """Compute the ankle [T, 3] of a foot that turns about its ball by `pitch` degrees."""
    drop = np.array([0.0, -(ankle - 0.02), toe])
    turn = rotation(1, np.full(len(pitch), yaw))
    ball = np.array([place[0], ankle, place[1]]) + apply(turn, drop)
    return ball - apply(turn @ rotation(0, pitch), drop)


def _trunk(ch: Channels, start: float, end: float, style: Style, first_landing: float) -> None:
    """Fill the pelvis height within reach of both feet, its bounce and turn, and arms that swing against the legs."""
    t = ch.t
    on = jerk(np.clip((t - start) / 0.4, 0, 1)) * (1.0 - jerk(np.clip((t - end + 0.2) / 0.5, 0, 1)))
    stance = 2.0 * style.step_time * style.duty
    phase = 2 * np.pi * (t - first_landing - 0.5 * stance) / style.step_time
    yaw = np.radians(ch["yaw"])
    ahead = {s: (ch[f"{s}_fx"] - ch["x"]) * np.sin(yaw) + (ch[f"{s}_fz"] - ch["z"]) * np.cos(yaw) for s in SIDES}
    swing = gaussian_filter1d((ahead["left"] - ahead["right"]) / 0.6, 0.05 * ch.fps, mode="nearest")
    sign = -1.0 if style.run else 1.0
    height = ch["h"] + on * (sign * style.bounce * np.cos(phase) - style.bounce - (0.05 if style.run else 0.0))
    limit = highest_pelvis(ch)
    if style.run:
        # In flight neither leg reaches the ground, and need not.
        limit = np.maximum(limit, ch.body.stand - 0.05)
    limit = gaussian_filter1d(np.minimum(limit, ch.body.stand), 0.06 * ch.fps, mode="nearest") - 0.004
    ch["h"] = np.minimum(height, limit)
    ch["pitch"] = ch["pitch"] + on * style.lean
    ch["sp_twist"] = ch["sp_twist"] + 10.0 * swing * on
    ch["hd_yaw"] = ch["hd_yaw"] - 6.0 * swing * on
    ch["roll"] = ch["roll"] + on * 2.0 * np.sin(phase / 2.0)
    for side in SIDES:
        other = -SIGN[side]
        arm = other * swing * style.arms
        ch[f"{side}_el"] = ch[f"{side}_el"] + arm
        ch[f"{side}_bend"] = ch[f"{side}_bend"] + on * (style.elbow - 16.0) + 0.5 * np.maximum(arm, 0.0)
