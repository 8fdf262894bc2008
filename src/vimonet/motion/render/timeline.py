"""Turn measured facts into spans on a time axis, which the strip draws as bars and the animation names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics.categories import repeats_steps
from vimonet.motion.motion import Motion
from vimonet.motion.render.body_drawing import INK, LEFT, RIGHT, TORSO, Colour, mix

KINDS: dict[str, Colour] = {
    "turn": (122, 82, 160),
    "fall": (190, 40, 50),
    "jump": (30, 140, 100),
    "repeats": (150, 122, 40),
}


@dataclass(frozen=True)
class Event:
    """Hold a measured event between two times (seconds), in a named row of the chart."""

    row: str
    label: str
    start: float
    end: float
    colour: Colour


@dataclass(frozen=True)
class Mark:
    """Point at a moment: start and end (seconds), and the joints (names of the 22) to ring in it."""

    start: float
    end: float
    joints: tuple[str, ...] = ()


def events_of(motion: Motion, facts: Facts | None = None) -> tuple[Event, ...]:
    """List the measured events of a motion: turns, raised hands, posture other than standing, jumps and falls.

    Args:
        motion: the movement.
        facts: its facts, where they are measured already.
    """
    facts = facts or measure(motion)
    found: list[Event] = []
    for turn in facts.turns or ():
        side = "left" if turn.degrees > 0 else "right"
        found.append(Event("turn", f"{abs(turn.degrees):.0f}° {side}", turn.start, turn.end, KINDS["turn"]))
    for hand in facts.raised_hands or ():
        colour = LEFT if hand.side == "left" else RIGHT
        found.append(Event(f"{hand.side} hand", "raised", hand.start, hand.end, colour))
    for posture in facts.posture or ():
        if posture.label not in ("standing", "unknown", "airborne"):  # a flight is in the row of jumps
            found.append(Event("posture", posture.label, posture.start, posture.end, TORSO))
    again = facts.repetitions
    # The legs of someone who goes somewhere repeat steps: that is seen, and no event.
    if again is not None and not repeats_steps(facts):
        found.append(Event("repeats", f"{again.count}×  {again.limb}", again.start, again.end, KINDS["repeats"]))
    for jump in facts.jumps or ():
        found.append(Event("jump", f"{100 * jump.height:.0f} cm", jump.start, jump.end, KINDS["jump"]))
    for fall in facts.falls or ():
        found.append(Event("fall", f"{100 * fall.drop:.0f} cm down", fall.start, fall.end, KINDS["fall"]))
    return tuple(found)


def rows_of(events: Sequence[Event]) -> list[tuple[str, list[Event]]]:
    """Group the events by row, rows in order of first appearance."""
    rows: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda event: event.start):
        rows.setdefault(event.row, []).append(event)
    return list(rows.items())


def ink_on(colour: Colour) -> Colour:
    """Choose paper or ink, whichever reads better on ``colour``."""
    red, green, blue = colour
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else mix((255, 255, 255), colour, 0.02)
