"""Ask about steps, standing and the path: cadence, lengths, evenness, sides, stance, balance, shape, speed."""

from __future__ import annotations

from collections.abc import Iterator

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics import gait_categories as g
from vimonet.motion.kinematics.gait import Gait, Stance
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO, seconds, yes_no
from vimonet.vimos.types import Question

NO_STEPS = "there are no steps"
PATHS = ("straight", "a curve", "a circle", "there and back", "a zigzag", "a figure of eight", "stays in place")
FEET = ("left foot", "right foot", "neither foot")
STANDING_LEGS = ("left leg", "right leg", "both legs")


def gait(facts: Facts) -> Iterator[Question]:
    """Ask about steps, standing and the path over the ground."""
    yield from _steps(facts)
    yield from _sides(facts)
    if facts.stance is not None:
        yield from _stance(facts, facts.stance)
        yield from _one_leg(facts, facts.stance)
    yield from _path(facts)


def _steps(facts: Facts) -> Iterator[Question]:
    walk, again = facts.gait, facts.repetitions
    repeats = again is not None and c.REPEATS.decide(again.regularity) and again.count >= 3
    if walk is not None and walk.strikes >= 3:
        steps = {"strikes": walk.strikes, "unevenness": walk.unevenness, "joints": ["left_ankle", "right_ankle"]}
        yield Question("gait", "cadence", f"{walk.cadence:.0f} steps per minute", {}, (), steps)
        steady = g.TEMPO_STEADY.decide(walk.unevenness)
        if steady is not None:
            detail = {"detail": f"the step time varies by {walk.unevenness:.0%}"}
            yield Question("yes_no", "tempo_steady", yes_no(steady), {}, YES_NO, {**steps, **detail})
        yield from _lengths(walk)
        return
    if again is not None and repeats and not facts.steps:
        span = {"start": again.start, "end": again.end, "period_s": again.period}
        rate = f"{60.0 / again.period:.0f} repetitions per minute"
        yield Question("gait", "cadence", rate, {}, (), span)
        trend = facts.moments.trend if facts.moments is not None else None
        steady = g.TEMPO_STEADY.decide(trend.unevenness) if trend is not None else None
        if trend is not None and steady is not None:
            detail = {"detail": f"the time of a repetition varies by {trend.unevenness:.0%}"}
            yield Question("yes_no", "tempo_steady", yes_no(steady), {}, YES_NO, {**span, **detail})
    elif c.steps_countable(facts) is False:
        for form in ("cadence", "step_length", "step_width"):
            yield Question("gait", form, NO_STEPS, {}, (), {"steps_counted": 0})


def _lengths(walk: Gait) -> Iterator[Question]:
    length, width = walk.length, walk.width
    if length is None or width is None or not g.STEP_REACHES.decide(length):
        return
    evidence = {"step_length_m": length, "by_side_m": walk.side_length, "joints": ["left_ankle", "right_ankle"]}
    both = len(walk.side_length) == 2
    sides = {"detail": f"left {walk.side_length['left']:.2f}, right {walk.side_length['right']:.2f}"} if both else {}
    yield Question("gait", "step_length", f"about {length:.2f} metres", {}, (), {**evidence, **sides})
    yield Question("gait", "step_width", f"about {max(width, 0.0):.2f} metres", {}, (), {"step_width_m": width})


def _sides(facts: Facts) -> Iterator[Question]:
    """Ask whether left and right do the same, whether the gait limps, and count by side."""
    walk = facts.gait
    straight = c.TURNED.decide(abs(facts.net_turn or 0.0)) is False
    if walk is not None and straight and walk.strikes > 3 and len(walk.side_time) == 2 and len(walk.side_length) == 2:
        times = g.alike(walk.side_time["left"], walk.side_time["right"], g.STEP_REACHES.yes)
        lengths = g.alike(walk.side_length["left"], walk.side_length["right"], g.STEP_REACHES.yes)
        limps = g.LIMPS.decide(max(times, lengths))
        if limps is not None:
            by, unit = (walk.side_time, " s") if times > lengths else (walk.side_length, " m")
            what = "step time" if times > lengths else "step length"
            detail = f"{what} left {by['left']:.2f}, right {by['right']:.2f}{unit}"
            evidence = {"times": times, "lengths": lengths, "detail": detail, "joints": ["left_ankle", "right_ankle"]}
            yield Question("yes_no", "limp", yes_no(limps), {}, YES_NO, evidence)
    yield from _alike(facts)
    left_right = {side: sum(s.side == side for s in facts.steps or ()) for side in ("left", "right")}
    raised = {side: sum(r.side == side for r in facts.raised_hands) for side in ("left", "right")}
    count = left_right if c.steps_countable(facts) else raised
    clear = all(c.RAISED_HAND.decide(r.height) for r in facts.raised_hands)
    one_kind = sum(count.values()) > 0 and not (facts.raised_hands and facts.steps)
    if one_kind and clear and not c.MANY_STEPS.decide(sum(count.values())):
        answer = f"{count['left']} left, {count['right']} right"
        counted = "steps" if count is left_right else "raised hands"
        yield Question("count", "left_right_count", answer, {}, (), {"counted": counted, "detail": counted})


