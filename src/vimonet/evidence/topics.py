"""Select the checks that bear on a question by its words."""

from __future__ import annotations

import re
from collections.abc import Callable

from vimonet.evidence import event_checks as events
from vimonet.evidence import limb_checks as limbs
from vimonet.evidence import locomotion_checks as locomotion
from vimonet.evidence.claims import (
    ARM,
    AWAY,
    FALL,
    JUMP,
    LEG,
    TURN,
    Evidence,
    Query,
    alternatives,
    counted_action,
)
from vimonet.language import mentions

CHECKS: dict[str, Callable[[Query], Evidence | None]] = {
    "when": events.when,
    "duration": events.duration,
    "steps": locomotion.steps,
    "count": events.count,
    "turn": locomotion.turn,
    "distance": locomotion.distance,
    "speed": locomotion.speed,
    "direction": locomotion.direction,
    "gait": locomotion.gait,
    "raised hand": limbs.raised_hand,
    "arms or legs": limbs.arms_or_legs,
    "arms": limbs.arms,
    "legs": limbs.legs,
    "limb": limbs.limb,
    "posture": limbs.posture,
    "bend": limbs.bend,
    "jump": events.jump,
    "fall": events.fall,
    "order": events.order,
}
"""Topic -> its check."""

_WORDS: dict[str, str] = {
    # The order or the place of actions, or a half of the clip: measurements do not tell actions apart.
    "order": (
        r"\b(before|after|precede~|follow~|next|succeed~|prior|ahead of|once|leads? up|then|earlier|later|between"
        r"|longer|second (action|thing|activity)|third|half|halves|middle of the clip|later on|over time)\b"
    ),
    "absence": (
        r"\b(not (happen|shown|done|seen|occur|do|take place)|absent|missing|is never|never (does|done|seen))\b"
    ),
    "edge": r"\b(beginning|(start|begin|open|end|close)s?|finish(es)?|first thing|last thing)\b",
    # Questions about which facts hold too little, or which would be checked by the wrong measurement.
    "beyond": (
        r"\b(return~|back (to|at)|get back|round trip|loop|coincide|starting (place|point|spot)|circle|ring"
        r"|(metre|meter) (away|from|in)|drift~|stray~|shift~|sideways, where"
        r"|straight (way )?ahead"
        r"|symmetry|symmetric(al)?(ly)?|mirror~|alike|speed~ up|slow~ down|accelerate~|get faster|(rise|gain~),? (fall"
        r"|or lose|or losing)"
        r"|pace (change|over time)|(speed|pace) (develop|rise)|cycle|period~|periodic(al)?(ly)?"
        r"|every how many|one repetition"
        r"|repetition last"
        r"|same way|orientation|face (up|down|turned)|(first|last|final|starting) facing|on one (leg|foot)"
        r"|one legged|balance~)\b"
    ),
    "open": (
        r"\b(doing|going on|happen~|action|activity|exercise|describe|caption|summari[sz](e|ing)|summary|sum up"
        r"|recogni[sz](e|ed|able|ing)"
        r"|put .* into words)\b|\bwhat (movement|motion|is the (movement|motion)|does|did|do|is shown|can be seen)\b"
        r"|\b(kind|sort) of (movement|motion)\b|\bwhich (movement|motion|exercise)\b|\bup to\b"
    ),
    "when": (
        r"\b(when|at what (point|moment|stage)|at (what|which) (time|second)|(which|what) (part|third) of"
        r"|during which|early"
        r"|around what time|where in the clip|(seconds|second) (in|into|at which|on)\b|after how many seconds"
        r"|at how many seconds|(until|by|from) which second|seconds pass|what second)"
        r"|\b(beginning|middle|end)\b.*\bor\b.*\bend\b"
    ),
    "duration": (
        r"\b(how long|duration|how many seconds|how much time|total time|time length|length in seconds|over how many"
        r"|(what|over what|the) time .*(spen[dt]|take|is|held|up)|length of the (clip|recording|motion|video|turn))\b"
    ),
    "way": r"\b(way|path|route|distance|ground|metres|meters|far)\b",
    "steps": r"\b(steps?|footsteps?|paces|strides?)\b.*|\bstep\b",
    "how many": r"\b(how many|how often|how frequent~|count|number|total|repetitions|reps)\b",
    "more than one": (
        r"\b(again|more than (one|once)|several|multiple|two (or more|\w+ or more)|repeatedly|another"
        r"|a second (turn|jump))\b"
    ),
    "turn": TURN + r"|\bheading change|\bswing around|\bwalk curve|\bchanges of facing",
    "both ways": r"\b(both|either|as well as|one way and)\b",
    "distance": (
        r"\b(how far|distance|how many met(er|re)s|how much ground|(length|long) is the (way|path)|what length"
        r"|total (path|way)|length of the (whole )?path)\b"
    ),
    "speed": (
        r"\b(how (fast|quick~|swift~|rapid~|slow~|speedy|hurried)|speed|pace|tempo|slow~|fast|fastest"
        r"|met(er|re)s per second)\b"
    ),
    "arms or legs": r"\b(arms?|hands)\b.*\blegs?\b|\blegs?\b.*\b(arms?|hands)\b|\blimbs?\b",
    "more": (
        r"\b(more|most|active|use|uses|used|using|work|busy|busier|dominate~|main|mainly|lead|harder|lifted|kick~"
        r"|swing~|mo(ves?|tion|vement))\b"
    ),
    "higher": r"\b(higher|further|highest point|up more|greater height|first|before the other|leads)\b",
    "hand up": (
        rf"\b{ARM}\b.*\b(raise~|lift~|up|above|over|rise~|high|exceed)\b"
        rf"|\b(raise~|lift~|hold|put|reach)\b.*\b{ARM}\b"
    ),
    "posture": (
        r"\bposture~|\bpose\b|\bposition~|\bhold the body\b|\bbody held\b"
        r"|\b(standing|sitting|lying|upright|seated)\b.*\bor\b"
    ),
    "direction": (
        r"\b(which way|direction|where (does|do|did|is|to)\b.*\b(go|going|move|moving|travel|walk|head|lead|end)"
        r"|which side (does|do|did) .* move|to where|toward which side|to which side)"
        r"|\b(forwards?|backwards?|sideways|advance|retreat)\b|\bwhere does the path lead\b"
    ),
    "yes or no": (
        r"^([\w ]+[,:] )?(does|do|did|is|are|was|has|can|could|would|am|tell me (if|whether)|at some moment"
        r"|[\w ]*right$)"
    ),
    "state": r"\b(standing|sitting|seated|kneeling|lying|crouching)\b(?! down)",
}
"""Kinds of words in a question, by which `of_question` selects the checks."""

