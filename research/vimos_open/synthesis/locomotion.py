"""Perform actions that go somewhere: walking, running, stepping aside, turning, crawling."""

from __future__ import annotations

from typing import Any

import numpy as np

from research.vimos_open.synthesis.figure import SIDES, SIGN, Array, Channels, Proportions, jerk
from research.vimos_open.synthesis.gait import Style, footsteps, path

Truth = dict[str, Any]
Made = tuple[Channels, Truth]


def _walk_style(rng: np.random.Generator, step_time: float, **change: float) -> Style:
    values: dict[str, float] = {
        "step_time": step_time,
        "duty": rng.uniform(0.58, 0.64),
        "lift": rng.uniform(0.04, 0.08),
        "heel_off": rng.uniform(25, 38),
        "arms": rng.uniform(12, 32),
        "elbow": rng.uniform(12, 35),
        "bounce": rng.uniform(0.008, 0.016),
        "lean": rng.uniform(1, 6),
    }
    return Style(**{**values, **change})  # type: ignore[arg-type]


def travel(
    rng: np.random.Generator,
    body: Proportions,
    fps: float,
    *,
    speed: float,
    direction: float = 0.0,
    turn: float = 0.0,
    duration: float | None = None,
    run: bool = False,
) -> Made:
    """Go at `speed` m/s, `direction` degrees off the heading, turning by `turn` degrees on the way."""
    size = body.leg / 0.82
    if run:
        style = _walk_style(rng, rng.uniform(0.33, 0.38), duty=0.36, lift=rng.uniform(0.2, 0.3), heel_off=50.0)
        style = Style(
            style.step_time,
            0.36,
            style.lift,
            50.0,
            4.0,
            rng.uniform(28, 42),
            rng.uniform(75, 95),
            0.03,
            rng.uniform(6, 12),
            True,
        )
    elif abs(direction) == 90.0:
        # Feet must not cross: a step aside is at most the width of the hips.
        step = rng.uniform(0.4, 0.5)
        speed = min(speed, 1.7 * body.hip_width / step)
        style = _walk_style(rng, step, heel_off=12.0, toe_up=2.0, arms=5.0, lift=0.06)
    elif direction == 180.0:
        style = _walk_style(rng, rng.uniform(0.52, 0.62), heel_off=14.0, toe_up=-6.0, arms=12.0, lean=0.0)
    else:
        # Step length grows with the square root of speed (Grieve and Gear 1966), so cadence does too.
        style = _walk_style(
            rng, float(np.clip(0.58 * np.sqrt(size) / np.sqrt(max(speed, 0.3)) * rng.uniform(0.9, 1.05), 0.42, 0.85))
        )
    start = rng.uniform(0.2, 0.6)
    time = duration if duration is not None else rng.uniform(3.0, 6.0)
    if turn and duration is None:
        time = max(time, abs(turn) / 60.0 + 2.0)
    ch = Channels(round((start + time + 1.2) * fps), fps, body)
    span = (0.0, 0.0)
    if turn:
        need = max(abs(turn) / rng.uniform(60.0, 95.0), 0.8)
        begin = start + rng.uniform(0.3, 0.6) * max(time - need, 0.0)
        span = (begin, min(begin + need, start + time))
    path(ch, start, start + time, speed, direction, turn, span)
    if turn and not direction:
        s = np.clip((ch.t - span[0]) / (span[1] - span[0]), 0, 1)
        ch["roll"] = -np.sign(turn) * 3.0 * np.sin(np.pi * s) * min(speed, 2.0)
        ch["hd_yaw"] = np.sign(turn) * 14.0 * np.sin(np.pi * np.clip(s * 1.3, 0, 1))
    steps = footsteps(ch, start, start + time, style, str(rng.choice(SIDES)))
    dx, dz = ch["x"][-1] - ch["x"][0], ch["z"][-1] - ch["z"][0]
    way = float(np.hypot(np.diff(ch["x"]), np.diff(ch["z"])).sum())
    return ch, {
        "displacement": float(np.hypot(dx, dz)),
        "displacement_angle": float(np.degrees(np.arctan2(dx, dz))),
        "path_length": way,
        "speed": float(speed),
        "turn": float(turn),
        "steps": len(steps),
    }


def walk(rng: np.random.Generator, body: Proportions, fps: float, speed: float | None = None, **more: Any) -> Made:
    """Walk straight ahead."""
    ch, truth = travel(rng, body, fps, speed=speed or rng.uniform(0.7, 1.6), **more)
    pace = "slowly " if truth["speed"] < 0.85 else "briskly " if truth["speed"] > 1.4 else ""
    return ch, {**truth, "label": "walking forward", "caption": f"A person walks {pace}forward."}


def run(rng: np.random.Generator, body: Proportions, fps: float, speed: float | None = None, **more: Any) -> Made:
    """Run straight ahead."""
    time = more.pop("duration", None) or rng.uniform(2.2, 3.6)
    ch, truth = travel(rng, body, fps, speed=speed or rng.uniform(2.2, 3.2), run=True, duration=time, **more)
    return ch, {**truth, "label": "running forward", "caption": "A person runs forward."}


def walk_backward(
    rng: np.random.Generator, body: Proportions, fps: float, speed: float | None = None, **more: Any
) -> Made:
    """Walk backward."""
    ch, truth = travel(rng, body, fps, speed=speed or rng.uniform(0.5, 0.9), direction=180.0, **more)
    return ch, {**truth, "label": "walking backward", "caption": "A person walks backward."}


