"""Perform actions that change the posture: sitting, crouching, kneeling, lying down, getting up, falling."""

from __future__ import annotations

from typing import Any

import numpy as np

from research.vimos_open.synthesis.figure import SIDES, SIGN, Array, Channels, Proportions, apply, ease, jerk, rotation
from research.vimos_open.synthesis.locomotion import Made


def sit_down(rng: np.random.Generator, body: Proportions, fps: float, rise: bool = False) -> Made:
    """Sit down on a chair (which is not drawn) and stay; with `rise`, stand up from it instead."""
    start, move, stay = rng.uniform(0.3, 0.7), rng.uniform(1.0, 1.7), rng.uniform(1.0, 2.0)
    ch = Channels(round((start + move + stay) * fps), fps, body)
    seat = body.shank + body.ankle + rng.uniform(-0.04, 0.05)
    back = rng.uniform(0.9, 1.05) * body.thigh
    # The way down: hips back first, trunk forward in the middle, upright at the end.
    s = jerk(np.clip((ch.t - start) / move, 0, 1))
    early = jerk(np.clip((ch.t - start) / (0.85 * move), 0, 1))
    lean = rng.uniform(30, 42) * np.sin(np.pi * s) ** 1.2 + rng.uniform(-4, 6) * s
    ch["h"] = body.stand + (seat + body.hip_drop - body.stand) * s
    ch["z"] = -back * early
    ch["pitch"], ch["sp_pitch"] = lean, 0.25 * lean
    ch["hd_pitch"] = -0.5 * lean
    on_thighs = rng.random() < 0.7
    for side in SIDES:
        ch[f"{side}_el"] = 4.0 + (28.0 if on_thighs else 8.0) * s + 25.0 * np.sin(np.pi * s)
        ch[f"{side}_bend"] = 16.0 + (55.0 if on_thighs else 10.0) * s
        ch[f"{side}_kout"] = 5.0 + 6.0 * s
    if rise:
        _reverse(ch)
    way = float(back)
    label, caption = (
        ("standing up", "A person stands up from a chair.") if rise else ("sitting down", "A person sits down.")
    )
    return ch, {
        "displacement": way,
        "displacement_angle": 0.0 if rise else 180.0,
        "end_posture": "standing" if rise else "sitting",
        "start_posture": "sitting" if rise else "standing",
        "label": label,
        "caption": caption,
        "neutral_start": not rise,
        "neutral_end": rise,
    }


def stand_up(rng: np.random.Generator, body: Proportions, fps: float) -> Made:
    """Stand up from a chair (which is not drawn)."""
    return sit_down(rng, body, fps, rise=True)


def _reverse(ch: Channels) -> None:
    for name in list(ch.curves):
        ch.curves[name] = ch.curves[name][::-1].copy()


def crouch(rng: np.random.Generator, body: Proportions, fps: float) -> Made:
    """Crouch down low, stay a while, and rise."""
    start, down, stay = rng.uniform(0.2, 0.5), rng.uniform(0.6, 1.1), rng.uniform(1.0, 2.2)
    t = (start, start + down, start + down + stay, start + 2 * down + stay)
    ch = Channels(round((t[3] + 0.3) * fps), fps, body)
    s = ease(ch.t, ((t[0], 0.0), (t[1], 1.0), (t[2], 1.0), (t[3], 0.0)))
    ch["h"] = body.stand * (1.0 - rng.uniform(0.48, 0.6) * s)
    heel = rng.uniform(0, 30)
    lean = rng.uniform(20, 38)
    ch["z"] = -(0.10 - 0.002 * heel) * s * body.leg
    ch["pitch"], ch["sp_pitch"], ch["hd_pitch"] = lean * s, 14.0 * s, -lean * s
    for side in SIDES:
        _heel_up(ch, side, heel * s)
        ch[f"{side}_el"], ch[f"{side}_bend"] = 4.0 + 50.0 * s, 16.0 + 45.0 * s
        ch[f"{side}_kout"] = 5.0 + 15.0 * s
    return ch, {"posture": "crouching", "label": "crouching", "caption": "A person crouches down and gets up again."}


def _heel_up(ch: Channels, side: str, pitch: Array) -> None:
    """Turn a standing foot about its ball."""
    toe = float(np.hypot(ch.body.offsets[10, 0], ch.body.offsets[10, 2]))
    drop = np.array([0.0, -(ch.body.ankle - 0.02), toe])
    turn = rotation(1, ch[f"{side}_fyaw"])
    shift = apply(turn, drop) - apply(turn @ rotation(0, pitch), drop)
    for i, axis in enumerate("xyz"):
        ch[f"{side}_f{axis}"] = ch[f"{side}_f{axis}"] + shift[:, i]
    ch[f"{side}_fpitch"] = pitch


