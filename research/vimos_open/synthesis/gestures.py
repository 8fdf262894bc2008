"""Perform actions on the spot: waves, raised hands, punches, claps, kicks, bows, squats, jumps."""

from __future__ import annotations

import numpy as np

from research.vimos_open.synthesis.figure import SIDES, SIGN, Array, Channels, Proportions, ease, highest_pelvis, jerk
from research.vimos_open.synthesis.locomotion import Made

GRAVITY = 9.81
_NUMBER = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def times(count: int) -> str:
    """Write a number of times: 'once', 'twice', 'three times' ..."""
    return {1: "once", 2: "twice"}.get(count, f"{_NUMBER[count] if count <= 10 else count} times")


def _sides(side: str) -> tuple[str, ...]:
    return SIDES if side == "both" else (side,)


def _hands(side: str) -> str:
    return "both hands" if side == "both" else f"the {side} hand"


def stand(rng: np.random.Generator, body: Proportions, fps: float, duration: float | None = None) -> Made:
    """Stand still."""
    ch = Channels(round((duration or rng.uniform(2.0, 5.0)) * fps), fps, body)
    return ch, {"label": "standing still", "caption": "A person stands still.", "posture": "standing"}


def wave(
    rng: np.random.Generator, body: Proportions, fps: float, side: str = "right", count: int | None = None
) -> Made:
    """Raise one hand (or 'both') and wave it `count` times, from the elbow or overhead."""
    n, period = count or int(rng.integers(3, 8)), rng.uniform(0.45, 0.8)
    up, start = rng.uniform(0.5, 0.8), rng.uniform(0.2, 0.6)
    ch = Channels(round((start + 2 * up + n * period + 0.5) * fps), fps, body)
    a, b = start + up, start + up + n * period
    overhead = rng.random() < 0.35
    swing, level = rng.uniform(16, 26), rng.uniform(75, 105)
    for s in _sides(side):
        phase = 2 * np.pi * (ch.t - a) / period
        fade = jerk(np.clip((ch.t - a) / 0.15, 0, 1)) * (1 - jerk(np.clip((ch.t - b + 0.15) / 0.15, 0, 1)))
        curve = np.sin(phase) * fade
        if overhead:
            _lift(ch, s, start, a, b, b + up, el=rng.uniform(140, 155), az=85.0, bend=20.0, up=True)
            ch[f"{s}_el"] = ch[f"{s}_el"] - 0.8 * swing * curve
        else:
            _lift(ch, s, start, a, b, b + up, el=level, az=rng.uniform(55, 85), bend=rng.uniform(70, 90), up=True)
            ch[f"{s}_bend"] = ch[f"{s}_bend"] + 1.3 * swing * curve
    return ch, {
        "side": side,
        "raised": side,
        "count": n,
        "label": f"waving {_hands(side)}",
        "caption": f"A person waves {_hands(side)} {times(n)}.",
    }


def _lift(
    ch: Channels, s: str, t0: float, t1: float, t2: float, t3: float, *, el: float, az: float, bend: float, up: bool
) -> None:
    """Lift an arm from hanging (t0) to a raised pose (t1..t2) and back (t3); t3 <= t2 keeps it up."""
    down = t3 > t2
    rest = {"el": 4.0, "az": 0.0, "bend": 16.0, "bx": -0.25, "by": 0.0, "bz": 1.0, "out": 8.0}
    goal = {
        "el": el,
        "az": az,
        "bend": bend,
        "bx": -0.2 if up else -0.4,
        "by": 1.0 if up else 0.3,
        "bz": 0.25,
        "out": 0.0,
    }
    for name, value in goal.items():
        # The direction of the raise is taken early, the bend of the elbow follows.
        keys = [(t0, rest[name]), (t1, value), (t2, value)] + ([(t3, rest[name])] if down else [])
        if name == "az":
            keys[0] = (t0, value)
            keys[-1] = (keys[-1][0], value)
        ch.key(f"{s}_{name}", *keys)


