"""Ask how hips, trunk and hands go up and down: which way first, how often, when at the peak; the order of postures."""

from __future__ import annotations

from collections.abc import Iterator

from vimonet.motion.kinematics import Facts
from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics.courses import Course, half_of
from vimonet.vimos.annotators.kinematic.closed_answers import WHEN, YES_NO, third, yes_no
from vimonet.vimos.types import Question

HALVES = ("in the first half", "in the second half")
UP_DOWN = ("up", "down")
COURSES = ("up, then down", "down, then up", "up", "down")
_LOW = {"standing": "stand", "sitting": "sit", "lying": "lie", "kneeling": "kneel", "crouching": "crouch"}

_PEAKS = {
    "hips": (("the lowest point", "lowest"), ("the deepest point of the movement", "deepest down")),
    "trunk": (("the deepest bend", "bent the most"), ("the lowest point of the bow", "bent over the furthest")),
}
_BODY = {"hips": ("the body", "the pelvis"), "trunk": ("the upper body", "the trunk")}


def courses(facts: Facts) -> Iterator[Question]:
    """Ask about the courses, about raised hands at both ends, and about the order of postures."""
    for course in facts.courses:
        yield from _peaks(course, facts.duration)
        yield from _ways(course)
    yield from _hands_at_ends(facts)
    yield from _postures(facts)


def _names(course: Course) -> tuple[str, ...]:
    """Name the part as people do."""
    side, _, hand = course.part.partition(" ")
    return (f"the {course.part}", f"the {side} arm") if hand else _BODY[course.part]


def _peaks(course: Course, duration: float) -> Iterator[Question]:
    if course.times != 1:
        return
    span = {"start": course.peak_start, "end": course.peak_end}
    named = _PEAKS.get(course.part, ((f"the highest point of the {course.part}", "highest"),))
    when = third(course.peak_start, course.peak_end, duration)
    half = half_of(course.peak_start, course.peak_end, duration)
    for name, (peak, at_peak) in zip(_names(course), named, strict=False):
        slots = {"peak": peak, "part": name, "at_peak": at_peak}
        if when:
            yield Question("timing", "peak_third", when, slots, WHEN, span)
        if half:
            yield Question("timing", "peak_half", f"in the {half} half", slots, HALVES, span)


def _ways(course: Course) -> Iterator[Question]:
    if course.part == "trunk":
        if course.times:
            slots = {"rises": "the upper body bend", "rise": "bends of the upper body"}
            yield Question("count", "course_count", str(course.times), slots, (), {"times": course.times})
        return
    for name in _names(course):
        slots = {"part": name}
        if course.first and (course.times > 1 or course.way()):
            yield Question("direction", "way_first", course.first, slots, UP_DOWN, {"way": course.way()})
        if course.times < 2 and course.way():
            yield Question("direction", "way_course", course.way(), slots, COURSES, {"way": course.way()})
        if course.net in UP_DOWN:
            yield Question("direction", "way_net", course.net, slots, UP_DOWN, {"way": course.way()})
        if course.times > 1 or course.way() in COURSES[:2]:
            down = course.part == "hips"
            slots = {
                "rises": f"{name} go {'down' if down else 'up'}",
                "rise": f"{'drops' if down else 'lifts'} of {name}",
            }
            yield Question("count", "course_count", str(course.times), slots, (), {"times": course.times})


def _hands_at_ends(facts: Facts) -> Iterator[Question]:
    """Ask whether a hand is up in the first and in the last moment of a recording in which it is raised."""
    for side in facts.hand_height:
        spans = [(raised.start, raised.end) for raised in facts.raised_hands if raised.side == side]
        if not spans or not c.raised_hand(facts, side):
            continue
        for form, gap in (("hand_up_first", spans[0][0]), ("hand_up_last", facts.duration - spans[-1][1])):
            up = True if gap == 0.0 else False if c.AFTER_START.decide(gap) else None
            if up is not None:
                yield Question("hand", form, yes_no(up), {"side": side}, YES_NO, {"spans_s": spans})


def _postures(facts: Facts) -> Iterator[Question]:
    """Ask which of two postures comes first, and at which end one is taken."""
    labels = [span.label for span in facts.posture or ()]
    if len(labels) < 2 or len(set(labels)) < len(labels) or not {labels[0], labels[-1]} <= _LOW.keys():
        return
    a, b = labels[0], labels[-1]
    evidence = {"posture": [(span.label, round(span.start, 2), round(span.end, 2)) for span in facts.posture or ()]}
    pair = (f"{a}, then {b}", f"{b}, then {a}")
    for one, two in ((a, b), (b, a)):
        slots = {"a": one, "b": two, "do_a": _LOW[one], "do_b": _LOW[two]}
        yield Question("posture", "posture_order", pair[0], slots, pair, evidence)
    for label, answer in ((a, WHEN[0]), (b, WHEN[2])):
        yield Question(
            "posture", "posture_end_of", answer, {"a": label, "do": _LOW[label]}, (WHEN[0], WHEN[2]), evidence
        )
