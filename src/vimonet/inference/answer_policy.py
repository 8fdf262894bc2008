"""Turn model text into an answer by a named policy, the same for `ask`, `stream`, captions and remote answers.

``raw`` keeps the text. ``calibrated``

- answers a question about a measurement by that measurement if it lies outside its dead zone (`measured_text`);
- replaces the name of an action, or a guess about 2D keypoints, by measurements if its confidence is below the model's
  threshold, fitted on validation answers by Chow's rule (1970; `scripts/fit_abstention_thresholds.py`);
- declines what the recording cannot show: limbs out of view, numbers of people or things;
- adds a measured fall to a summary that leaves it out.

The provenance of an answer names the step that decided it.
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
"""Topics visible on the trunk, or whose questions name their limbs."""
_SHOWN_IN_2D = {"raised hand", "arms", "direction", "turn"}
"""Topics of questions that 2D keypoints decide: one camera shows them clearly or not at all."""
_WHICH = re.compile(rf"\b(which|what) {ARM}\b")
_NEITHER = re.compile(r"\b(both|neither|none|not|equal\w*|same|alike|all|in place|keeps|stays)\b")
"""Answers that fit any choice between alternatives."""
_BETWEEN = {"a", "an", "the", "to", "of", "in", "on", "at", "with", "and", "or", "it", "is", "are", "does", "person"}
_SENTENCE = re.compile(SUBJECT + r"\w+s\b")
_NAME = re.compile(r"\w+(?<!th)ing\b")
_TELLS_OF_FALL = re.compile(r"\b(fall|fell|drop|collaps|trip|tumbl|slip|faint|lie|lying|lay|down)\w*")


class Decision(NamedTuple):
    """Hold the text of an answer and its provenance."""

    text: str
    provenance: str


class AnswerPolicy(Protocol):
    """Turn model text into an answer."""

    def __call__(
        self,
        question: str,
        model_text: str,
        confidence: float | None,
        clip: MeasuredClip,
        thresholds: Mapping[str, float],
        beside_video: bool = False,
        reads_facts: bool = False,
    ) -> Decision | None:
        """Decide one answer.

        Args:
            question, model_text: question as asked, answer as generated.
            confidence: confidence of `model_text`, 0..1; None for models that state none: no threshold applies.
            clip: the movement; measured only if its facts are needed.
            thresholds: confidence below which the text is replaced: ``action`` for the name of an action, ``caption``
                for a sentence about one, ``keypoints_2d`` for any other answer about 2D keypoints.
            beside_video: whether the model read a video as well; then only 3D measurements replace its text.
            reads_facts: whether the facts are in the model's prompt; then only a clear measurement replaces its text,
                because it declines by itself.

        Returns:
            The decision; None to keep the model's text.
        """


def raw(*_: Any, **__: Any) -> Decision | None:
    """Keep the model's text."""
    return None


def calibrated(
    question: str,
    model_text: str,
    confidence: float | None,
    clip: MeasuredClip,
    thresholds: Mapping[str, float],
    beside_video: bool = False,
    reads_facts: bool = False,
) -> Decision | None:
    """Answer by clear measurements, and decline uncertain text; arguments as `AnswerPolicy`."""
    measured = measured_text(question, model_text, clip)
    if measured is not None:
        return Decision(measured, MEASURED)
    if reads_facts:
        return _with_events(question, Decision(model_text, ""), clip)
    if beside_video:
        return None
    decision = apply_fallback(question, model_text, confidence, clip, thresholds)
    return _with_events(question, decision or Decision(model_text, ""), clip) or decision


POLICIES: dict[str, AnswerPolicy] = {"calibrated": calibrated, "raw": raw}
"""Name -> policy."""


def policy_of(name: str) -> AnswerPolicy:
    """Return a policy by its name.

    Raises:
        InputError: no policy has that name.
    """
    if name not in POLICIES:
        raise InputError(f"the answer policy is {name!r}; there are {' and '.join(POLICIES)}.")
    return POLICIES[name]


