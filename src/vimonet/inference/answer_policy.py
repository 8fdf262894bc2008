"""From a model's words to an answer: named policies, the same in `ask`, `stream`, captions and remote answers.

``raw`` leaves the words as they are. ``calibrated``

- lets a clear measurement, outside its dead zone, decide a question about that measurement (`measured_text`);
- withholds a name of an action, or a guess about 2D keypoints, that is less sure than the model's threshold, fitted
  on validation answers by Chow's rule (`scripts/fit_abstention_thresholds.py`), and answers what is measured instead;
- withholds what the recording cannot show: limbs out of view, numbers of people or things;
- never hides an event: a fall that is measured stands beside an answer that summarises the movement without it.

Every answer says which of these happened: its provenance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from vimonet.evidence import AGREES, CONTRADICTS, Evidence, describe
from vimonet.evidence.claims import ARM, LEG, SUBJECT, side_of_limb
from vimonet.evidence.measured import measured_answer
from vimonet.evidence.topics import asks_action, asks_part, counts_things, of_question
from vimonet.inference.answer import MEASURED, MIXED, WITHHELD, MeasuredClip
from vimonet.language import declines, normalise_question, polarity
from vimonet.motion.kinematics.preparation import SIDES, limbs_seen
from vimonet.utils.errors import InputError

CANNOT_TELL = "cannot tell"

_OF_ARMS = (
    r"(wav|clap|beckon|point|show|answer|rais|swip|draw|throw|catch|punch|box|(push|pull)(?!\w* up)|knock|strum|play"
    r"|curl|drink|reach|serv|swing|slash|sign|salut|hold|conduct)\w*"
)
_OF_LEGS = r"(walk|run|sprint|jog|step|kick|hop|jump|march|climb|squat|lung)\w*"
_OF_TRUNK = {"turn", "direction", "distance", "speed", "raised hand", "limb", "arms", "legs"}
"""Topics that the trunk shows, or that ask for their limbs by name."""
_SHOWN_IN_2D = {"raised hand", "arms", "direction", "turn"}
"""Topics of questions that 2D keypoints decide: one camera shows them plainly or not at all."""
_MEASURED_IN_2D = {"raised hand", "more active arm", "direction", "turn"}
"""The same, as evidence names them."""
_WHICH = re.compile(rf"\b(which|what) {ARM}\b")
_NEITHER = re.compile(r"\b(both|neither|none|not|equal\w*|same|alike|all|in place|keeps|stays)\b")
"""Answers that fit any choice."""
_BETWEEN = {"a", "an", "the", "to", "of", "in", "on", "at", "with", "and", "or", "it", "is", "are", "does", "person"}
_SENTENCE = re.compile(SUBJECT + r"\w+s\b")
_NAME = re.compile(r"\w+(?<!th)ing\b")
_TELLS_OF_FALL = re.compile(r"\b(fall|fell|drop|collaps|trip|tumbl|slip|faint|lie|lying|lay|down)\w*")


class Decision(NamedTuple):
    """The text of an answer, and its provenance."""

    text: str
    provenance: str


class AnswerPolicy(Protocol):
    """Decide what is answered."""

    def __call__(
        self,
        question: str,
        model_text: str,
        confidence: float | None,
        clip: MeasuredClip,
        thresholds: Mapping[str, float],
        beside_video: bool = False,
    ) -> Decision | None:
        """Decide one answer.

        Args:
            question, model_text: in the asker's and in the model's words.
            confidence: of the model's words, 0..1; None where the model states none: no threshold applies.
            clip: the movement that was asked about, measured only where its facts are needed.
            thresholds: the confidence below which words are put aside: ``action`` for a name of an action, ``caption``
                for a sentence about one, ``keypoints_2d`` for any other answer about 2D keypoints.
            beside_video: the model saw a video, too: only measurements speak against what it saw there.

        Returns:
            The decision; None where the model's words stand.
        """


def raw(*_: Any, **__: Any) -> Decision | None:
    """Leave the model's words as they are."""
    return None


