"""Compare an answer with measurements, and answer questions that a measurement decides."""

from __future__ import annotations

import re
from dataclasses import replace

from vimonet.evidence.checks import check, lines_of
from vimonet.evidence.claims import AGREES, ARM, CONTRADICTS, LEG, NOT_CLAIMED, NOT_MEASURABLE, Evidence, Query
from vimonet.evidence.named_events import named_event_answer
from vimonet.evidence.topics import asks_action, asks_part, is_yes_no, of_claims, of_question
from vimonet.language import mentions, negated, normalise_question, polarity, whole_words
from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics import categories as c

_FUNCTION_WORDS = (
    r"a|an|the|this|that|he|she|it|they|person|someone|somebody|anyone|man|woman|figure|actor|subject|here|there|please"
    r"|his|her|their|its|does|do|did|is|are|was|were|has|have|had|can|could|would|you|see|tell|me|if|whether|ever|at|any"
    r"|some|time|point|moment|in|on|to|of|clip|video|recording|motion|yes|no|or|just|down|up|over|both|left|right|with"
    r"|place|spot|another|somewhere|else|away|from"
)
_MEASURED_WORDS = (
    r"walk~|run~|jog~|step~|move~|go~|travel~|forwards?|backwards?|ahead|straight|turn~|rotate~|spin~|fall~|jump~|hop~|leap~"
    r"|sit~|seated|crouch~|squat~|kneel~|lie~|raise~|lift~|bend~|bow~|lean~|knees?|hands?|arms?|wrists?|legs?|foot|feet"
    r"|side|sideways|stay~|remain~|head|shoulders?|above"
)
_PLAIN = whole_words(rf"^((?:{_FUNCTION_WORDS}|{_MEASURED_WORDS})\b ?)+$")
"""A question of measured words only: "jumps over a fence" asks for more than a jump, which cannot affirm it."""
_ASKING_WORDS = (
    r"which|what|how|many|much|often|far|fast|quick~|slow~|long|high~|deep~|when|where|who|first|last|then|before|after|more"
    r"|most|main~|whole|all|time~|times|number|count|angle|degrees?|met(er|re)s?|centimet(er|re)s?|m/s|per|seconds?|reps?"
    r"|repetitions?|cycles?|movement|motion|direction|way|pace|speed|velocity|distance|path|height|posture|position|body"
    r"|trunk|overall|average|mean|maximum|minimum|peak|top|total|begin~|start~|end~|finish~|take~|make~|perform~|cover~|get~"
    r"|done|repeat~|active|wave~|kick~|shoulder|facing|ground|floor|by|for|with|of|as|than|same|equally|air|lower|upper"
)
_PLAIN_QUANTITY = whole_words(rf"^((?:{_FUNCTION_WORDS}|{_MEASURED_WORDS}|{_ASKING_WORDS})\b[,:]? ?)+$")
"""The same for quantities: "what colour is the shirt of the person who raises a hand" asks for no measurement."""
_SUBORDINATE = r"\w+ .*\b(who|whose|that|which|while|because|if)\b"
"""A subordinate clause, whose words identify a person or thing and are not asked about."""
_MOVEMENT = ("moves", "turns", "posture", "trunk", "steps", "jumps", "falls", "kicks", "hands", "repeats")
_GAIT = r"\b(walk~|run~|jog~|step~)"
_RUN = r"\b(run~|jog~)"
_IN_PLACE = r"\b(in (its |his |her |the )?place|on the spot)\b"


def examine(
    question: str, answer: str, motion: Motion | Facts, *, facts: Facts | None = None, offset: float = 0.0
) -> tuple[Evidence, ...]:
    """Compare an answer with all measurements that bear on its question.

    Args:
        question: the question as asked.
        answer: the answer as generated.
        motion: the movement, or its facts.
        facts: facts of the motion, if they are measured already.
        offset: start of the motion in the recording, s; times of the evidence are in the recording's time.

    Returns:
        Evidence, most relevant first; empty if no measurement bears on the question.
    """
    known = motion if isinstance(motion, Facts) else facts or measure(motion)
    query = Query.read(question, answer, known, offset)
    topics = of_question(query.question)
    names_action = re.match(r"(\w+(?<!th)ing)\b", query.answer) and topics not in (["posture"], ["speed"])
    if topics and not names_action:
        found = [check(topic, query) for topic in topics]
        # "No" to a conjunction denies the conjunction, not each part.
        joint = query.yes is False and len(found) > 1
        return tuple(replace(one, verdict=NOT_CLAIMED) if joint and one.truth == "yes" else one for one in found)
    if query.yes is not None or not (asks_action(query.question) or names_action):
        return ()
    found = []
    if query.answer and not negated(query.answer + query.question) and polarity(query.answer) is None:
        # An open question: check each claim of the answer, as a question answered with "yes".
        claims = replace(Query.read(query.answer, "yes", known, offset), claim=True)
        found = [check(topic, claims) for topic in of_claims(claims.question)]
    return tuple(found) or (Evidence("movement", lines_of(query, _MOVEMENT), NOT_CLAIMED),)


