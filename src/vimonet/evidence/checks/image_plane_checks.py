"""Checks of way and turn for a body in 2D, where the picture alone tells: `image_plane` of a tracked person.

What one camera leaves open (which way along the line of sight, how far a turn goes) is not held against an answer. A
camera that pans moves the person in the picture: the words say that it is the picture that was measured.
"""

from __future__ import annotations

import re

from vimonet.evidence.parsing import side_of_turn, way
from vimonet.evidence.question import Query, finding
from vimonet.evidence.verdicts import NOT_MEASURABLE, Evidence, compare

AWAY = r"\b(another place|somewhere else|away|from (its|the|his|her) place)\b"


def direction_seen(q: Query) -> Evidence:
    """Whether somebody leaves the place in the picture; a direction is denied only to who stays."""
    plane = q.plane
    if plane is None:
        return finding("direction", "not measurable: the trunk is not seen for long enough", NOT_MEASURABLE)
    side = "right" if plane.across > 0 else "left"
    measured = f"in the picture the trunk ends {abs(plane.across):.1f} torsos to the {side} of its start"
    measured += f", {plane.nearer:.1f} times as large"
    asked, claim, verdict = way(q.question), way(q.answer), NOT_MEASURABLE
    if q.yes is not None:
        if re.search(AWAY, q.question):
            verdict = compare(plane.travels, q.yes)
        elif asked == "in place":
            verdict = compare(None if plane.travels is None else not plane.travels, q.yes)
        elif asked is not None:
            verdict = compare(False if plane.travels is False else None, q.yes)
    elif plane.travels is False or claim in (None, "in place"):
        stays = None if plane.travels is None else not plane.travels
        verdict = compare(stays, None if claim is None else claim == "in place")
    values = {"across_torsos": plane.across, "size_ratio": plane.nearer}
    spans = [q.span(0.0, q.facts.duration, "pelvis", "neck", label=plane.way() or "the way")]
    return finding("direction", measured, verdict, plane.way(), spans, values)


def turn_seen(q: Query) -> Evidence:
    """Whether somebody shows front and back in turn; which way they turn is not told."""
    turns = None if q.plane is None else q.plane.turns
    if q.plane is None or turns is None:
        return finding("turn", "not measurable: 2D keypoints do not show the heading", NOT_MEASURABLE)
    measured = "shows front and back in turn" if turns else "shows the same side throughout"
    claim = q.yes
    if claim is None and q.answer:
        claim = not re.search(r"\b(not|no|neither|none|straight)\b", q.answer)
    if q.yes is not None and side_of_turn(q.question) and turns:
        claim = None  # whether it was this way
    return finding("turn", measured, compare(turns, claim), "turns" if turns else "does not turn")