def calibrated(
    question: str,
    model_text: str,
    confidence: float | None,
    clip: MeasuredClip,
    thresholds: Mapping[str, float],
    beside_video: bool = False,
) -> Decision | None:
    """Let measurements decide where they are clear, and put aside words that cannot be taken."""
    measured = measured_text(question, model_text, clip)
    if measured is not None:
        return Decision(measured, MEASURED)
    if beside_video:
        return None
    decision = apply_fallback(question, model_text, confidence, clip, thresholds)
    return _with_events(question, decision or Decision(model_text, ""), clip) or decision


POLICIES: dict[str, AnswerPolicy] = {"calibrated": calibrated, "raw": raw}
"""Name -> policy."""


def policy_of(name: str) -> AnswerPolicy:
    """Return a policy by its name.

    Raises:
        InputError: there is none of that name.
    """
    if name not in POLICIES:
        raise InputError(f"the answer policy is {name!r}; there are {' and '.join(POLICIES)}.")
    return POLICIES[name]


def measured_text(question: str, model_text: str, clip: MeasuredClip) -> str | None:
    """The answer of a clear 3D measurement to a question about it; None where none decides it, or the words agree."""
    if clip.motion.dimensions != 3 or (measured := measured_answer(question, clip.facts)) is None:
        return None
    said = normalise_question(model_text)
    if (yes := polarity(normalise_question(measured))) is not None:
        return None if polarity(said) == yes else measured
    verdicts = {item.verdict for item in clip.examine(question, model_text)}
    return None if AGREES in verdicts and not declines(said) else measured  # a number within its tolerance agrees


def _with_events(question: str, decision: Decision, clip: MeasuredClip) -> Decision | None:
    """The decision with a measured fall that its summary of the movement leaves out; None where it leaves out none."""
    asked = normalise_question(question)
    if clip.motion.dimensions != 3 or not asks_action(asked) or asks_part(asked):
        return None
    falls = clip.facts.falls
    if not falls or _TELLS_OF_FALL.search(normalise_question(decision.text)) or decision.text == CANNOT_TELL:
        return None
    times = ", ".join(f"{fall.start + clip.offset:.1f}-{fall.end + clip.offset:.1f} s" for fall in falls)
    return Decision(f"{decision.text}; drops to the ground, {times}", MIXED)


def apply_fallback(
    question: str, model_text: str, confidence: float | None, clip: MeasuredClip, thresholds: Mapping[str, float]
) -> Decision | None:
    """Put aside words that cannot be taken, for what is measured or for "cannot tell"; arguments as `AnswerPolicy`.

    A question about the action of the whole recording is then answered by `describe`, a question that 2D keypoints
    decide by these, any other by "cannot tell".
    """
    motion = clip.motion
    asked, said = normalise_question(question), normalise_question(model_text)
    sure = 1.0 if confidence is None else confidence
    flat = motion.dimensions == 2
    seen = limbs_seen(motion.confidence)
    yes = polarity(said)
    found = _in_image_plane(question, model_text, clip)
    if (truth := _truth_against(found, asked, said)) is not None:
        return Decision(truth, MEASURED)
    if declines(said):
        if _WHICH.search(asked) and (limb := _limb_shown(found)):
            return Decision(limb, MEASURED)
        likely = False
    elif (
        counts_things(asked)
        or any(not seen[limb] for limb in _limbs_asked(asked))
        or (flat and sure < 0.5 and _off_the_choice(asked, said))
    ):
        return Decision(CANNOT_TELL, WITHHELD)
    elif (
        flat
        and sure < thresholds.get("keypoints_2d", 0.0)
        and not (any(item.verdict == AGREES for item in found) or numeric(said) or asks_action(asked))
    ):
        # The image plane neither bears out nor denies "forward" of somebody who plainly moves to its right.
        truths = [item.truth for item in found if item.truth and yes is None]
        return Decision(truths[0], MEASURED) if truths else Decision(CANNOT_TELL, WITHHELD)
    elif yes is not None or re.search(r"\bor\b", asked):
        # A choice among answers; "yes" to an action is a name for it all the same.
        hidden = yes and not set(of_question(asked)) & _OF_TRUNK and not _made_by_seen(asked, seen)
        return Decision(CANNOT_TELL, WITHHELD) if hidden else None
    elif asks_action(asked) or _names(asked, said):
        threshold = thresholds.get("caption" if _SENTENCE.match(said) else "action", 0.0)
        likely = sure >= threshold and _made_by_seen(said, seen)
    else:
        return None
    if likely:
        return None
    described = describe(motion, clip.facts) if asks_action(asked) and not asks_part(asked) else None
    if described is not None:
        return Decision(described, MEASURED)
    return None if declines(said) else Decision(CANNOT_TELL, WITHHELD)