def contradiction(question: str, answer: str, motion: Motion | Facts) -> bool | None:
    """Test whether an answer contradicts a measurement; None if there is no verdict.

    There is no verdict if no measurement bears on the question, the value lies in a dead zone, the limb is not seen, or
    the answer makes no claim that is measured.
    """
    verdicts = {item.verdict for item in examine(question, answer, motion)}
    return True if CONTRADICTS in verdicts else False if AGREES in verdicts else None


def measured_answer(question: str, facts: Facts) -> str | None:
    """Answer a question that 3D measurements decide.

    Args:
        question: the question as asked.
        facts: facts of the movement.

    Returns:
        "yes", "no", a side, a count or a quantity with its unit; None in a dead zone, in 2D, and if no measurement
        decides the question. "No" needs one measurement that contradicts the question, "yes" needs one for every word
        of it.
    """
    if facts.displacement is None:
        return None
    asked = normalise_question(question).replace(", yes or no", "").rstrip("?!. ")
    if (named := named_event_answer(asked, facts, yes_no=is_yes_no(asked))) is not None:
        return named
    if is_yes_no(asked):
        return _yes_or_no(asked, facts)
    return _quantity(asked, facts)


def _yes_or_no(asked: str, facts: Facts) -> str | None:
    if mentions(_SUBORDINATE, asked) and not mentions(_PLAIN, asked):
        return None
    found = list(examine(asked, "yes", facts))
    gait = [item for item in found if item.topic == "gait"]
    if mentions(_GAIT, asked) and of_question(asked) and not gait:
        # The words claim a gait as well, which the direction does not show.
        gait = list(examine("does the person run" if mentions(_RUN, asked) else "does the person walk", "yes", facts))
    found = [item for item in found if item.topic != "gait"]
    # In place, no speed shows that steps are a walk: `_affirms` counts them.
    found += gait if mentions(_RUN, asked) else [item for item in gait if item.verdict != NOT_MEASURABLE]
    vague = mentions(r"\b(bend~|stand~)", asked)  # bending and standing have several readings
    if any(item.verdict == CONTRADICTS and not (vague and item.topic == "posture") for item in found):
        return "no"
    plain = mentions(_PLAIN, asked) and found and all(item.verdict == AGREES for item in found)
    return "yes" if plain and _affirms(found, asked, facts) else None


def _affirms(found: list[Evidence], asked: str, facts: Facts) -> bool:
    """Test whether the measurements that agree cover the whole question, not only a necessary part of it."""
    topics = {item.topic for item in found}
    if topics == {"gait"}:
        return False  # a march or a dance makes steps, too
    if "limb" in topics and not mentions(rf"\b(move~|use~) .*({ARM}|{LEG})|({ARM}|{LEG}).* (move~|moving)", asked):
        return False  # an action is more than the movement of its limb
    if mentions(_IN_PLACE, asked):
        return "direction" in topics and (not mentions(_GAIT, asked) or len(facts.steps or ()) >= 3)
    if (
        mentions(r"\bwalk~", asked)
        and c.RUNS.decide((facts.peak_speed or 0.0) / (facts.leg_length or 1.0)) is not False
    ):
        return False  # perhaps a run
    return not mentions(_GAIT, asked) or len(facts.steps or ()) >= 2


def _quantity(asked: str, facts: Facts) -> str | None:
    topics = of_question(asked)
    if not mentions(_PLAIN_QUANTITY, asked) or len(topics) != 1:
        return None
    if asks_part(asked) and topics[0] not in ("posture", "turn", "raised hand"):
        return None
    (item,) = examine(asked, "", facts) or (None,)
    if item is None or item.verdict == NOT_MEASURABLE or item.truth in ("", "yes", "no"):
        return None
    if item.topic == "turn" and mentions(r"\b(degrees?|angle|how (far|much))\b", asked):
        if item.truth == "does not turn" or len(facts.turns or ()) > 1:
            return None
        return f"{abs(item.values['net_turn_deg']):.0f} degrees to the {item.truth}"
    if item.topic == "speed" and mentions(r"\b(m/s|met(er|re)s? (a|per) second|speed|velocity)\b", asked):
        peak = mentions(r"\b(top|peak|highest|greatest|fastest|maximum|maximal)\b", asked)
        return f"{item.values['peak_m_s' if peak else 'mean_m_s']:.1f} m/s"
    return item.truth