_PREDICATES: dict[str, str] = {
    "turn": TURN,
    "raised hand": _WORDS["hand up"],
    "jump": JUMP,
    "fall": FALL,
    "bend": (
        r"\b(bend|bends|bending|bow|bows|bowing|lean|leans|leaning) (over|down|forwards?)\b|\bbow(s|ing)?$"
        r"|\bknees?\b.*\bbend~|\bbend~ .*knees?\b"
    ),
    "posture": r"\b(sit|sits|sitting|crouch~|squat~|kneel~|lie|lies|lying|on all fours)\b",
    "direction": (
        AWAY
        + r"|\b(walk~|run~|step~|move~|go~|jog~|travel~) ((?!turn)\w+ ){0,2}?"
        + r"(forwards?|backwards?|to the (left|right)|left|right|in place|on the spot)\b"
    ),
    "gait": r"\b(walk|walks|walking|run|runs|running|sprint~|jog~)\b",
    "limb": rf"\b(left|right) (?:{ARM}|{LEG})\b",
}
"""Topic -> predicates that its check tests."""

_NOT_ITS_ACTION = (
    r"\b(sit ups?|push ups?|jump~ rope|jumping jacks?|bend~ (the )?(arms?|elbows?)|stand(s|ing)? on|balance~"
    r"|on (the|one) (left|right))\b"
)


