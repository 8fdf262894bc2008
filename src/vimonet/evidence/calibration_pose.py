"""Answer questions about a T-pose, A-pose or N-pose, as motion capture takes begin, by measurement."""

from __future__ import annotations

import re

from vimonet.language import mentions
from vimonet.motion.calibration import HELD
from vimonet.motion.kinematics import Facts

_POSE = re.compile(r"\b([tan])[ -]?poses?\b")
_ANY = r"\b(calibration|bind|reference) pose\b"
_AT_START = r"\b(begin~|start~|first|open|opens|initial~|before)\b"


def calibration_answer(asked: str, facts: Facts, *, yes_no: bool) -> str | None:
    """Answer a question that names a calibration pose; None if it names none, or if the measurement is unclear.

    Args:
        asked: normalised question.
        facts: facts of the movement.
        yes_no: whether it is a yes-no question.

    Returns:
        "yes, from 0.0 to 1.0 s" or "no"; for other questions "T-pose, from 0.0 to 1.0 s".
    """
    named = _POSE.search(asked)
    if facts.calibration is None or not (named or mentions(_ANY, asked)):
        return None
    wanted = (f"{named[1].upper()}-pose",) if named else ("T-pose", "A-pose", "N-pose")
    at_start = mentions(_AT_START, asked)
    found = [pose for pose in facts.calibration if pose.name in wanted and (not at_start or pose.start < HELD)]
    sure = next((pose for pose in found if pose.sure), None)
    if sure is not None:
        return f"{'yes' if yes_no else sure.name}, from {sure.start:.1f} to {sure.end:.1f} s"
    if found or (wanted == ("N-pose",) and not at_start):
        return None  # an N-pose is told from standing at the start only
    return "no" if yes_no else None
