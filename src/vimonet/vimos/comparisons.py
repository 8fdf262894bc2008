"""Ask about two clips at once: which shows an action, what each shows, and which has more of a measure.

The answers follow from the labels of both clips and from their facts. A difference near the threshold is not asked:
below a twelfth two values are "about the same", from a quarter on one is larger.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Final

from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.vimos.action_labels import participle, verb_slots
from vimonet.vimos.action_names import renamed
from vimonet.vimos.annotators.annotate import askable
from vimonet.vimos.annotators.kinematic.closed_answers import YES_NO, yes_no
from vimonet.vimos.label_consistency import absent_from, may_happen
from vimonet.vimos.types import DETAIL, Question, spoken
from vimonet.vimos.wordings import as_written, read_people

CLIPS: Final = ("the first clip", "the second clip")
ALIKE: Final = "about the same"
WHICH: Final = (*CLIPS, "both", "neither")

_LARGER, _SAME = 1.25, 1.08  # ratios of two values


def _jump(facts: Facts) -> float | None:
    return None if facts.jumps is None else max((jump.height for jump in facts.jumps), default=0.0)


def _turn(facts: Facts) -> float | None:
    return None if facts.turns is None else float(sum(abs(turn.degrees) for turn in facts.turns))


def _hand(facts: Facts) -> float | None:
    tops = facts.held.hand_top if facts.held else None
    return max(top.height for top in tops.values()) if tops else None


def _lowered(facts: Facts) -> float | None:
    return None if facts.lowest_pelvis is None else 1.0 - facts.lowest_pelvis


_MEASURES: Final[dict[str, tuple[Callable[[Facts], float | None], float, str]]] = {
    "faster": (lambda facts: facts.mean_speed, 0.2, "{:.2f} m/s"),
    "farther": (lambda facts: facts.path_length, 0.5, "{:.1f} m"),
    "longer": (lambda facts: facts.duration, 0.5, "{:.1f} s"),
    "more_steps": (lambda facts: None if facts.steps is None else float(len(facts.steps)), 2.0, "{:.0f}"),
    "higher_jump": (_jump, 0.06, "{:.2f} m"),
    "higher_hand": (_hand, 0.12, "{:.2f} m"),
    "turns_more": (_turn, 45.0, "{:.0f} degrees"),
    "lower": (_lowered, 0.12, ""),
}
"""Form -> the measure, the least difference that is asked about, and how a value is written."""

_LESS: Final = {"slower": "faster", "shorter": "longer", "fewer_steps": "more_steps"}
"""Form that asks for the smaller value -> form of the same measure."""


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
    return [worded(question, rng) for question in asked[:count]]


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
    for label in dict.fromkeys([*known, *rng.sample(absent, min(1, len(absent)))]):
        shown = [_shows(label, labels, one) for labels, one in zip(actions, facts, strict=True)]
        if None in shown:
            continue
        slots = verb_slots(label)
        which = WHICH[2 if all(shown) else 3 if not any(shown) else int(bool(shown[1]))]
        found.append(Question("pair", "pair_action", which, slots, WHICH))
        found.append(Question("pair", "pair_both", yes_no(all(shown)), slots, YES_NO))
    for nth, labels in zip(("first", "second"), actions, strict=True):
        if labels and len(labels) <= 3 and all(map(askable, labels)):
            found.append(Question("pair", "pair_of", ", then ".join(map(participle, labels)), {"nth": nth}))
    if actions[0] and actions[1]:
        if list(actions[0]) == list(actions[1]):
            found.append(Question("pair", "pair_same", "yes", {}, YES_NO))
        elif all(absent_from(label, set(actions[1])) for label in actions[0]):
            told = [", then ".join(map(participle, labels)) for labels in actions]
            detail = f"the first shows {told[0]}, the second {told[1]}"
            found.append(Question("pair", "pair_same", "no", {}, YES_NO, {DETAIL: detail}))
    return found


def _shows(label: str, labels: Sequence[str], facts: Facts) -> bool | None:
    """Tell whether a clip shows an action; None where neither label nor facts decide."""
    if label in labels:
        return True
    return False if labels and absent_from(label, set(labels)) and not may_happen(label, facts) else None


def _measured(facts: tuple[Facts, Facts]) -> Iterator[Question]:
    for name, (value_of, least, written) in _MEASURES.items():
        values = [value_of(one) for one in facts]
        if values[0] is None or values[1] is None:
            continue
        small, large = sorted((values[0], values[1]))
        if name == "higher_jump" and not large:
            continue
        if large - small >= least and large >= _LARGER * small:
            more = int(values[1] > values[0])
        elif large - small < least / 2 and large <= _SAME * small:
            more = -1
        else:
            continue
        detail = f"{written} against {written}" if written else ""
        for form in (name, *(less for less, of in _LESS.items() if of == name)):
            taken = more if form == name else 1 - more
            if more < 0:
                yield Question("pair", f"pair_{form}", ALIKE, {}, (*CLIPS, ALIKE))
            else:
                told = {DETAIL: detail.format(values[taken], values[1 - taken])} if detail else {}
                yield Question("pair", f"pair_{form}", CLIPS[taken], {}, (*CLIPS, ALIKE), told)


@cache
def _texts() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for row in read_people("pairs"):
        found.setdefault(row["form"], []).append(row["text"])
    return found


def worded(question: Question, rng: random.Random) -> tuple[str, str]:
    """Word a question about two clips as people type it, and return it with its spoken answer."""
    slots, _ = renamed(question.slots, question.answer, rng) if "do" in question.slots else (question.slots, "")
    text = rng.choice(_texts()[question.form]).format(**slots)
    return as_written(text, rng, closed=question.options == YES_NO), spoken(question.answer, question.evidence)
