"""Turn the chats of `questions/dialogues.jsonl` into chats about one clip: every turn with the answer of this clip.

A turn names its form. Its answer is that of a question of this form about the clip, whose slots (the action, the limb,
the hand) the chat has named: in the turn itself, or in the turn that it refers to and its answer. A chat ends before
the first turn without such an answer; chats of a single turn are left out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from vimonet.language import mirror_text
from vimonet.vimos.annotators.annotate import VERBS
from vimonet.vimos.annotators.kinematic.closed_answers import CANNOT_TELL
from vimonet.vimos.annotators.kinematic.declined_questions import constant, no_fall
from vimonet.vimos.types import DETAIL, Question, spoken
from vimonet.vimos.wordings import ask, asked_as, read_people

Chat = list[tuple[str, str]]

_SIDED = ("limb_moves", "joint_angle", "range_of_motion", "fact_yes_no", "hand_height", "knee_straight", "arm_straight")
"""Forms that can be asked of the left and of the right."""
_THE_OTHER = (
    *("and the other one?", "what about the other side?", "and the {side} one?", "and the {side}?", "the {side} one?"),
    *("same question for the {side}", "now the {side} one", "how about the other?", "and on the {side}?", "the other?"),
    *("ok, and the opposite side?", "What is it for the {side} side?", "and {side}?"),
)
OTHER_HAND = (
    *("and the other hand?", "the other one too?", "does the other hand go up as well?", "and the other arm?"),
    *("is the other hand raised too?", "other hand as well?", "What about the other hand?", "both of them?"),
)
_AND_THAT = (
    *("and {doing}?", "{doing}, then?", "what about {doing}?", "or rather {doing}?", "or does he {do}?", "so {doing}?"),
    *("is it {doing}?", "And does she {do}?", "then it's {doing}, right?", "how about {doing}?", "not {doing}?"),
)
"""Second turns: the same question about the other side, the other hand, another action."""

_PASSING = frozenset(
    ("the", "a", "an", "to", "in", "on", "of", "and", "with", "do", "something", "someone", "up", "down")
)
"""Words of an action phrase that a chat need not repeat."""

_POINTS = re.compile(r"\b(other|again|second time|wrong|not)\b")
"""Turns that point at what was not named: answered only if their form needs no name."""

_OTHER = re.compile(r"\bother\b")
"""Turns about somebody or something else, which no question is about."""

_CANNOT_ANSWER = frozenset(
    (
        *("skip the walking", "and when was he running?", "what is the one on the left doing?", "in which hand?"),
        *("does anything happen between 2 and 4 s?", "and a second later?", "at the top", "by how many seconds?"),
        *("Is she sitting at the start?",),
    )
)
"""Turns that ask for a variant of an answer which no question has."""

_GENERIC = frozenset(("do", "get", "take", "make", "give", "show", "look", "move", "start", "hold", "point", "shoot"))
_BODY = frozenset(("arm", "leg", "hand", "foot", "feet", "knee", "elbow"))

_SURE = {
    "label": "fairly sure, it is what the movement looks like",
    "measured": "quite sure, it is measured from the joints",
    CANNOT_TELL: "yes, the recording does not show it",
}
_LABELLED = frozenset(
    (
        *("action", "first", "last", "after", "before", "order", "order_yes_no", "second_action", "third_action"),
        *("between", "last_of_two", "longer_action", "takes_longest", "list_actions", "timeline", "at_time", "yes_no"),
        *("near_yes_no", "choice", "choice_or_none", "either_or", "activity", "caption", "at_beginning", "at_end"),
        *("sport_or_everyday", "which_sport", "which_exercise", "held_object", "part_time", "part_start", "part_end"),
    )
)
"""Forms whose answers rest on labels; all others are measured."""

_MEASURED = {
    "the way of the pelvis over the ground was measured": (
        *("displacement", "distance", "sideways_drift", "returns", "leaves_circle", "path_length", "first_half"),
        "second_half",
    ),
    "the speed of the pelvis was measured": ("speed", "pace_change", "top_speed"),
    "the turn of hips and shoulders was measured": (
        *("turn", "turn_amount", "turn_count", "first_turn", "last_turn", "turns_both_ways", "same_facing"),
        *("turn_again", "turn_time"),
    ),
    "the heights of the hands over the shoulders were measured": (
        *("raised_hand", "higher_hand", "hand_over_head", "first_hand_up", "raise_count", "hand_up_time"),
    ),
    "the speeds of the limbs were measured": (
        *("more_active_arm", "more_active_leg", "arms_or_legs", "most_active_limb", "limb_moves", "least_active_limb"),
    ),
    "the heights of pelvis, knees and trunk were measured": (
        *("posture", "posture_start", "posture_end", "posture_change", "goes_low", "stays_on_feet", "torso"),
    ),
    "the contacts of the feet with the floor were counted": ("steps", "first_step", "cadence"),
    "moments with both feet off the floor were looked for": ("jump_count", "both_feet_off", "jump_again"),
    "the repeating movement of a limb was counted": ("count", "cycle_time", "repeated", "repeated_limb"),
}
_BECAUSE = {form: why for why, forms in _MEASURED.items() for form in forms}
"""Form -> what its answer rests on; any other is measured from the joints."""


def dialogues_of(questions: Sequence[Question], rng: random.Random) -> list[Chat]:
    """Make the chats that the questions of a clip can answer, in random order; those that tell more tend to come first.

    Args:
        questions: all questions about one clip (`annotate.questions_of`).
        rng: source of the order, and of the choice between questions that answer the same turn.

    Returns:
        Chats of at least two turns: [(question as typed, spoken answer), ...].
    """
    by_form: dict[str, list[Question]] = {}
    for question in questions:
        by_form.setdefault(asked_as(question.form), []).append(question)
    ranked = []
    for turns, refers in _dialogues():
        chat, told = _answered(turns, refers, by_form, rng)
        if len(chat) > 1:
            ranked.append((rng.random() ** (1.0 / (0.2 + told)), chat))
    ranked += [(rng.random() ** (1.0 / (0.2 + len(chat))), chat) for chat in _followed_up(by_form, rng)]
    ranked.sort(key=lambda item: -item[0])
    return [chat for _, chat in ranked]


def _followed_up(by_form: Mapping[str, list[Question]], rng: random.Random) -> Iterator[Chat]:
    """Ask a question, and then ask it briefly about the other side, the other hand or another action."""
    sided = [q for form in _SIDED for q in by_form.get(form, ())]
    pairs = [(a, b) for a in sided for b in sided if a.form == b.form and _across(a) == b.slots != a.slots]
    if pairs:
        first, second = rng.choice(pairs)
        side = "left" if "left" in " ".join(second.slots.values()) else "right"
        turn = rng.choice(_THE_OTHER).format(side=side)
        yield [_turn(first, rng), (turn, spoken(second.answer, second.evidence))]
    for question in by_form.get("raised_hand", ()):
        if question.answer.split(" ")[0] in ("left", "right", "both"):
            other = "yes" if question.answer.startswith("both") else "no"
            yield [_turn(question, rng), (rng.choice(OTHER_HAND), other)]
    checked = [q for form in ("yes_no", "near_yes_no") for q in by_form.get(form, ())]
    yes, no = ([q for q in checked if q.answer == answer] for answer in ("yes", "no"))
    if yes and no:
        asked = [rng.choice(yes), rng.choice(no)]
        rng.shuffle(asked)
        turn = rng.choice(_AND_THAT).format(**asked[1].slots)
        yield [_turn(asked[0], rng), (turn, spoken(asked[1].answer, asked[1].evidence))]


def _across(question: Question) -> dict[str, str]:
    return {key: mirror_text(text) for key, text in question.slots.items()}


def _turn(question: Question, rng: random.Random) -> tuple[str, str]:
    slots: Mapping[str, Any] = question.slots
    text = ask(question.form, rng, people=rng.random() < 0.5, **slots)
    return text, spoken(question.answer, question.evidence)


@cache
def _dialogues() -> list[tuple[list[tuple[str, str]], list[int | None]]]:
    """Read the chats: turns (text, form), and the index of the turn that each refers to."""
    found = []
    for row in read_people("dialogues"):
        turns = [(text, form.removeprefix("new:")) for text, form in row["dialogue"]]
        found.append((turns, [None if to is None else to["turn"] - 1 for to in row["refers"]]))
    return found


def _answered(
    turns: Sequence[tuple[str, str]],
    refers: Sequence[int | None],
    by_form: Mapping[str, list[Question]],
    rng: random.Random,
) -> tuple[Chat, int]:
    """Answer the turns of a chat as far as they can be answered; count those that the clip itself answers."""
    chat: Chat = []
    given: list[Question] = []
    told = 0
    for (text, form), to in zip(turns, refers, strict=True):
        named, at = text, to
        while at is not None:
            named, at = f"{turns[at][0]} {given[at].answer} {' '.join(given[at].slots.values())} {named}", refers[at]
        about = None if to is None else given[to]
        fixed = _fixed(form, by_form)
        question = fixed or _of_talk(form, text, about, by_form) or _of_clip(form, text, named, by_form, rng)
        if question is None:
            break
        told += fixed is None
        given.append(question)
        chat.append((text, spoken(question.answer, question.evidence)))
    return chat, told


def _fixed(form: str, by_form: Mapping[str, list[Question]]) -> Question | None:
    """Answer a form whose answer is the same for every clip, or for every clip in which nobody falls."""
    if form == "fall_cause":
        upright = any(q.slots["do"] == "fall" and q.answer == "no" for q in by_form.get("fact_yes_no", ()))
        return no_fall() if upright else constant(form)
    return constant(form)


def _of_talk(form: str, text: str, about: Question | None, by_form: Mapping[str, list[Question]]) -> Question | None:
    """Answer a turn about the answer before it, or one that offers two actions."""
    if form == "either_or":
        happening = [q for q in by_form.get("action", ()) if _stems(text) & _stems(q.answer) - _stems_of(_PASSING)]
        return happening[0] if len(happening) == 1 and ", then " not in happening[0].answer else None
    if about is None or form not in ("certainty", "why_answer", "reword"):
        return None
    if form == "reword":
        actions = by_form.get("action", ())
        if "short" in text and actions and actions[0].answer != CANNOT_TELL and len(about.answer.split()) > 1:
            return actions[0]
        return Question("talk", form, _in_a_sentence(about.answer), {}, (), about.evidence)
    if about.answer == CANNOT_TELL:
        answer = _SURE[CANNOT_TELL] if form == "certainty" else about.evidence.get(DETAIL, "the joints do not show it")
        return Question("talk", form, str(answer), {}, (), {})
    labelled = about.form in _LABELLED
    if form == "certainty":
        return Question("talk", form, _SURE["label" if labelled else "measured"], {}, (), {})
    looks = "the movement as a whole looks like it"
    because = looks if labelled else _BECAUSE.get(about.form, "it was measured from the joints")
    return Question("talk", form, because, {}, (), {})


def _in_a_sentence(answer: str) -> str:
    """Say an answer again, as a sentence of its own."""
    answer = answer.rstrip(".")
    verb = answer.split(" ", 1)[0]
    if verb.endswith("ing"):
        return f"The person is {answer}."
    if answer.lower().startswith(("the person", "a person", "someone", "a man")):
        return answer[:1].upper() + answer[1:] + "."
    return f"The answer is: {answer}."


def _of_clip(
    form: str, text: str, named: str, by_form: Mapping[str, list[Question]], rng: random.Random
) -> Question | None:
    """Find a question of the form about the clip, whose slots the chat has named."""
    asked = by_form.get(asked_as(form), [])
    if text in _CANNOT_ANSWER or _OTHER.search(text.lower()):
        return None
    if not any(question.slots for question in asked):
        return rng.choice(asked) if asked and len({question.answer for question in asked}) == 1 else None
    if _POINTS.search(text.lower()):
        return None
    own = _stems(text)
    words = own if own & _BODY else _stems(named)
    verbs = own & _verbs()
    fitting = [q for q in asked if _slots(q) and _slots(q) <= words and (not verbs or verbs & _slots(q))]
    # Take the question with the most words that the chat names; its side must be the one that the chat names.
    most = max((len(_slots(question)) for question in fitting), default=0)
    best = [q for q in fitting if len(_slots(q)) == most]
    sides = {"left", "right"} & own
    best = [q for q in best if not sides or sides <= _slots(q)]
    return rng.choice(best) if best and len({question.answer for question in best}) == 1 else None


def _slots(question: Question) -> frozenset[str]:
    """List the stems of the words that a question's slots hold; of a verb, one inflection."""
    slots = dict(question.slots)
    for inflected in ("does", "doing"):
        if "do" in slots:
            slots.pop(inflected, None)
    return _stems(" ".join(slots.values())) - _stems_of(_PASSING)


@cache
def _verbs() -> frozenset[str]:
    """List the stems of verbs that name an action: a turn with one of its own asks about that action."""
    named = {pair[key].split()[0] for pair in read_people("contrasts") for key in "ab"}
    return _stems_of(named | VERBS) - _stems_of(_GENERIC)


def _stems(text: str) -> frozenset[str]:
    return _stems_of(re.findall(r"[a-z0-9.]+", text.lower()))


def _stems_of(words: Iterable[str]) -> frozenset[str]:
    return frozenset(_stem(word.strip(".")) for word in words)


_IRREGULAR = {"fell": "fall", "fallen": "fall", "sat": "sit", "stood": "stand", "threw": "throw", "ran": "run"}


def _stem(word: str) -> str:
    """Cut the ending of a verb or noun, so that "waving", "waves" and "wave" are one."""
    word = _IRREGULAR.get(word, word)
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) > 2 and not word.endswith("ss"):
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "lsz":
                word = word[:-1]
            break
    return word.removesuffix("e")
