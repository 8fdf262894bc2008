"""Ask about two clips at once: which shows an action, what each shows, and which has more of a measure.

The answers follow from the labels of both clips and from their facts. Two values are "about the same" if they differ
by at most 8 % and by less than half the least difference of the measure; one is larger from 25 % and that difference
on. What lies between is not asked.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Final, NamedTuple

from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics import categories as c
from vimonet.vimos.action_labels import participle, verb_slots
from vimonet.vimos.action_names import renamed
from vimonet.vimos.annotators.annotate import askable
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO, yes_no
from vimonet.vimos.label_consistency import absent_from, may_happen
from vimonet.vimos.types import DETAIL, Question, bare_answer, spoken
from vimonet.vimos.wordings import as_written, read_people

CLIPS: Final = ("the first clip", "the second clip")
ALIKE: Final = "about the same"
WHICH: Final = (*CLIPS, "both", "neither")

VALUES: Final = "values"
"""Key of a question's evidence: the values of both clips, said before the verdict, which follows from them."""

_LARGER, _SAME = 1.25, 1.08  # ratios of two values


def _path(facts: Facts) -> float | None:
    """Measure a path that is long enough to be among the facts, and leads away: "farther" may mean either length."""
    if facts.path_length is None or not facts.leg_length or facts.path is None:
        return None
    away = facts.path.farthest > 0.8 * facts.path_length
    return facts.path_length if away and c.LONG_PATH.decide(facts.path_length / facts.leg_length) else None


def _jump(facts: Facts) -> float | None:
    heights = [100 * jump.height for jump in facts.jumps or () if c.CLEAR_JUMP.decide(jump.height)]
    return None if facts.jumps is None else max(heights, default=0.0)


def _turn(facts: Facts) -> float | None:
    return None if facts.turns is None else float(sum(abs(turn.degrees) for turn in facts.turns))


def _hand(facts: Facts) -> float | None:
    tops = facts.held.hand_top if facts.held else None
    return max(top.height for top in tops.values()) if tops else None


def _lowered(facts: Facts) -> float | None:
    return None if facts.lowest_pelvis is None else 1.0 - facts.lowest_pelvis


class _Measure(NamedTuple):
    """Hold how two clips are compared.

    Attributes:
        of: the measure; None where it cannot be taken.
        least: least difference that makes one larger.
        written: how a value is written before the verdict; "" where the prompt does not hold it as one number.
        less: form that asks for the smaller value; "" for none.
    """

    of: Callable[[Facts], float | None]
    least: float
    written: str = ""
    less: str = ""


_MEASURES: Final[dict[str, _Measure]] = {
    "faster": _Measure(lambda facts: facts.mean_speed, 0.2, "{:.2f} m/s", "slower"),
    "farther": _Measure(_path, 0.5, "{:.1f} m"),
    "longer": _Measure(lambda facts: facts.duration, 0.5, "{:.1f} s", "shorter"),
    "more_steps": _Measure(
        lambda facts: None if facts.steps is None else float(len(facts.steps)), 2.0, "{:.0f}", "fewer_steps"
    ),
    "higher_jump": _Measure(_jump, 6.0, "{:.0f} cm"),
    "higher_hand": _Measure(_hand, 0.12, "{:.2f} m"),
    "turns_more": _Measure(_turn, 45.0),
    "lower": _Measure(_lowered, 0.12),
}
"""Form that asks for the larger value -> its measure."""


def ask_about(
    first: tuple[Motion, Sequence[str]],
    second: tuple[Motion, Sequence[str]],
    others: Sequence[str],
    count: int,
    rng: random.Random,
) -> list[tuple[str, str]]:
    """Ask about two clips, each a motion and its labels: at most `count` questions with their answers, as people type.

    Args:
        first, second: motion, and labels in order of time.
        others: labels of other clips.
        count: most questions; each is asked in up to three wordings.
        rng: random generator.
    """
    facts = measure(first[0]), measure(second[0])
    asked = 3 * comparisons(facts, (first[1], second[1]), others, rng)
    rng.shuffle(asked)
    return list(dict.fromkeys(worded(question, rng) for question in asked))[:count]