def _truth_against(found: list[Evidence], asked: str, said: str) -> str | None:
    """The answer of the first measurement that denies the model's; None where none does."""
    yes = polarity(said)
    for item in found:
        if item.verdict == CONTRADICTS:
            if yes is not None and not re.search(r"\bor\b", asked):
                return "no" if yes else "yes"
            if item.truth:
                return item.truth
    return None


def _in_image_plane(question: str, answer: str, clip: MeasuredClip) -> list[Evidence]:
    """The evidence of 2D keypoints on the topics that one camera shows.

    A model trained on projected recordings sees depth in keypoints that it can only guess.
    """
    if clip.motion.dimensions != 2 or not set(of_question(normalise_question(question))) & _SHOWN_IN_2D:
        return []
    return [item for item in clip.examine(question, answer) if item.topic in _MEASURED_IN_2D]


def _limb_shown(found: list[Evidence]) -> str:
    """The hand or arm that 2D keypoints plainly show to be up, or to move more; empty where they do not."""
    return next((item.truth for item in found if side_of_limb(item.truth, ARM)), "")


def numeric(said: str) -> bool:
    """Whether an answer is a count, a length or a time: these can be nearly right, and their confidence says so."""
    return bool(re.search(r"\d", said))


def _names(asked: str, said: str) -> bool:
    """Whether an answer names an action: "standing" and "running" also answer questions of posture and pace."""
    return bool(_SENTENCE.match(said) or _NAME.match(said)) and of_question(asked) not in (["posture"], ["speed"])


def _off_the_choice(asked: str, said: str) -> bool:
    """Whether a question says what there is to choose from, and an answer that claims something names none of it."""
    if not re.search(r"\bor\b", asked) or polarity(said) is not None or numeric(said) or _NEITHER.search(said):
        return False
    return not {_stem(word) for word in said.split()} & {_stem(word) for word in asked.split()} - _BETWEEN


def _stem(word: str) -> str:
    stem = re.sub(r"(?<=\w{3})(ing|ly|ed|es|s|wards?)$", "", re.sub(r"\W", "", word))
    return re.sub(r"([^aeiou])\1$", r"\1", stem)  # sits, sitting


def _limbs_asked(asked: str) -> list[str]:
    """The limbs without which a (normalised) question about limbs has no answer."""
    topic = next(iter(of_question(asked)), "")
    limb, pattern = ("arm", ARM) if topic in ("raised hand", "arms") else ("leg", LEG)
    if topic == "arms or legs":
        return [f"{side} {limb}" for limb in ("arm", "leg") for side in SIDES]
    if topic == "limb" and side_of_limb(asked, ARM) in SIDES:
        limb, pattern = "arm", ARM
    if topic not in ("raised hand", "arms", "legs", "steps", "limb"):
        return []
    one = side_of_limb(asked, pattern)
    return [f"{side} {limb}" for side in ((one,) if one in SIDES else SIDES)]


def _made_by_seen(action: str, seen: dict[str, bool]) -> bool:
    """Whether an action can be told by the limbs in view: without arms only one of legs, without legs one of arms."""
    arms, legs = (any(seen[f"{side} {limb}"] for side in SIDES) for limb in ("arm", "leg"))
    if arms and legs:
        return True
    made_by = _OF_ARMS if arms else _OF_LEGS if legs else None
    return made_by is not None and bool(re.search(rf"\b{made_by}", action))


__all__ = [
    "CANNOT_TELL",
    "POLICIES",
    "AnswerPolicy",
    "Decision",
    "apply_fallback",
    "calibrated",
    "measured_text",
    "numeric",
    "policy_of",
    "raw",
]