def kneel(rng: np.random.Generator, body: Proportions, fps: float, side: str = "right") -> Made:
    """Kneel down on the knee of `side` (or on 'both'), stay, and stay down."""
    start, down, stay = rng.uniform(0.2, 0.5), rng.uniform(0.9, 1.3), rng.uniform(1.2, 2.4)
    t1 = start + 0.45 * down
    t2 = start + down
    both = side == "both"
    t3 = t2 + (0.6 if both else 0.0)
    ch = Channels(round((t3 + stay) * fps), fps, body)
    low = body.thigh + 0.06 + body.hip_drop
    ch.key("h", (start, body.stand), (t2, low))
    ch.key("pitch", (start, 0.0), (t1, 16.0), (t2, 4.0))
    first = "right" if both else side
    for s, a, b in ((first, start, t1 + 0.1 * down), *(((("left", t2, t3),)) if both else ())):
        back = -body.shank + float(body.offsets[7, 2])
        middle = 0.5 * (a + b)
        ch.key(f"{s}_fz", (a, float(body.offsets[7, 2])), (b, back))
        ch.key(f"{s}_fy", (a, body.ankle), (middle, body.ankle + 0.1), (b, 0.13), (max(t2, b), 0.07))
        ch.key(f"{s}_fpitch", (a, 0.0), (middle, 60.0), (b, 100.0), (max(t2, b), 145.0))
    if both:
        # Until it kneels too, the other foot stands in front of its hip.
        ch["left_fz"] = ch["left_fz"] + ease(ch.t, ((start, 0.0), (t1, 0.0), (t2, 0.0)))
    else:
        other = "left" if side == "right" else "right"
        ch.key(f"{other}_fz", (start + 0.05, float(body.offsets[7, 2])), (t1, 0.92 * body.thigh))
        ch.key(f"{other}_fy", (start + 0.05, body.ankle), (0.5 * (start + t1), body.ankle + 0.05), (t1, body.ankle))
        ch.both("el", (start, 4.0), (t2, rng.uniform(20, 35)))
        ch.both("bend", (start, 16.0), (t2, rng.uniform(40, 70)))
    what = "both knees" if both else f"the {side} knee"
    return ch, {
        "side": side,
        "posture": "kneeling",
        "end_posture": "kneeling",
        "label": f"kneeling on {what}",
        "caption": f"A person kneels down on {what}.",
        "neutral_end": False,
    }


def lie_down(rng: np.random.Generator, body: Proportions, fps: float, rise: bool = False) -> Made:
    """Squat, sit on the floor and lie back; with `rise`, get up from lying on the back instead."""
    start, stay = rng.uniform(0.3, 0.6), rng.uniform(1.0, 2.0)
    t = start + np.cumsum([0.0, rng.uniform(1.2, 1.6), rng.uniform(0.7, 1.0), rng.uniform(1.0, 1.4)])
    ch = Channels(round((t[3] + stay) * fps), fps, body)
    leg, z0 = body.leg, float(body.offsets[7, 2])
    ch.key("h", (t[0], body.stand), (t[1], 0.36 * body.stand), (t[2], 0.13), (t[3], 0.11))
    ch.key("z", (t[0], 0.0), (t[1], -0.2 * leg), (t[2], -0.55 * leg), (t[3], -0.6 * leg))
    ch.key("pitch", (t[0], 0.0), (t[1], 34.0), (t[2], -22.0), (t[3], -88.0))
    ch.key("sp_pitch", (t[0], 0.0), (t[1], 20.0), (t[2], 30.0), (t[3], 0.0))
    ch.key("hd_pitch", (t[0], 0.0), (t[1], -25.0), (t[2], 10.0), (t[3], 4.0))
    far = -0.6 * leg + 0.99 * leg
    bent = rng.random() < 0.35  # knees up when lying
    for s in SIDES:
        goal = z0 if bent else far
        ch.key(f"{s}_fz", (t[0], z0), (t[2], z0), (t[3], goal))
        ch.key(f"{s}_fy", (t[2], body.ankle), (t[3], body.ankle if bent else 0.07))
        ch.key(f"{s}_fpitch", (t[2], 0.0), (t[3], 0.0 if bent else -65.0))
        ch.key(f"{s}_el", (t[0], 4.0), (t[1], 45.0), (t[2], -35.0), (t[3], 2.0))
        ch.key(f"{s}_out", (t[0], 8.0), (t[2], 25.0), (t[3], 18.0))
        ch.key(f"{s}_bend", (t[0], 16.0), (t[1], 30.0), (t[2], 12.0), (t[3], 15.0))
    if rise:
        _reverse(ch)
    label, caption = ("lying down", "A person lies down on the back.")
    if rise:
        label, caption = "getting up from the floor", "A person lying on the back gets up from the floor."
    return ch, {
        "displacement": 0.6 * leg,
        "displacement_angle": 0.0 if rise else 180.0,
        "posture": "lying",
        "end_posture": "standing" if rise else "lying",
        "start_posture": "lying" if rise else "standing",
        "label": label,
        "caption": caption,
        "neutral_start": not rise,
        "neutral_end": rise,
    }