_ASKS_ACTION = (
    r"\b(doing|done|going on|action|activity|exercise|practi[sc](e|es|ed|ing)|perform~|carry~ out|busy with|up to"
    r"|describe~|description|caption|summari[sz](e|ing)|summary|sum up"
    r"|recogni[sz](e|ed|able|ing)|classify|in(to)? words|(a|one) sentence|one line"
    r"|call (it|this movement)|(kind|sort) of (movement|motion)|which (movement|motion)"
    r"|what (does|do|did) (the |this )?\w+( \w+){0,2} do)\b"
    r"|^what ((movement|motion)|is the (movement|motion)|act|happens|is happening|is shown|can be seen)\b|^say what\b"
)
_ASKS_PART = (
    r"\b(late|middle|part|half|first|second|third|last|initial|final|number (one|two|three)|having|is over|separates)\b"
)
_NOT_THE_ACTION = r"\b(how (many|often|long|fast)|(which|what) (hand|arm|leg|foot)|pace|speed|postures?)\b"

_COUNTED = re.compile(
    r"(?:\bhow many|\b(?:what|which) number of|^count) "
    r"(?:(?:of|the|his|her|their|different|distinct|separate|full|complete|other|more|single) )*([a-z]+)"
)
_MEASURED_UNITS = (
    r"(times?|seconds?|minutes?|met(er|re)s?|centimet(er|re)s?|degrees?|steps?|footsteps?|strides?|paces?|turns?|changes?"
    r"|kinds?|sorts?|cycles?|reps?|repetitions?|rounds?|windows?|actions?|activity|activities|exercises?|movements?"
    r"|motions?|gestures?|poses?|postures?|parts?|phases?|things|them|how|goes|was|is|it|hands?|arms?|legs?|feet|foot|knees?|limbs?|are|do|does|in|and|laps?"
    r"|pirouettes?|rolls?|flips?|cartwheels?|shots?|circles?|rotations?|burpees?|crunches|jacks?|jumping|strikes?"
    r"|push|sit|pull|press|raise~|jump~|hop~|leap~|kick~|punch~|hit~|throw~|catch~|swing~|wave~|clap~|bow~|nod~|bend~"
    r"|squat~|lunge~|curl~|push~|pull~|sit~|stand~|spin~|fall~|skip~|march~|swipe~|knock~|stroke~|serve~|lift~|press~"
    r"|plank~|pause~|stop~|\w+ing)$"
)
"""Units of counts and measurements of movement, matched as whole words, unlike "dogs" and "doors"."""
_OF_THINGS = (
    r"\b(steps|turns|flips|stops|circles) (on|of|in|up) (the|this|that|a) "
    r"(stairs?|staircase|ladder|road|floor|wall)\b"
)

_DONE = r"\b(?!mov|us|do|dur|be)\w+ing\b"
"""A participle that names an action, unlike "moving" and "using"."""


def denies(question: str) -> bool:
    """Test whether a (normalised) question asks for an absent action."""
    return _has("absence", question)


def is_open(question: str) -> bool:
    """Test whether a (normalised) question is open, so that the claims of its answer are checked."""
    return _has("open", question) and not _has("absence", question)


def asks_action(question: str) -> bool:
    """Test whether the name of an action answers a (normalised) question."""
    if _has("yes or no", question) and not re.match(r"(can|could|would) you\b", question):
        return False
    named = mentions(_ASKS_ACTION, question) and not mentions(_NOT_THE_ACTION, question)
    return named and not denies(question)


def counts_things(question: str) -> bool:
    """Test whether a (normalised) question counts people or things, which joints do not show."""
    counted = _COUNTED.search(question)
    if counted is None:
        return False
    return mentions(_OF_THINGS, question) or not mentions("^" + _MEASURED_UNITS, counted[1])


def asks_part(question: str) -> bool:
    """Test whether a (normalised) question asks about a part of the recording, or an order."""
    return _has("order", question) or _has("edge", question) or mentions(_ASKS_PART, question)


def is_yes_no(question: str) -> bool:
    """Test whether yes or no answers a (normalised) question, not one of its alternatives."""
    return _has("yes or no", question) and not mentions(r"\bor\b", question)