def _alike(facts: Facts) -> Iterator[Question]:
    speeds = facts.limb_activity
    names = [f"{side} {limb}" for limb in ("arm", "leg") for side in ("left", "right")]
    if any(name not in speeds for name in names) or not c.LIMB_MOVES.decide(max(speeds[name] for name in names)):
        return
    arms = g.alike(speeds["left arm"], speeds["right arm"], c.MOVING_LIMB.yes)
    legs = g.alike(speeds["left leg"], speeds["right leg"], c.MOVING_LIMB.yes)
    limb = "arm" if arms > legs else "leg"
    same = g.SAME_BOTH_SIDES.decide(max(arms, legs))
    apart = g.SIDES_APART.decide(abs(speeds[f"left {limb}"] - speeds[f"right {limb}"]))
    if same or (same is False and apart):
        detail = f"left {limb} {speeds[f'left {limb}']:.2f}, right {speeds[f'right {limb}']:.2f} m/s"
        yield Question("yes_no", "movement_symmetry", yes_no(same), {}, YES_NO, {"detail": detail, "joints": names})


def _stance(facts: Facts, stand: Stance) -> Iterator[Question]:
    joints = {"joints": ["left_ankle", "right_ankle"]}
    if stand.width is not None and stand.shoulder_widths is not None and stand.left_ahead is not None:
        shoulders = {"detail": f"{stand.shoulder_widths:.1f} shoulder widths"}
        yield Question("gait", "stance_width", f"about {stand.width:.2f} metres", {}, (), {**joints, **shoulders})
        ahead = g.FOOT_AHEAD.decide(abs(stand.left_ahead))
        if ahead is not None:
            foot = f"{c.side_of(stand.left_ahead)} foot" if ahead else "neither foot"
            by = {"detail": f"{abs(stand.left_ahead):.2f} metres ahead"} if ahead else {}
            yield Question("gait", "front_foot", foot, {}, FEET, {**joints, **by, "left_ahead_m": stand.left_ahead})
    sways = g.SWAYS.decide(stand.sway)
    if stand.sway is not None and sways is not None:
        detail = f"the hips sway by {stand.sway:.2f} metres in {stand.quiet_time:.1f} s"
        answer = "sways" if sways else "steady"
        yield Question(
            "gait", "balance_steady", answer, {}, ("steady", "sways"), {"sway_m": stand.sway, "detail": detail}
        )


def _one_leg(facts: Facts, stand: Stance) -> Iterator[Question]:
    lasts = stand.leg_end - stand.leg_start
    if stand.leg is not None and c.ONE_LEG.decide(lasts):
        span = {"start": stand.leg_start, "end": stand.leg_end, "joints": [f"{stand.leg}_ankle"]}
        between = {**span, "detail": f"from {stand.leg_start:.1f} to {stand.leg_end:.1f} s"}
        if g.OTHER_LEG.decide(lasts / max(stand.other_leg_time, 1e-3)):
            yield Question("gait", "standing_leg", f"{stand.leg} leg", {}, STANDING_LEGS, between)
        yield Question("duration", "one_leg_time", seconds("about", lasts), {}, (), between)
    elif c.ONE_LEG.decide(facts.one_leg_time) is False and not facts.steps and not facts.jumps:
        upright = all(p.label == "standing" for p in facts.posture or ())
        if upright and facts.posture and stand.leg is None:
            evidence = {"one_leg_s": facts.one_leg_time}
            yield Question("gait", "standing_leg", "both legs", {}, STANDING_LEGS, evidence)
            yield Question("duration", "one_leg_time", "never on one leg", {}, (), evidence)


def _path(facts: Facts) -> Iterator[Question]:
    path, leg = facts.path, facts.leg_length
    if path is None or leg is None or facts.mean_speed is None or facts.path_length is None:
        return
    travels = c.TRAVELS.decide(path.farthest / leg)
    if travels and not facts.steps and not c.WENT_OUT.decide(path.farthest / leg):
        return  # sitting and lying down move the hips, too
    evidence = {"farthest_m": path.farthest, "path_m": facts.path_length}
    if travels is not None:
        where = "travels" if travels else "on the spot"
        most = {"detail": f"at most {path.farthest:.2f} metres from the start"}
        yield Question("path", "on_the_spot", where, {}, ("travels", "on the spot"), {**evidence, **most})
        far = f"about {path.farthest:.1f} metres" if travels else "stays in place"
        yield Question("distance", "farthest_from_start", far, {}, (), evidence)
    if travels is False and c.LONG_PATH.decide(facts.path_length / leg) is False:
        yield Question("path", "walk_pattern", "stays in place", {}, PATHS, evidence)
    elif facts.shape is not None and c.LONG_PATH.decide(facts.path_length / leg):
        name = facts.shape.name
        if name is not None:
            article = name if name in PATHS else f"a {name}"
            side = {"detail": f"to the {c.side_of(facts.shape.turned)}"} if name in ("curve", "circle") else {}
            yield Question(
                "path", "walk_pattern", article, {}, PATHS, {**evidence, **side, "turned_deg": facts.shape.turned}
            )
    speed = c.speed_class(facts)
    if speed == "still":
        yield Question("speed", "speed_number", "does not travel", {}, (), {"mean_speed_m_s": facts.mean_speed})
    elif speed is not None:
        kmh = {"detail": f"{facts.mean_speed * 3.6:.1f} km/h", "mean_speed_m_s": facts.mean_speed}
        answer = f"about {facts.mean_speed:.1f} metres per second"
        yield Question("speed", "speed_number", answer, {}, (), kmh)