def get_up(rng: np.random.Generator, body: Proportions, fps: float) -> Made:
    """Get up from lying on the back."""
    return lie_down(rng, body, fps, rise=True)


def fall(rng: np.random.Generator, body: Proportions, fps: float, direction: str = "forward") -> Made:
    """Lose balance and fall 'forward', 'backward', to the 'left' or to the 'right', and stay down."""
    start, time, stay = rng.uniform(0.4, 1.0), rng.uniform(0.6, 0.8), rng.uniform(1.2, 2.2)
    ch = Channels(round((start + time + stay) * fps), fps, body)
    u = np.clip((ch.t - start) / time, 0.0, 1.0)
    # A body that topples gains speed all the way down and stops at once; the knees give way on the way.
    s = np.clip(u**2.1, 0, 1)
    buckle = np.sin(np.pi * np.clip(u * 1.05, 0, 1))
    lean = np.radians(88.0 * s)
    give = 0.16 if direction != "backward" else 0.34
    length = (body.stand - body.ankle) * (1.0 - give * buckle)
    along, height = length * np.sin(lean), body.ankle + length * np.cos(lean)
    ch["h"] = np.maximum(height, 0.115)
    settle = 1.0 - 0.06 * np.exp(-((ch.t - start - time) * 6.0).clip(0)) * np.cos(
        (ch.t - start - time).clip(0) * 18.0
    ) * (u >= 1)
    tilt = 88.0 * s * settle
    end = jerk(np.clip((u - 0.35) / 0.65, 0, 1))
    if direction in ("forward", "backward"):
        sign = 1.0 if direction == "forward" else -1.0
        ch["z"], ch["pitch"] = sign * along, sign * tilt
        ch["hd_pitch"] = -sign * 22.0 * end
        ch["sp_pitch"] = -8.0 * end if sign > 0 else 25.0 * buckle
        for side in SIDES:
            if sign > 0:
                _heel_up(ch, side, 70.0 * s)
                ch[f"{side}_el"], ch[f"{side}_bend"] = 4.0 + 125.0 * end, 16.0 + 40.0 * end + 30.0 * buckle
                ch[f"{side}_out"], ch[f"{side}_by"] = 8.0 + 10.0 * end, 0.8 * end
            else:
                ch[f"{side}_el"], ch[f"{side}_out"] = 4.0 + 40.0 * buckle - 8.0 * end, 8.0 + 45.0 * end
                ch[f"{side}_fpitch"] = -35.0 * end
                ch[f"{side}_bend"] = 16.0 + 30.0 * buckle
    else:
        sign = SIGN[direction]
        ch["x"], ch["roll"] = sign * along, -sign * tilt
        ch["sp_roll"], ch["hd_pitch"] = sign * 10.0 * buckle, 8.0 * end
        for side in SIDES:
            near = side == direction
            ch[f"{side}_el"] = 4.0 + (70.0 if near else 35.0) * end
            ch[f"{side}_az"] = (20.0 if near else -10.0) * end
            ch[f"{side}_out"] = 8.0 + (-22.0 * end if near else 35.0 * buckle)
            ch[f"{side}_bend"] = 16.0 + 50.0 * end
            ch[f"{side}_fy"] = ch[f"{side}_fy"] + (0.0 if near else 0.11) * end
            ch[f"{side}_fpitch"] = 35.0 * end
    where = direction if direction in ("forward", "backward") else f"to the {direction}"
    truth: dict[str, Any] = {
        "side": direction if direction in SIGN else None,
        "direction": direction,
        "displacement": float(np.hypot(ch["x"][-1], ch["z"][-1])),
        "displacement_angle": {"forward": 0.0, "left": 90.0, "backward": 180.0, "right": -90.0}[direction],
        "fall": True,
        "end_posture": "lying",
        "label": f"falling {where}",
        "caption": f"A person falls {where} and stays on the ground.",
        "neutral_end": False,
    }
    return ch, truth