def of_question(question: str) -> list[str]:
    """List the topics of a normalised question, most relevant first; empty if no measurement bears on it."""

    def asks(*kinds: str) -> bool:
        return all(_has(kind, question) for kind in kinds)

    yes_no = is_yes_no(question)
    if asks("absence") or asks("beyond") or counts_things(question):
        return []
    if alternatives(question):
        return ["order"]
    if asks("turn", "more than one") or (yes_no and asks("more than one") and mentions(JUMP, question)):
        return ["count"]
    if asks("when") and not asks("posture") and not mentions(r"\bany moment when\b", question):
        return ["when"]
    if asks("order") and not asks("posture"):
        return []
    if asks("duration") and not asks("way"):
        return ["duration"]
    if asks("steps", "how many"):
        return ["steps"]
    if asks("turn"):
        if asks("both ways"):
            return []
        counted = mentions(r"\b(times|often|turns|number|changes)\b", question) and not mentions(
            r"\b(degrees?|angles?)\b", question
        )
        return ["count"] if asks("how many") and counted else [] if yes_no and asks("edge") else ["turn"]
    if mentions(r"\b(how high|height|centimet(re|er)s?)\b", question) and mentions(JUMP, question):
        return ["jump"]
    if asks("speed"):
        return ["speed"]
    if asks("distance"):
        if mentions(
            r"\b(mediolateral|foot placement|between the (feet|ankles)|(step|stride) (length|width))\b", question
        ):
            return []  # of the feet from each other
        return ["bend"] if mentions(r"\b(knee~|bend~|lean~)", question) else ["distance"]
    if asks("how many"):
        repeated = mentions(r"\b(times|often|frequent~|reps?|repetitions?|repeated|rounds)\b", question)
        return ["count"] if (repeated and not asks("hand up")) or counted_action(question) else []
    if mentions(r"\brepeat~|\bover and over\b|\bagain and again\b|\bback and forth\b", question):
        return []
    if asks("arms or legs") and not yes_no:
        return ["arms or legs"]
    predicates = [name for name, pattern in _PREDICATES.items() if mentions(pattern, question)]
    if mentions(_NOT_ITS_ACTION, question):
        predicates = [name for name in predicates if name == "direction"]
    if yes_no:
        if asks("edge"):  # an action at one end need not occur at the other
            return ["posture"] if asks("state") else []
        # "Walks in place" claims steps and no displacement.
        return predicates if mentions(r"\b(in place|on the spot)\b", question) else _without_weaker(predicates)
    if mentions(rf"\b{LEG}\b", question):
        return [] if asks("higher") or not asks("more") else ["legs"]
    if asks("hand up") or (asks("higher") and mentions(rf"\b{ARM}\b", question)):
        return ["raised hand"]
    if mentions(rf"\b{ARM}\b", question) and asks("more"):
        return [] if mentions(_DONE, question) else ["arms"]
    if mentions(r"\b(torso|trunk|upper body|back)\b", question):
        return []
    if asks("posture"):
        return (
            []
            if mentions(
                r"\bchange~|\bdiffer(s|ent(ly)?|ence)?\b"
                r"|\bfrom (which|what)\b|\bbetween\b|\baltered\b|\blie\b|\blying pos(e|ition)\b",
                question,
            )
            else ["posture"]
        )
    if asks("direction") and not mentions(r"\b(lean~|bend~|bow~|tilt~)", question):
        return ["direction"]
    return [name for name in predicates if name in ("jump", "fall", "bend")]


def of_claims(answer: str) -> list[str]:
    """List the topics of the claims in a (normalised) answer to an open question."""
    if mentions(_NOT_ITS_ACTION, answer):
        return []
    found = [name for name, pattern in _PREDICATES.items() if mentions(pattern, answer)]
    # "Right arm" alone names no action.
    return _without_weaker(
        found if re.search(r"\w(ing|s)\b", answer.partition(" ")[0]) else found[: -("limb" in found) or None]
    )


def _without_weaker(names: list[str]) -> list[str]:
    """Drop the weaker of two related topics: a raised hand moves, locomotion has a gait."""
    weaker = {"raised hand": "limb", "direction": "gait"}
    dropped = {weaker[name] for name in names if name in weaker}
    return [name for name in names if name not in dropped]


def _has(kind: str, question: str) -> bool:
    return bool(mentions(_WORDS[kind], question))