def keeps_words(
    policy: AnswerPolicy, question: str, clip: MeasuredClip, *, beside_video: bool = False, reads_facts: bool = False
) -> bool:
    """Test whether a policy lets every answer to a question begin with the model's words; arguments as `AnswerPolicy`.

    Without a measurement that decides the question, `calibrated` changes the words of a model that reads the facts, or
    that read a video as well, in no other way than by adding a fall at their end.
    """
    if policy is raw:
        return True
    if clip.motion.dimensions == 3 and measured_answer(question, clip.facts) is not None:
        return False
    return reads_facts or beside_video


def measured_text(question: str, model_text: str, clip: MeasuredClip) -> str | None:
    """Answer a question by a clear 3D measurement; None if no measurement decides it, or if the text agrees."""
    if clip.motion.dimensions != 3 or (measured := measured_answer(question, clip.facts)) is None:
        return None
    answer = normalise_question(model_text)
    if (yes := polarity(normalise_question(measured))) is not None:
        return None if polarity(answer) == yes else measured
    verdicts = {item.verdict for item in clip.examine(question, model_text)}
    return None if AGREES in verdicts and not declines(answer) else measured  # a number within its tolerance agrees


def _with_events(question: str, decision: Decision, clip: MeasuredClip) -> Decision | None:
    """Add a measured fall to a summary of the movement; None if the summary leaves none out."""
    asked = normalise_question(question)
    if not asks_action(asked) or asks_part(asked):
        return None
    falls = clip.facts.fallen()
    if not falls or _TELLS_OF_FALL.search(normalise_question(decision.text)) or decision.text.startswith(CANNOT_TELL):
        return None
    times = ", ".join(f"{start + clip.offset:.1f}-{end + clip.offset:.1f} s" for start, end, _ in falls)
    again = ", and gets up again" if falls[-1][2] else ""
    return Decision(f"{decision.text}; drops to the ground, {times}{again}", MIXED)


def apply_fallback(
    question: str, model_text: str, confidence: float | None, clip: MeasuredClip, thresholds: Mapping[str, float]
) -> Decision | None:
    """Replace uncertain or contradicted text by measurements or "cannot tell"; arguments as `AnswerPolicy`.

    `describe` answers questions about the action of the whole recording, 2D keypoints answer questions they decide, and
    "cannot tell" answers all others.
    """
    motion = clip.motion
    asked, answer = normalise_question(question), normalise_question(model_text)
    confidence = 1.0 if confidence is None else confidence
    flat = motion.dimensions == 2
    seen = limbs_seen(motion.confidence)
    yes = polarity(answer)
    found = _in_image_plane(question, model_text, clip)
    if (truth := _truth_against(found, asked, answer)) is not None:
        return Decision(truth, MEASURED)
    if declines(answer):
        if _WHICH.search(asked) and (limb := _limb_shown(found)):
            return Decision(limb, MEASURED)
        likely = False
    elif (
        counts_things(asked)
        or any(not seen[limb] for limb in _limbs_asked(asked))
        or (flat and confidence < 0.5 and _off_the_choice(asked, answer))
    ):
        return Decision(CANNOT_TELL, WITHHELD)
    elif (
        flat
        and confidence < thresholds.get("keypoints_2d", 0.0)
        and not (any(item.verdict == AGREES for item in found) or numeric(answer) or asks_action(asked))
    ):
        # The image plane neither supports nor contradicts "forward" for a person who moves to its right.
        truths = [item.truth for item in found if item.truth and yes is None]
        return Decision(truths[0], MEASURED) if truths else Decision(CANNOT_TELL, WITHHELD)
    elif yes is not None or re.search(r"\bor\b", asked):
        # A choice between alternatives; "yes" to a question about an action names that action.
        hidden = yes and not set(of_question(asked)) & _OF_TRUNK and not _made_by_seen(asked, seen)
        return Decision(CANNOT_TELL, WITHHELD) if hidden else None
    elif asks_action(asked) or _names(asked, answer):
        threshold = thresholds.get("caption" if _SENTENCE.match(answer) else "action", 0.0)
        likely = confidence >= threshold and _made_by_seen(answer, seen)
    else:
        return None
    if likely:
        return None
    described = describe(motion, clip.facts) if asks_action(asked) and not asks_part(asked) else None
    if described is not None:
        return Decision(described, MEASURED)
    return None if declines(answer) else Decision(CANNOT_TELL, WITHHELD)


