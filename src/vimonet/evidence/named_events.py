"""Answer questions that name an event measured as such: a calibration pose, a kick, a fall, a hang, full turns."""

from __future__ import annotations

import re

from vimonet.language import mentions
from vimonet.motion.calibration import HELD
from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c

_POSE = re.compile(r"\b([tan])[ -]?poses?\b")
_ANY_POSE = r"\b(calibration|bind|reference) pose\b"
_AT_START = r"\b(begin~|start~|first|open|opens|initial~|before)\b"
_HOW_OFTEN = r"\b(how (many|often)|count|number of)\b"
_WHICH = r"\b(which|what) (leg|foot|side)\b|^(the )?kicking (leg|foot)$"
_ONLY_KICK = (
    r"^(does|do|did|is|are) [\w ]{0,30}\bkick(s|ed|ing)?"
    r"( (with|by|using) (the|his|her|their) (left|right)( (leg|foot))?)?$"
)
_UP_AGAIN = r"\b(gets?|stands?|comes?|back) (back )?(up|on)\b.*\b(again|after|fall~|feet)\b|\bback on\b.*\bfeet\b"
_FULL_TURNS = (
    r"\b(full|complete|whole) (turns?|rotations?|spins?|circles?)\b|\b(revolutions?|pirouettes?)\b"
    r"|\b(turn~|spin~|rotate~) (around|round|all the way)\b"
)


def named_event_answer(asked: str, facts: Facts, *, yes_no: bool) -> str | None:
    """Answer a question by the event it names; None if it names none, or if the measurement is unclear.

    Args:
        asked: normalised question.
        facts: facts of the movement.
        yes_no: whether it is a yes-no question.

    Returns:
        "yes, from 0.0 to 1.0 s", "no", a side, a count, or a height or speed with its unit.
    """
    if _POSE.search(asked) or mentions(_ANY_POSE, asked):
        return _pose(asked, facts, yes_no)
    if mentions(r"\bkick~", asked):
        return _kick(asked, facts, yes_no)
    if yes_no and (found := re.search(r"\b(hang|climb)(s|ed|ing)?$", asked)):
        label = f"{found[1]}ing"
        spans = [part for part in facts.posture or () if part.label == label]
        return f"yes, from {spans[0].start:.1f} to {spans[0].end:.1f} s" if spans else None
    fallen = facts.fallen()
    if fallen and yes_no and mentions(_UP_AGAIN, asked):
        return "yes" if fallen[-1][2] else "no"
    if fallen and mentions(_HOW_OFTEN, asked) and mentions(r"\bfalls?\b", asked):
        return str(len(fallen))
    if mentions(_HOW_OFTEN, asked) and mentions(_FULL_TURNS, asked):
        sizes = [abs(turn.degrees) for turn in facts.turns or ()]
        return str(sum(round(size / 360) for size in sizes if c.FULL_TURN.decide(size))) if sizes else None
    return None


def _pose(asked: str, facts: Facts, yes_no: bool) -> str | None:
    if facts.calibration is None:
        return None
    named = _POSE.search(asked)
    wanted = (f"{named[1].upper()}-pose",) if named else ("T-pose", "A-pose", "N-pose")
    at_start = mentions(_AT_START, asked)
    found = [pose for pose in facts.calibration if pose.name in wanted and (not at_start or pose.start < HELD)]
    sure = next((pose for pose in found if pose.sure), None)
    if sure is not None:
        return f"{'yes' if yes_no else sure.name}, from {sure.start:.1f} to {sure.end:.1f} s"
    if found or (wanted == ("N-pose",) and not at_start):
        return None  # an N-pose is told from standing at the start only
    return "no" if yes_no else None


def _kick(asked: str, facts: Facts, yes_no: bool) -> str | None:
    swings = facts.leg_swings or ()
    kicks = [swing for swing in swings if swing.kick]
    if not kicks:
        return None  # a low kick at a ball is none of these
    sides = sorted({kick.side for kick in kicks})
    if yes_no:
        side = re.search(r"\b(left|right)\b", asked)
        if not mentions(_ONLY_KICK, asked):
            return None
        return "yes" if side is None or side[1] in sides else "no"
    if mentions(_WHICH, asked):
        return f"{sides[0]} leg" if len(sides) == 1 else "both"
    if mentions(_HOW_OFTEN, asked):
        return str(len(kicks)) if all(swing.kick is not None for swing in swings) else None
    if mentions(r"\bhow high\b|\bheight\b", asked):
        return f"{max(kick.height for kick in kicks):.1f} m"
    if mentions(r"\bhow (fast|quick~)\b|\bspeed\b", asked):
        return f"{max(kick.speed for kick in kicks):.0f} m/s"
    return None