def raise_hand(rng: np.random.Generator, body: Proportions, fps: float, side: str = "left", hold: bool = False) -> Made:
    """Raise one hand (or 'both'), keep it up, lower it unless `hold`."""
    start, up, rest = rng.uniform(0.2, 0.7), rng.uniform(0.5, 1.0), rng.uniform(0.6, 2.0)
    ch = Channels(round((start + up + rest + (0.2 if hold else up + 0.4)) * fps), fps, body)
    level, az, bend = rng.uniform(125, 172), rng.uniform(0, 85), rng.uniform(5, 35)
    a, b = start + up, start + up + rest
    for s in _sides(side):
        _lift(ch, s, start, a, b, b if hold else b + up, el=level + rng.normal(0, 3), az=az, bend=bend, up=True)
    lean = {"left": 1.0, "right": -1.0}.get(side, 0.0)
    ch.key("sp_roll", (start, 0.0), (a, 3.0 * lean), (b, 3.0 * lean), (b + up, 0.0))
    return ch, {
        "side": side,
        "raised": side,
        "label": f"raising {_hands(side)}",
        "caption": f"A person raises {_hands(side)}"
        + ("." if hold else " and lowers it again." if side != "both" else " and lowers them again."),
        "neutral_end": not hold,
    }


def punch(
    rng: np.random.Generator, body: Proportions, fps: float, side: str = "right", count: int | None = None
) -> Made:
    """Punch forward with one fist `count` times, or with 'both' in turn."""
    n, period, start = count or int(rng.integers(1, 5)), rng.uniform(0.6, 0.95), rng.uniform(0.2, 0.5)
    guard = start + 0.45
    end = guard + n * period
    ch = Channels(round((end + 0.9) * fps), fps, body)
    for name, rest, value in (("el", 4, 28), ("bend", 16, 125), ("bx", -0.25, -0.35), ("by", 0, 0.5), ("out", 8, 14)):
        ch.both(name, (start, rest), (guard, value), (end, value), (end + 0.5, rest))
    reach = rng.uniform(78, 92)
    for i in range(n):
        s = side if side != "both" else SIDES[(i + 1) % 2]
        t0 = guard + i * period
        hit, back = t0 + 0.38 * period, t0 + 0.85 * period
        for name, value, out in (("el", 28.0, reach), ("bend", 125.0, 8.0)):
            ch[f"{s}_{name}"] = ch[f"{s}_{name}"] + ease(
                ch.t, ((t0 + 0.1 * period, 0.0), (hit, out - value), (back, 0.0))
            )
        ch["sp_twist"] = ch["sp_twist"] + ease(ch.t, ((t0, 0.0), (hit, -SIGN[s] * 24.0), (back, 0.0)))
        ch["hd_yaw"] = ch["hd_yaw"] - ease(ch.t, ((t0, 0.0), (hit, -SIGN[s] * 18.0), (back, 0.0)))
    fist = "both fists in turn" if side == "both" else f"the {side} fist"
    return ch, {
        "side": side,
        "count": n,
        "label": f"punching with {fist}",
        "caption": f"A person punches forward with {fist} {times(n)}.",
    }


def clap(rng: np.random.Generator, body: Proportions, fps: float, count: int | None = None) -> Made:
    """Clap the hands in front of the chest `count` times."""
    n, period, start = count or int(rng.integers(3, 8)), rng.uniform(0.4, 0.7), rng.uniform(0.2, 0.5)
    a = start + 0.5
    b = a + n * period
    ch = Channels(round((b + 0.9) * fps), fps, body)
    wide = rng.uniform(0.14, 0.22)
    u = np.clip((ch.t - a) / period, 0, n)
    gap = 0.03 + (wide - 0.03) * np.cos(np.pi * u) ** 2
    for s in SIDES:
        ch.key(f"{s}_hw", (start, 0.0), (a, 1.0), (b, 1.0), (b + 0.5, 0.0))
        ch[f"{s}_hx"], ch[f"{s}_hy"], ch[f"{s}_hz"] = gap, -rng.uniform(0.12, 0.14), 0.36 * body.leg / 0.82
        ch.key(f"{s}_el", (start, 4.0), (a, 35.0), (b, 35.0), (b + 0.5, 4.0))
        ch.key(f"{s}_bend", (start, 16.0), (a, 80.0), (b, 80.0), (b + 0.5, 16.0))
    return ch, {"side": "both", "count": n, "label": "clapping", "caption": f"A person claps {times(n)}."}