def side_step(
    rng: np.random.Generator, body: Proportions, fps: float, side: str = "left", speed: float | None = None, **more: Any
) -> Made:
    """Step sideways to `side`, facing ahead."""
    ch, truth = travel(rng, body, fps, speed=speed or rng.uniform(0.28, 0.4), direction=SIGN[side] * 90.0, **more)
    truth |= {
        "side": side,
        "label": f"stepping sideways to the {side}",
        "caption": f"A person steps sideways to the {side}.",
    }
    return ch, truth


def turn_walking(
    rng: np.random.Generator,
    body: Proportions,
    fps: float,
    side: str = "left",
    degrees: float | None = None,
    **more: Any,
) -> Made:
    """Walk and turn to `side` by `degrees`."""
    angle = degrees if degrees is not None else float(rng.choice([45, 60, 90, 90, 120, 135, 180]))
    speed = more.pop("speed", None) or rng.uniform(0.7, 1.25)
    ch, truth = travel(rng, body, fps, speed=speed, turn=SIGN[side] * angle, **more)
    how = f"by {angle:.0f} degrees" if rng.random() < 0.5 else ("around" if angle >= 150 else "")
    caption = f"A person walks forward and turns {how} to the {side}.".replace("  ", " ")
    return ch, {**truth, "side": side, "label": f"walking and turning {side}", "caption": caption}


def turn_in_place(
    rng: np.random.Generator,
    body: Proportions,
    fps: float,
    side: str = "left",
    degrees: float | None = None,
    **more: Any,
) -> Made:
    """Turn to `side` by `degrees` on the spot."""
    angle = degrees if degrees is not None else float(rng.choice([60, 90, 90, 120, 180, 180, 270, 360]))
    start, need = rng.uniform(0.2, 0.5), angle / rng.uniform(65.0, 110.0)
    ch = Channels(round((start + need + 1.4) * fps), fps, body)
    path(ch, start, start + need, 0.0, 0.0, SIGN[side] * angle, (start, start + need))
    s = np.clip((ch.t - start) / need, 0, 1)
    ch["hd_yaw"] = SIGN[side] * 18.0 * np.sin(np.pi * np.clip(s * 1.3, 0, 1))
    steps = footsteps(
        ch, start, start + need, _walk_style(rng, rng.uniform(0.36, 0.46), arms=6.0, lean=0.0, lift=0.07), side
    )
    caption = f"A person turns {angle:.0f} degrees to the {side} on the spot."
    return ch, {
        "displacement": 0.0,
        "turn": SIGN[side] * angle,
        "steps": len(steps),
        "side": side,
        "label": f"turning {side} on the spot",
        "caption": caption,
    }


def crawl(
    rng: np.random.Generator, body: Proportions, fps: float, speed: float | None = None, duration: float | None = None
) -> Made:
    """Crawl forward on hands and knees; starts and ends on all fours."""
    pace, time = speed or rng.uniform(0.3, 0.5), duration or rng.uniform(3.0, 5.5)
    start, cycle = 0.3, rng.uniform(1.0, 1.3)
    ch = Channels(round((start + time + 0.8) * fps), fps, body)
    path(ch, start, start + time, pace, 0.0, 0.0, (0.0, 0.0))
    tilt = rng.uniform(74.0, 82.0)
    ch["h"] = body.thigh + 0.06 + 0.012 * np.sin(4 * np.pi * ch.t / cycle)
    ch["pitch"], ch["hd_pitch"] = tilt, -rng.uniform(25.0, 50.0)
    ch["roll"] = 4.0 * np.sin(2 * np.pi * ch.t / cycle)
    trunk = float(body.offsets[[3, 6, 9, 13], 1].sum()) * np.sin(np.radians(tilt)) + 0.03
    for side in SIDES:
        shift = 0.0 if side == "left" else 0.5
        wide = SIGN[side] * (body.hip_width + 0.03)
        for prefix, height, ahead, offset, lift in (
            ("f", 0.06, -body.shank - 0.06, shift, 0.025),
            ("g", 0.05, trunk, shift + 0.5, 0.07),
        ):
            z, y = _creep(ch, ch["z"], cycle, offset, lift)
            hand = SIGN[side] * 0.19 if prefix == "g" else wide
            ch[f"{side}_{prefix}x"], ch[f"{side}_{prefix}z"], ch[f"{side}_{prefix}y"] = hand, z + ahead, height + y
        ch[f"{side}_gw"], ch[f"{side}_fpitch"], ch[f"{side}_kout"] = 1.0, 150.0, 0.0
    distance = float(ch["z"][-1] - ch["z"][0])
    return ch, {
        "displacement": distance,
        "displacement_angle": 0.0,
        "turn": 0.0,
        "speed": pace,
        "posture": "on all fours",
        "label": "crawling on hands and knees",
        "caption": "A person crawls forward on hands and knees.",
        "neutral_start": False,
        "neutral_end": False,
    }


def _creep(ch: Channels, along: Array, cycle: float, offset: float, lift: float) -> tuple[Array, Array]:
    """Way and height of one limb that stands for 0.65 of a cycle and moves in the rest."""
    phase = ch.t / cycle + offset
    stage = np.floor(phase)
    u = np.clip((phase - stage - 0.65) / 0.35, 0.0, 1.0)
    middle = (stage + 0.325 - offset) * cycle  # the pelvis passes over it in the middle of its stand
    here, there = np.interp(middle, ch.t, along), np.interp(middle + cycle, ch.t, along)
    moved = np.clip((there - here) / 0.15, 0.0, 1.0)
    return here + (there - here) * jerk(u), lift * np.sin(np.pi * u) * moved
