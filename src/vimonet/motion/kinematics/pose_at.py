"""Say in words how the body is held at a moment or over a span, and what differs between two spans.

    held_at(facts, 1.2)   # "standing, left hand raised above the head, knees straight, leaning forward 20 degrees"
    arms_over(facts)      # "both arms hang at the sides"
    changes_at(facts, 2)  # ["from standing to sitting"]

Nothing is said in a dead zone, and nothing of a limb that is not seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics import held_categories as h
from vimonet.motion.kinematics.arm_places import arm_words, both_arms_words
from vimonet.motion.kinematics.preparation import LIMBS, SIDES

if TYPE_CHECKING:
    from vimonet.motion.kinematics.facts import Facts
    from vimonet.motion.kinematics.held_body import HeldBody, Track

_SWING = {"hangs at the side", "in front of the waist"}
_ABOUT = 0.15  # s on either side of a moment whose median is its pose


def posture_at(facts: Facts, t: float) -> str | None:
    """Name the posture at t, s, or None where it is not measured or doubtful."""
    part = next((p for p in facts.posture or () if p.start <= t < p.end), None)
    if part is None or not c.POSTURE_SURE.decide(part.certainty):
        return None
    return f"{part.label} {part.detail}".strip()


def held_at(facts: Facts, t: float) -> str | None:
    """Say how the body is held at t: posture, arms, knees, lean; None where nothing is clear."""
    held = facts.held
    if held is None or not 0.0 <= t <= facts.duration:
        return None
    posture = posture_at(facts, min(t, facts.duration - 1e-6))
    pace = float(held.track.pace[_span(held.track, t, t)].mean())
    moves = facts.leg_length is not None and h.MOVES_NOW.decide(pace / facts.leg_length)
    words = [f"upright, moving at {pace:.1f} m/s" if moves and posture == "standing" else posture] if posture else []
    if arms := _arms_between(held, t - _ABOUT, t + _ABOUT):
        words.append(arms)
    upright = posture in (None, "standing", "bending", "airborne")
    part = _span(held.track, t - _ABOUT, t + _ABOUT)
    if upright:
        words += _knees(facts, np.median(held.track.angles[part, :2], axis=0))
    if posture is None or not posture.startswith(("lying", "upside", "on all")):
        words += _lean(held.track, part)
    return ", ".join(words) or None


def arms_over(facts: Facts, start: float = 0.0, end: float | None = None) -> str | None:
    """Say where the arms are kept from start to end, s: "both arms hang at the sides"; None if they keep no place.

    An arm keeps the place in which it is for `categories.KEPT` of the time.
    """
    if facts.held is None:
        return None
    return _arms_between(facts.held, start, facts.duration if end is None else end)


def compare_spans(facts: Facts, one: tuple[float, float], two: tuple[float, float]) -> list[str]:
    """List what differs clearly between how the body is held in two spans of time, s: posture, arms, lean."""
    held = facts.held
    if held is None:
        return []
    out = []
    before, after = posture_over(facts, *one), posture_over(facts, *two)
    if before and after and before != after:
        out.append(f"from {before} to {after}")
    steps = len(facts.steps or ()) > 2
    moved = {}
    for i, side in enumerate(SIDES):
        if side not in held.arms:
            continue
        was, now = (_place(held.track, i, *span) for span in (one, two))
        spots = {words.removeprefix("bent ").removeprefix("straight ") for words in (was, now) if words}
        if was and now and len(spots) == 2 and not (steps and spots == _SWING):
            moved[side] = was, now
    if len(moved) == 2 and moved["left"] == moved["right"]:
        out.append(", then ".join(both_arms_words(place) for place in moved["left"]))
    else:
        out += [f"{side} arm {', then '.join(places)}" for side, places in moved.items()]
    lean = _lean_change(held.track, one, two)
    if before and before == after and h.HALF_LEAN.decide(abs(lean)):
        out.append(f"the trunk leans {abs(lean):.0f} degrees {'more' if lean > 0 else 'less'} forward then")
    return out


def _lean_change(track: Track, one: tuple[float, float], two: tuple[float, float]) -> float:
    return float(track.forward[_span(track, *two)].mean() - track.forward[_span(track, *one)].mean())


def _activity(facts: Facts, one: tuple[float, float], two: tuple[float, float]) -> list[str]:
    """List the limbs that move clearly more or less in the second span; not the legs of a walk."""
    held = facts.held
    if held is None:
        return []
    steps = c.STRIDES.decide((facts.mean_speed or 0.0) / (facts.leg_length or 1.0))
    first, second = (held.track.limb_speed[_span(held.track, *span)].mean(axis=0).tolist() for span in (one, two))
    found: dict[str, dict[str, str]] = {}
    for limb, a, b in zip(LIMBS[:4], first, second, strict=True):
        side, _, name = limb.partition(" ")
        seen = facts.seen.get(limb) and not (steps and name == "leg")
        if seen and c.LIMB_MOVES.decide(max(a, b)) and h.HALF_MORE.decide(max(a, b) / max(min(a, b), 1e-3)):
            found.setdefault(name, {})[side] = "more" if b > a else "less"
    out = []
    for name, ways in found.items():
        if len(ways) == 2 and ways["left"] == ways["right"]:
            out.append(f"the {name}s move {ways['left']} then")
        else:
            out += [f"the {side} {name} moves {way} then" for side, way in ways.items()]
    return out


def compare_halves(facts: Facts) -> list[str]:
    """List what differs clearly between the two halves: speed and direction, then the pose, then activity."""
    out = []
    path, leg = facts.path, facts.leg_length
    if path is not None and leg:
        a, b = path.half_speed
        if c.PACE_CHANGES.decide(max(a, b) / max(min(a, b), 1e-3)) and c.PACE_MEASURED.decide(
            max(a, b) * facts.duration / 2 / leg
        ):
            out.append(f"{'faster' if b > a else 'slower'} in the second half ({a:.1f} to {b:.1f} m/s)")
        ways = [c.direction_class(d, angle, leg) for d, angle in zip(path.half_distance, path.half_angle, strict=True)]
        if None not in ways and ways[0] != ways[1]:
            out.append(f"first {_moves(ways[0])}, then {_moves(ways[1])}")
    middle = facts.duration / 2
    halves = (0.0, middle), (middle, facts.duration)
    return out + compare_spans(facts, *halves) + _activity(facts, *halves)


def same_halves(facts: Facts) -> bool:
    """Test whether both halves are clearly alike: one posture, arms kept or a repetition all along, speeds, lean."""
    held, path, again = facts.held, facts.path, facts.repetitions
    if held is None or path is None or len(facts.posture or ()) != 1 or compare_halves(facts):
        return False
    middle = facts.duration / 2
    halves = (0.0, middle), (middle, facts.duration)
    kept = [[_place(held.track, i, *span) for span in halves] for i, side in enumerate(SIDES) if side in held.arms]
    steady = again is not None and c.CYCLE_LASTS.decide((again.end - again.start) / facts.duration)
    if not steady and any(None in places for places in kept):
        return False
    first, second = (held.track.limb_speed[_span(held.track, *span)].mean(axis=0).tolist() for span in halves)
    speeds = [*zip(first, second, strict=True), path.half_speed]
    return h.HALF_LEAN.decide(abs(_lean_change(held.track, *halves))) is False and all(
        c.LIMB_MOVES.decide(max(a, b)) is False or h.HALF_MORE.decide(max(a, b) / max(min(a, b), 1e-3)) is False
        for a, b in speeds
    )


def changes_at(facts: Facts, t: float, around: float = h.AROUND) -> list[str]:
    """List what differs clearly between the time just before t and just after it, each `around` seconds long."""
    return compare_spans(facts, (max(0.0, t - around), t), (t, min(facts.duration, t + around)))


def posture_over(facts: Facts, start: float, end: float) -> str | None:
    """Name the posture held for most of a span, s, or None."""
    share: dict[str, float] = {}
    for p in facts.posture or ():
        share[p.label] = share.get(p.label, 0.0) + max(0.0, min(end, p.end) - max(start, p.start))
    main = max(share, key=lambda label: share[label], default="")
    return main if main and c.POSTURE_MAIN.decide(share[main] / max(end - start, 1e-6)) else None


def _moves(way: str | None) -> str:
    return "stays in place" if way == "in place" else f"moves {'to the ' if way in SIDES else ''}{way}"


def _span(track: Track, start: float, end: float) -> slice:
    frames = len(track.forward)
    a = min(max(0, round(start * track.fps)), frames - 1)
    return slice(a, max(a + 1, min(frames, round(end * track.fps) + (end - start <= 2 * _ABOUT))))


def _place(track: Track, arm: int, start: float, end: float) -> str | None:
    part = _span(track, start, end)
    codes, counts = np.unique(track.places[part, arm], return_counts=True)
    top = int(counts.argmax())
    if codes[top] < 0 or not c.KEPT.decide(float(counts[top]) / (part.stop - part.start)):
        return None
    return arm_words(int(codes[top]), float(np.median(track.angles[part, 2 + arm])))


def _arms_between(held: HeldBody, start: float, end: float) -> str | None:
    words = {side: _place(held.track, i, start, end) for i, side in enumerate(SIDES) if side in held.arms}
    if len(words) == 2 and words["left"] == words["right"] and words["left"]:
        place = words["left"]
        return both_arms_words(place)
    return ", ".join(f"{side} arm {place}" for side, place in words.items() if place) or None


def _knees(facts: Facts, flexion: np.typing.NDArray[np.floating]) -> list[str]:
    if not (facts.seen.get("left leg") and facts.seen.get("right leg")):
        return []
    bent = [h.KNEES_BENT.decide(float(v)) for v in flexion]
    if bent[0] == bent[1]:
        return [] if bent[0] is None else [f"knees bent {flexion.mean():.0f} degrees" if bent[0] else "knees straight"]
    return [f"{side} knee bent {v:.0f} degrees" for side, v, b in zip(SIDES, flexion, bent, strict=True) if b]


def _lean(track: Track, part: slice) -> list[str]:
    forward, aside = float(np.median(track.forward[part])), float(np.median(track.sideways[part]))
    words = []
    if h.FORWARD_LEAN.decide(abs(forward)):
        words.append(f"leaning {'forward' if forward > 0 else 'back'} {abs(forward):.0f} degrees")
    if h.SIDE_LEAN.decide(abs(aside)):
        words.append(f"leaning to the {c.side_of(aside)} {abs(aside):.0f} degrees")
    return words