def kick(
    rng: np.random.Generator, body: Proportions, fps: float, side: str = "right", height: float | None = None
) -> Made:
    """Kick forward with one leg; `height` of the ankle at its highest, m."""
    top = height if height is not None else rng.uniform(0.3, 0.85) * body.leg
    start, back, hit, down = (
        rng.uniform(0.3, 0.6),
        rng.uniform(0.4, 0.55),
        rng.uniform(0.22, 0.32),
        rng.uniform(0.5, 0.7),
    )
    t = (start, start + back, start + back + hit, start + back + hit + down)
    ch = Channels(round((t[3] + 0.7) * fps), fps, body)
    sign, z0, y0 = SIGN[side], float(body.offsets[7, 2]), body.ankle
    far = float(np.sqrt(max((0.97 * body.leg) ** 2 - (body.stand - body.hip_drop - top) ** 2, 0.04)))
    ch.key(f"{side}_fz", (t[0], z0), (t[1], -0.28), (t[2], far), (t[3], z0))
    ch.key(f"{side}_fy", (t[0], y0), (t[1], y0 + 0.2), (t[2], top), (t[3], y0))
    ch.key(f"{side}_fpitch", (t[0], 0.0), (t[1], 45.0), (t[2], -15.0), (t[3], 0.0))
    ch.key("x", (t[0] - 0.3, 0.0), (t[1], -sign * body.hip_width), (t[2], -sign * body.hip_width), (t[3] + 0.2, 0.0))
    ch.key("pitch", (t[0], 0.0), (t[1], 5.0), (t[2], -12.0), (t[3], 0.0))
    ch["h"] = ch["h"] - ease(ch.t, ((t[0] - 0.3, 0.0), (t[1], 0.02), (t[3], 0.02), (t[3] + 0.3, 0.0)))
    for s in SIDES:
        ahead = 25.0 if s != side else -25.0
        ch.key(f"{s}_el", (t[0], 4.0), (t[1], -ahead), (t[2], ahead), (t[3], 4.0))
        ch.key(f"{s}_out", (t[0], 8.0), (t[1], 30.0), (t[2], 35.0), (t[3], 8.0))
        ch.key(f"{s}_bend", (t[0], 16.0), (t[1], 40.0), (t[3], 16.0))
    return ch, {
        "side": side,
        "height": float(top),
        "label": f"kicking with the {side} leg",
        "caption": f"A person kicks forward with the {side} leg.",
    }


def bow(rng: np.random.Generator, body: Proportions, fps: float, degrees: float | None = None) -> Made:
    """Bow from the hips and the back by `degrees` of the trunk."""
    angle = degrees if degrees is not None else rng.uniform(35, 80)
    start, down, hold = rng.uniform(0.2, 0.5), rng.uniform(0.7, 1.2), rng.uniform(0.3, 1.0)
    t = (start, start + down, start + down + hold, start + 2 * down + hold)
    ch = Channels(round((t[3] + 0.4) * fps), fps, body)
    for name, share in (("pitch", 0.62), ("sp_pitch", 0.52), ("hd_pitch", 0.15)):
        ch.key(name, (t[0], 0.0), (t[1], share * angle), (t[2], share * angle), (t[3], 0.0))
    ch.key("z", (t[0], 0.0), (t[1], -0.0016 * angle), (t[2], -0.0016 * angle), (t[3], 0.0))
    ch["h"] = ch["h"] - ease(ch.t, ((t[0], 0.0), (t[1], 0.012), (t[2], 0.012), (t[3], 0.0)))
    if rng.random() < 0.5:  # hands slide down the thighs; else they stay at the sides of the trunk
        ch.both("el", (t[0], 4.0), (t[1], angle * 0.7), (t[2], angle * 0.7), (t[3], 4.0))
    return ch, {"trunk_bend": float(angle), "label": "bowing", "caption": "A person bows."}


