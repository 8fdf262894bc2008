"""Make questions from captions by templates over the parse of `caption_grammar`, without a language model.

The rules abstain, unlike question sets that GPT-4 made from captions (H3DQA). They ask only for what a caption states.
They call an action absent only if no caption of the clip names it and the measured facts exclude it. Captions that
contradict each other give no question.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from vimonet.motion.kinematics import Facts
from vimonet.vimos.action_labels import participle, third_person, verb_slots
from vimonet.vimos.annotators.caption_grammar import CONTENT, TRANSITIVE, TRAVEL, TURN, Event, Reading, forms, read
from vimonet.vimos.parquet import Instruction
from vimonet.vimos.types import Question
from vimonet.vimos.wordings import WHO

FORMS: dict[str, dict[str, object]] = CONTENT["forms"]
"""Question form -> style and wordings; the last wording of each is kept for the test."""

YES_NO = ("yes", "no")
_DIRECTIONS = ("forward", "backward", "sideways", "left", "right")
_OPPOSITE = {"forward": "backward", "backward": "forward", "left": "right", "right": "left"}
_OF_LIMBS = {"wave", "move", "swing", "bend", "stretch", "stomp", "twist"}
_PATHS = ("straight", "in a circle", "in a curve")

# Action -> words that would name it in a caption, and whether the facts exclude it.
_Exclusion = Callable[[Facts], bool]
_ABSENT: dict[str, tuple[str, _Exclusion]] = {
    "jump": (r"jump|hop|leap|skip|flip|bounc|danc|ballet|air", lambda f: f.jumps == () and not f.falls),
    "sit down": (r"s[ia]t|chair|seat|squat|crouch|kneel|knelt|floor|ground|l[iay]+s?\b|lying", lambda f: _upright(f)),
    "lie down": (r"l[iay]+s?\b|lying|floor|ground|roll|crawl|fall|fell|push-?ups?|sleep", lambda f: _upright(f)),
    "crawl": (r"crawl|knee|fours|floor|ground|climb", lambda f: _upright(f)),
    "kneel": (r"kne|squat|crouch|lunge|floor|ground|propos", lambda f: _upright(f)),
    "turn around": (
        r"turn|spin|spun|rotat|pivot|circle|curve|danc|u-turn|bend|arc|back|pirouette|around",
        lambda f: f.turns == () and f.net_turn is not None and abs(f.net_turn) < 15,
    ),
    "raise a hand above the head": (
        r"hand|arm|wav|rais|lift|reach|climb|throw|thr[eo]w|stretch|swing|jack|danc|up\b|over|above|grab|salut",
        lambda f: len(f.hand_height) == 2 and max(f.hand_height.values()) < -0.1,
    ),
    "run": (r"r[ua]n|jog|sprint|dash|fast|quick|hurr|rush|race", lambda f: _below(f.peak_speed, 1.0)),
    "walk to another place": (
        r"walk|step|mov|go|went|r[ua]n|jog|march|stroll|strid|forward|backward|jump|hop|crawl|stumbl|pac",
        lambda f: f.path_length is not None and f.path_length < 0.25 and f.displacement_direction == "in place",
    ),
    "bow": (r"bow|bend|bent|lean|pick|touch|duck|stretch|crouch|squat", lambda f: _below(f.trunk_inclination, 15)),
}


def from_caption(caption: str, tokens: str = "") -> list[Question]:
    """Make the questions that one caption answers.

    Args:
        caption: a sentence about a movement.
        tokens: lemmatised ``word/POS`` tokens of HumanML3D, or empty.

    Returns:
        Questions of the forms in `FORMS`, whose evidence is the caption and the words behind the answer; empty for a
        caption that the grammar does not parse.
    """
    reading = read(caption, tokens)
    found = [*_single(reading), *_sequence(reading)]
    for event in reading.events:
        found += _details(event, alone=len(reading.events) == 1 and reading.complete, reading=reading)
    return [_with(question, caption) for question in found]


def from_captions(
    captions: Sequence[str],
    rng: random.Random,
    *,
    tokens: Sequence[str] = (),
    facts: Facts | None = None,
    unseen: bool = False,
) -> list[Instruction]:
    """Write questions about a clip from all its captions, with at most as many absent actions as present ones.

    Args:
        captions: sentences about the clip.
        rng: random generator.
        tokens: ``word/POS`` tokens of each caption, or empty.
        facts: measured facts; None asks about no absent action.
        unseen: use the wordings kept for the test.
    """
    questions = [q for i, text in enumerate(captions) for q in from_caption(text, tokens[i] if i < len(tokens) else "")]
    present = sum(q.form == "caption_happens" for q in questions)
    absent = list(_absent(captions, facts)) if facts is not None else []
    rng.shuffle(absent)
    questions += absent[:present]
    answers: dict[tuple[object, ...], set[str]] = {}
    for question in questions:
        answers.setdefault(_asked(question), set()).add(question.answer)
    out, done = [], set()
    for question in questions:
        key = _asked(question)
        if len(answers[key]) == 1 and key not in done and not _disputed(question, captions):
            done.add(key)
            out.append(_word(question, rng, unseen))
    return out


def _disputed(question: Question, captions: Sequence[str]) -> bool:
    """Tell whether another caption names the direction that this question denies."""
    if question.form != "caption_direction_is" or question.answer != "no":
        return False
    way = question.slots["do"].split()[-1]
    others = " ".join(text for text in captions if text != question.evidence["caption"]).lower()
    return re.search(rf"\b{way}", others) is not None


def _asked(question: Question) -> tuple[object, ...]:
    return question.form, *sorted(question.slots.items())


def _with(question: Question, caption: str) -> Question:
    return Question(
        question.kind,
        question.form,
        question.answer,
        question.slots,
        question.options,
        {"caption": caption, **question.evidence},
    )


def _word(question: Question, rng: random.Random, unseen: bool) -> Instruction:
    form = FORMS[question.form]
    wordings = form["wordings"]
    assert isinstance(wordings, list)
    wording = wordings[-1] if unseen else rng.choice(wordings[:-1])
    text = str(wording).format(who="the person" if unseen else rng.choice(WHO), **question.slots)
    return Instruction.of(
        question, text[:1].upper() + text[1:], str(form["style"]), "caption", "unseen" if unseen else "seen"
    )


def _ask(form: str, event: Event, answer: str, options: Sequence[str] = (), **slots: str) -> Question:
    style = str(FORMS[form]["style"])
    kind = "yes_no" if tuple(options) == YES_NO else style
    return Question(kind, form, answer, slots, tuple(options), {"words": event.words})


def _single(reading: Reading) -> Iterator[Question]:
    """Ask about the action of a fully parsed caption, and about the presence of every action."""
    if len(reading.events) == 1 and reading.complete:
        (event,) = reading.events
        yield _ask("caption_action", event, participle(event.phrase))
    for event in {event.phrase: event for event in reading.events}.values():
        yield _ask("caption_happens", event, "yes", YES_NO, **verb_slots(event.phrase))


def _sequence(reading: Reading) -> Iterator[Question]:
    """Ask for the order that a fully parsed caption states in words."""
    events = reading.events
    verbs = [event.verb for event in events]
    if not reading.complete or len(events) < 2 or len(set(verbs)) < len(verbs):
        return
    doing = [participle(event.phrase) for event in events]
    if reading.together:
        yield _ask("caption_together", events[1], doing[0], doing=doing[1])
        yield _ask("caption_together", events[0], doing[1], doing=doing[0])
    if not reading.ordered:
        return
    yield _ask("caption_first", events[0], doing[0])
    yield _ask("caption_last", events[-1], doing[-1])
    for (a, first), (b, second) in pairwise(zip(events, doing, strict=True)):
        yield _ask("caption_after", b, second, doing=first)
        yield _ask("caption_before", a, first, doing=second)
        pair = sorted((first, second))
        yield _ask("caption_which_first", a, first, pair, a=pair[0], b=pair[1])
        yield _ask("caption_order", a, "yes", YES_NO, a=first, b=second)
        yield _ask("caption_order", a, "no", YES_NO, a=second, b=first)


def _details(event: Event, *, alone: bool, reading: Reading) -> Iterator[Question]:
    """Ask for direction, limb, count and manner of a verb that the caption uses once."""
    if sum(other.verb == event.verb for other in reading.events) > 1:
        return
    verb = {"do": event.phrase, "does": third_person(event.phrase), "doing": participle(event.phrase)}
    if event.direction is not None:
        if event.verb in TURN:
            if event.direction in ("left", "right"):
                yield _ask("caption_turn", event, event.direction, ("left", "right"), do=event.phrase)
        else:
            yield _ask("caption_direction", event, event.direction, _DIRECTIONS, do=verb["do"], doing=verb["doing"])
        opposite = _OPPOSITE.get(event.direction)
        # A caption may mention one of several directions; a single, fully parsed action leaves no other.
        if alone and opposite and event.path in (None, "straight"):
            for way, answer in ((event.direction, "yes"), (opposite, "no")):
                to = f"to the {way}" if way in ("left", "right") else way
                slots = verb_slots(f"{event.phrase} {to}")
                yield _ask("caption_direction_is", event, answer, YES_NO, do=slots["do"], does=slots["does"])
    if event.degrees is not None:
        yield _ask("caption_turn_amount", event, f"{event.degrees} degrees", do=verb["do"], does=verb["does"])
    if event.path is not None and event.verb in TRAVEL:
        yield _ask("caption_path", event, event.path, _PATHS, do=verb["do"], does=verb["does"])
    if event.used is not None and (event.verb not in TRAVEL or event.verb in ("hop", "jump")):
        yield from _limb("caption_used", event, *event.used, phrase=event.phrase)
    if event.moved is not None and event.verb in TRANSITIVE | _OF_LIMBS:
        yield from _limb("caption_moved", event, *event.moved, phrase=event.verb)
    if alone and event.count is not None and event.verb not in TRAVEL - {"hop", "jump", "leap", "skip"}:
        yield _ask("caption_count", event, str(event.count), do=verb["do"], does=verb["does"])
    if alone and event.steps is not None:
        yield _ask("caption_steps", event, str(event.steps))
    if event.speed is not None:
        yield _ask("caption_speed", event, event.speed, ("slowly", "quickly"), do=verb["do"], doing=verb["doing"])
    if event.manner is not None:
        yield _ask("caption_manner", event, event.manner, (), **verb)


def _limb(form: str, event: Event, side: str, part: str, *, phrase: str) -> Iterator[Question]:
    plural = {"foot": "feet"}.get(part, f"{part}s")
    options = (f"the left {part}", f"the right {part}", f"both {plural}")
    answer = options[("left", "right", "both").index(side)]
    yield _ask(form, event, answer, options, limb=part, do=phrase, does=third_person(phrase))


def _below(value: float | None, limit: float) -> bool:
    """Tell whether a measure exists and is below the limit."""
    return value is not None and value < limit


def _upright(facts: Facts) -> bool:
    """Tell whether somebody stands all the time, by posture and by the height of the pelvis."""
    standing = facts.posture is not None and all(part.label == "standing" for part in facts.posture)
    return standing and (facts.lowest_pelvis or 0.0) > 0.85


def _absent(captions: Sequence[str], facts: Facts) -> Iterator[Question]:
    """List actions that surely do not happen: in no caption, all of them understood, and excluded by measure."""
    readings = [read(caption) for caption in captions]
    if not readings or not all(reading.complete for reading in readings):
        return
    words = " ".join(" ".join(reading.words) for reading in readings)
    for action, (named, excluded) in _ABSENT.items():
        inflected = forms(action.split()[0]) & set(words.split())
        if not inflected and not re.search(rf"\b(?:{named})", words) and excluded(facts):
            evidence = {"captions": list(captions), "measured": "excluded by the facts"}
            slots = verb_slots(action)
            yield Question("yes_no", "caption_happens", "no", slots, YES_NO, evidence)