def _truth_against(found: list[Evidence], asked: str, answer: str) -> str | None:
    """Return the answer of the first measurement that contradicts the model's; None if none does."""
    yes = polarity(answer)
    for item in found:
        if item.verdict == CONTRADICTS:
            if yes is not None and not re.search(r"\bor\b", asked):
                return "no" if yes else "yes"
            if item.truth:
                return item.truth
    return None


def _in_image_plane(question: str, answer: str, clip: MeasuredClip) -> list[Evidence]:
    """Find the evidence of 2D keypoints on topics that one camera shows.

    A model trained on projected recordings estimates depth, which the keypoints do not show.
    """
    if clip.motion.dimensions != 2 or not set(of_question(normalise_question(question))) & _SHOWN_IN_2D:
        return []
    return [item for item in clip.examine(question, answer) if item.topic in _SHOWN_IN_2D]


def _limb_shown(found: list[Evidence]) -> str:
    """Name the hand or arm that 2D keypoints show raised or more active; empty if they show none."""
    return next((item.truth for item in found if side_of_limb(item.truth, ARM)), "")


def numeric(answer: str) -> bool:
    """Test whether an answer has a number: a count, length or time can be nearly right at a low confidence."""
    return bool(re.search(r"\d", answer))


def _names(asked: str, answer: str) -> bool:
    """Test whether an answer names an action; "standing" and "running" also answer questions of posture and pace."""
    return bool(_SENTENCE.match(answer) or _NAME.match(answer)) and of_question(asked) not in (["posture"], ["speed"])


def _off_the_choice(asked: str, answer: str) -> bool:
    """Test whether a question offers alternatives and an answer names none of them."""
    if not re.search(r"\bor\b", asked) or polarity(answer) is not None or numeric(answer) or _NEITHER.search(answer):
        return False
    return not {_stem(word) for word in answer.split()} & {_stem(word) for word in asked.split()} - _BETWEEN


def _stem(word: str) -> str:
    stem = re.sub(r"(?<=\w{3})(ing|ly|ed|es|s|wards?)$", "", re.sub(r"\W", "", word))
    return re.sub(r"([^aeiou])\1$", r"\1", stem)  # sits, sitting


def _limbs_asked(asked: str) -> list[str]:
    """List the limbs that must be visible to answer a (normalised) question about limbs."""
    topic = next(iter(of_question(asked)), "")
    limb, pattern = ("arm", ARM) if topic in ("raised hand", "arms") else ("leg", LEG)
    if topic == "limb" and side_of_limb(asked, ARM) in SIDES:
        limb, pattern = "arm", ARM
    if topic not in ("raised hand", "arms", "legs", "steps", "limb"):
        return []
    one = side_of_limb(asked, pattern)
    return [f"{side} {limb}" for side in ((one,) if one in SIDES else SIDES)]


def _made_by_seen(action: str, seen: dict[str, bool]) -> bool:
    """Test whether the visible limbs make an action: without arms an action of legs, without legs one of arms."""
    arms, legs = (any(seen[f"{side} {limb}"] for side in SIDES) for limb in ("arm", "leg"))
    if arms and legs:
        return True
    made_by = _OF_ARMS if arms else _OF_LEGS if legs else None
    return made_by is not None and bool(re.search(rf"\b{made_by}", action))