def squats(
    rng: np.random.Generator, body: Proportions, fps: float, count: int | None = None, depth: float | None = None
) -> Made:
    """Squat `count` times; `depth` = share of the standing height the pelvis loses."""
    n, share = count or int(rng.integers(1, 7)), depth or rng.uniform(0.33, 0.48)
    start, down, up, rest = rng.uniform(0.3, 0.6), rng.uniform(0.6, 0.9), rng.uniform(0.55, 0.85), rng.uniform(0.1, 0.3)
    cycle = down + up + rest
    ch = Channels(round((start + n * cycle + 0.4) * fps), fps, body)
    amount = np.zeros(ch.frames)
    for i in range(n):
        t0 = start + i * cycle
        amount += ease(ch.t, ((t0, 0.0), (t0 + down, 1.0), (t0 + down + up, 0.0))) * rng.uniform(0.94, 1.0)
    ch["h"] = ch["h"] - share * body.stand * amount
    ch["z"] = -0.14 * amount * body.leg
    lean = rng.uniform(22, 36)
    ch["pitch"], ch["sp_pitch"], ch["hd_pitch"] = lean * amount, 8.0 * amount, -0.8 * lean * amount
    wide, arms = rng.uniform(0.02, 0.1), str(rng.choice(["forward", "chest", "hang"]))
    for s in SIDES:
        ch[f"{s}_fx"] = ch[f"{s}_fx"] + SIGN[s] * wide
        ch[f"{s}_fyaw"] = ch[f"{s}_fyaw"] + SIGN[s] * 10.0
        ch[f"{s}_kout"] = 5.0 + 18.0 * amount
        if arms == "forward":
            ch[f"{s}_el"] = 4.0 + (rng.uniform(85, 100) + lean * 0.3) * amount
        elif arms == "chest":
            ch[f"{s}_el"], ch[f"{s}_bend"], ch[f"{s}_bx"], ch[f"{s}_by"] = 30.0, 125.0, -0.9, 0.5
        else:
            ch[f"{s}_el"] = 4.0 + lean * amount
    ch["h"] = np.minimum(ch["h"], highest_pelvis(ch))
    what = "a squat" if n == 1 else f"{_NUMBER[n] if n <= 10 else n} squats"
    return ch, {
        "count": n,
        "depth": float(share),
        "label": "doing squats",
        "caption": f"A person does {what}.",
        "neutral_start": False,
        "neutral_end": False,
    }