def comparisons(
    facts: tuple[Facts, Facts], actions: tuple[Sequence[str], Sequence[str]], others: Sequence[str], rng: random.Random
) -> list[Question]:
    """Make the questions about two clips.

    Args:
        facts: measured in each clip.
        actions: labels of each clip in order of time.
        others: labels of other clips, of which one is asked about that neither clip shows.
        rng: random generator.
    """
    found = list(_measured(facts))
    known = [label for label in (*actions[0], *actions[1]) if askable(label)]
    absent = [label for label in others if askable(label)]
    for label in dict.fromkeys([*known, *([rng.choice(absent)] if absent else [])]):
        shown = [_shows(label, labels, one) for labels, one in zip(actions, facts, strict=True)]
        if None in shown:
            continue
        slots = verb_slots(label)
        which = WHICH[2 if all(shown) else 3 if not any(shown) else int(bool(shown[1]))]
        found.append(Question("comparison", "compare_action", which, slots, WHICH))
        found.append(Question("comparison", "compare_both", yes_no(all(shown)), slots, YES_NO))
    for nth, labels in zip(("first", "second"), actions, strict=True):
        if labels and len(labels) <= 3 and all(map(askable, labels)):
            found.append(Question("comparison", "compare_of", _told(labels), {"nth": nth}))
    if actions[0] and actions[1]:
        if list(actions[0]) == list(actions[1]):
            found.append(Question("comparison", "compare_same", "yes", {}, YES_NO))
        elif all(absent_from(label, set(actions[1])) for label in actions[0]):
            detail = f"the first shows {_told(actions[0])}, the second {_told(actions[1])}"
            found.append(Question("comparison", "compare_same", "no", {}, YES_NO, {DETAIL: detail}))
    return found


def _told(labels: Sequence[str]) -> str:
    return ", then ".join(map(participle, labels))


def _shows(label: str, labels: Sequence[str], facts: Facts) -> bool | None:
    """Tell whether a clip shows an action; None where neither label nor facts decide."""
    if label in labels:
        return True
    return False if labels and absent_from(label, set(labels)) and not may_happen(label, facts) else None


def _measured(facts: tuple[Facts, Facts]) -> Iterator[Question]:
    for name, kind in _MEASURES.items():
        values = [kind.of(one) for one in facts]
        if values[0] is None or values[1] is None:
            continue
        small, large = sorted((values[0], values[1]))
        forms = [name, *([kind.less] if kind.less else [])]
        told = {VALUES: " and ".join(map(kind.written.format, values))} if kind.written else {}
        if name == "higher_jump" and not large:
            continue
        if large - small < kind.least / 2 and large <= _SAME * small:
            yield from (Question("comparison", f"compare_{form}", ALIKE, {}, (*CLIPS, ALIKE), told) for form in forms)
        elif large - small >= kind.least and large >= _LARGER * small:
            for form in forms:
                taken = int(values[1] > values[0]) ^ (form != name)
                yield Question("comparison", f"compare_{form}", CLIPS[taken], {}, (*CLIPS, ALIKE), told)


@cache
def _texts() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in read_people("comparisons"):
        found.setdefault(row["form"], []).append(row["text"])
    return found


def worded(question: Question, rng: random.Random) -> tuple[str, str]:
    """Word a question about two clips as people type it, and return it with its spoken answer."""
    slots, _ = renamed(question.slots, question.answer, rng) if "do" in question.slots else (question.slots, "")
    text = rng.choice(_texts()[question.form]).format(**slots)
    answer = spoken(question.answer, question.evidence)
    if values := question.evidence.get(VALUES):
        answer = f"{values}: {answer}"
    return as_written(text, rng, closed=question.options == YES_NO), answer


def verdict(text: str, options: Sequence[str] = ()) -> str:
    """Return the bare answer about two clips: "3.6 s and 5.3 s: the second clip" is "the second clip"."""
    return bare_answer(text.rpartition(": ")[2], options)