def jumps(
    rng: np.random.Generator,
    body: Proportions,
    fps: float,
    count: int | None = None,
    height: float | None = None,
    distance: float = 0.0,
) -> Made:
    """Jump `count` times, `height` m high, `distance` m forward each."""
    n, rise = count or int(rng.integers(1, 6)), height or rng.uniform(0.12, 0.35)
    flight, start = 2 * np.sqrt(2 * rise / GRAVITY), rng.uniform(0.3, 0.6)
    dip, push, land, rest = (
        rng.uniform(0.3, 0.4),
        rng.uniform(0.18, 0.24),
        rng.uniform(0.18, 0.24),
        rng.uniform(0.35, 0.5),
    )
    cycle = dip + push + flight + land + rest
    ch = Channels(round((start + n * cycle + 0.4) * fps), fps, body)
    depth, toe = rng.uniform(0.16, 0.28) * body.leg, 0.07
    drop, air, tip, forward, arms = (np.zeros(ch.frames) for _ in range(5))
    offs, ons = [], []
    for i in range(n):
        t0 = start + i * cycle
        off, on = t0 + dip + push, t0 + dip + push + flight
        drop += ease(ch.t, ((t0, 0.0), (t0 + dip, depth), (off, 0.0)))
        drop += ease(ch.t, ((on, 0.0), (on + land, 0.75 * depth), (on + land + rest, 0.0)))
        s = np.clip((ch.t - off) / flight, 0, 1)
        air += 4 * rise * s * (1 - s)
        tip += ease(ch.t, ((t0 + dip, 0.0), (off, 1.0), (on, 0.8), (on + 0.12, 0.0)))
        forward += distance * s
        arms += ease(ch.t, ((t0, 0.0), (t0 + dip, -0.35), (off + 0.05, 1.0), (on + land, 0.1), (on + land + rest, 0.0)))
        offs.append(off)
        ons.append(on)
    ch["h"] = ch["h"] - drop + air + toe * tip
    ch["z"] = forward - 0.25 * drop
    ch["pitch"], ch["sp_pitch"], ch["hd_pitch"] = 95.0 * drop, 30.0 * drop, -60.0 * drop
    reach = rng.uniform(40, 130)
    for side in SIDES:
        ch[f"{side}_fz"] = ch[f"{side}_fz"] + forward
        ch[f"{side}_fy"] = ch[f"{side}_fy"] + air + toe * tip
        ch[f"{side}_fpitch"] = 32.0 * tip
        ch[f"{side}_el"] = 4.0 + reach * arms
        ch[f"{side}_bend"] = 16.0 + 25.0 * np.abs(arms)
    what = "jumps" if not distance else "jumps forward"
    return ch, {
        "count": n,
        "jumps": n,
        "height": float(rise),
        "displacement": n * distance,
        "label": "jumping" if not distance else "jumping forward",
        "caption": f"A person {what} {times(n)}.",
        "take_offs": offs,
        "landings": ons,
    }


def jumping_jacks(rng: np.random.Generator, body: Proportions, fps: float, count: int | None = None) -> Made:
    """Do jumping jacks: feet apart and hands overhead, and back, `count` times."""
    n, period, start = count or int(rng.integers(2, 8)), rng.uniform(0.9, 1.25), rng.uniform(0.3, 0.6)
    ch = Channels(round((start + n * period + 0.6) * fps), fps, body)
    u = np.clip((ch.t - start) / period, 0, n)
    opened: Array = np.sin(np.pi * u) ** 2
    hop = np.clip(np.sin(2 * np.pi * u) ** 2 - 0.25, 0, None) / 0.75 * rng.uniform(0.07, 0.12)
    wide, top = rng.uniform(0.2, 0.32), rng.uniform(150, 172)
    dip = 0.05 * (np.cos(2 * np.pi * u) ** 2 - (u % 1 == 0))
    for s in SIDES:
        ch[f"{s}_fx"] = ch[f"{s}_fx"] + SIGN[s] * wide * opened
        ch[f"{s}_fy"] = ch[f"{s}_fy"] + hop
        ch[f"{s}_fpitch"] = np.clip(hop / 0.05, 0, 1) * 25.0
        ch[f"{s}_el"] = 4.0 + (top - 4.0) * opened
        ch[f"{s}_az"], ch[f"{s}_bend"], ch[f"{s}_by"] = 88.0, 16.0 + 8.0 * opened, opened
    ch["h"] = ch["h"] - np.clip(dip, 0, None) + hop
    ch["h"] = np.minimum(ch["h"], highest_pelvis(ch) - 0.01)
    what = "jumping jack" if n == 1 else "jumping jacks"
    return ch, {
        "count": n,
        "raised": "both",
        "label": "doing jumping jacks",
        "caption": f"A person does {_NUMBER[n] if n <= 10 else n} {what}.",
    }
