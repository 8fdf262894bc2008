"""Select the topics that bear on a question by its words."""

from __future__ import annotations

import re

from vimonet.evidence.claims import ARM, AWAY, FALL, JUMP, LEG, TURN, counts_action
from vimonet.language import mentions

_ABSENT = r"\b(not (happen|shown|done|seen|occur|do|take place)|absent|missing|is never|never (does|done|seen))\b"
_ORDER = (
    r"\b(before|after|precede~|follow~|next|succeed~|prior|ahead of|once|leads? up|then|earlier|later|between"
    r"|longer|second (action|thing|activity)|third|half|halves|middle of the clip|later on|over time)\b"
)
_EDGE = r"\b(beginning|(start|begin|open|end|close|stop)s?|finish(es)?|(\w+ing|first|last|final) (frame|moment))\b"
_PART = (
    r"\b(late|middle|part|half|first|second|third|last|initial|final|number (one|two|three)|having|is over|separates)\b"
)
_BEYOND = (
    r"\b(return~|back (to|at)|get back|round trip|loop|coincide|starting (place|point|spot)|circle|ring"
    r"|(metre|meter) (away|from|in)|drift~|stray~|shift~|sideways, where|straight (way )?ahead"
    r"|symmetry|symmetric(al)?(ly)?|mirror~|alike|speed~ up|slow~ down|accelerate~|get faster|(rise|gain~),? (fall"
    r"|or lose|or losing)|pace (change|over time)|(speed|pace) (develop|rise)|cycle|period~|periodic(al)?(ly)?"
    r"|every how many|one repetition|repetition last|same way|orientation|face (up|down|turned)"
    r"|(first|last|final|starting) facing|on one (leg|foot)|one legged|balance~"
    r"|mediolateral|foot placement|between the (feet|ankles)|(step|stride) (length|width)"
    r"|arms? (or|and) (the )?legs?|which limb|over and over|again and again"
    r"|back and forth|at t)\b|^(?!.*\b(how|times)\b).*\brepeat~"
)
"""Questions about which facts hold too little, or which would be checked by the wrong measurement."""
_HOW_MANY = r"\b(how many|how often|how frequent~|count|number|total|repetitions|reps)\b"
_AGAIN = (
    r"\b(again|more than (one|once)|several|multiple|two (or more|\w+ or more)|repeatedly|another"
    r"|a second (turn|jump))\b"
)
_HIGHER = r"\b(higher|further|highest point|up more|greater height|first|before the other|leads)\b"
_HAND_UP = (
    rf"\b{ARM}\b.*\b(raise~|lift~|up|above|over|rise~|high|exceed)\b"
    rf"|\b(raise~|lift~|hold|put|reach)\b.*\b{ARM}\b"
)
_MORE = (
    r"\b(more|most|active|use|uses|used|using|work|busy|busier|dominate~|main|mainly|lead|harder|lifted"
    r"|swing~|mo(ves?|tion|vement))\b"
)
_YES_NO = (
    r"^([\w ]+[,:] )?(does|do|did|is|are|was|has|have|can|could|would|am|tell me (if|whether)|at some moment"
    r"|[\w ]*right$)"
)
_STATE = r"\b(standing|sitting|seated|kneeling|lying|crouching)\b(?! down)"
_DONE = r"\b(?!mov|us|do|dur|be)\w+ing\b"
"""A participle that names an action, unlike "moving" and "using"."""

_ASKED: tuple[tuple[str, str, str], ...] = (
    (
        "count",
        rf"{_HOW_MANY}.*({TURN}|changes of facing)|({TURN}).*\b(times|often)\b",
        r"\b(degrees?|angles?|seconds?)\b",
    ),
    ("steps", rf"{_HOW_MANY}.*\b(steps?|footsteps?|paces|strides?)\b|\bsteps? count\b", ""),
    ("turn", rf"{TURN}|changes of facing|heading change|swing around|walk curve", ""),
    (
        "speed",
        r"\b(how (fast|quick~|swift~|rapid~|slow~|speedy|hurried)|speed|pace|tempo|slow~|fast|fastest"
        r"|met(er|re)s per second)\b",
        "",
    ),
    (
        "distance",
        r"\b(how far|distance|how many met(er|re)s|how much ground|(length|long) is the (way|path)|what length"
        r"|total (path|way)|length of the (whole )?path)\b",
        r"\b(knee~|bend~|lean~)",
    ),
    ("legs", rf"\b{LEG}\b.*{_MORE}|{_MORE}.*\b{LEG}\b", _HIGHER),
    ("raised hand", rf"{_HAND_UP}|{_HIGHER}.*\b{ARM}\b|\b{ARM}\b.*{_HIGHER}", rf"{_HOW_MANY}|\b(how long|{LEG})\b"),
    ("arms", rf"\b{ARM}\b.*{_MORE}|{_MORE}.*\b{ARM}\b", rf"{_HOW_MANY}|{_DONE}|\b{LEG}\b"),
    (
        "posture",
        r"\bposture~|\bpose\b|\bposition~|\bhold the body\b|\bbody held\b"
        r"|\b(standing|sitting|lying|upright|seated)\b.*\bor\b",
        r"\b(change~|differ(s|ent(ly)?|ence)?|from (which|what)|between|altered|lie|lying pos(e|ition)"
        rf"|torso|trunk|upper body|back|{ARM}|{LEG})\b",
    ),
    (
        "direction",
        r"\b(which way|direction|where (does|do|did|is|to)\b.*\b(go|going|move|moving|travel|walk|head|lead|end)"
        r"|which side (does|do|did) .* move|to where|toward which side|to which side)"
        r"|\b(forwards?|backwards?|sideways|advance|retreat)\b|\bwhere does the path lead\b",
        rf"{_HOW_MANY}|\b(lean~|bend~|bow~|tilt~|torso|trunk|upper body|back|{ARM}|{LEG})\b",
    ),
    ("jump", JUMP, _HOW_MANY),
    ("fall", FALL, _HOW_MANY),
)
"""Topic, the words that ask for it, and those that ask for something else; the first that fits answers."""

_PREDICATES: dict[str, str] = {
    "turn": TURN,
    "raised hand": _HAND_UP,
    "jump": JUMP,
    "fall": FALL,
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
_NOT_THE_ACTION = r"\b(how (many|often|long|fast)|(which|what) (hand|arm|leg|foot)|pace|speed|postures?)\b"
_COUNTED = re.compile(
    r"(?:\bhow many|\b(?:what|which) number of|^count) "
    r"(?:(?:of|the|his|her|their|different|distinct|separate|full|complete|other|more|single) )*([a-z]+)"
)
_MEASURED_UNITS = (
    r"^(times?|occasions?|seconds?|minutes?|met(er|re)s?|centimet(er|re)s?|degrees?|steps?|footsteps?|strides?|paces?|turns?"
    r"|changes?|kinds?|sorts?|cycles?|reps?|repetitions?|rounds?|windows?|actions?|activity|activities|exercises?"
    r"|movements?|motions?|gestures?|poses?|postures?|parts?|phases?|things|them|how|goes|was|is|it|hands?|arms?|legs?"
    r"|feet|foot|knees?|limbs?|are|do|does|in|and|laps?|pirouettes?|rolls?|flips?|cartwheels?|rises?|shots?|circles?"
    r"|rotations?|burpees?|crunches|jacks?|jumping|strikes?|push|sit|pull|press|raise~|jump~|hop~|leap~|kick~|punch~"
    r"|hit~|throw~|catch~|swing~|wave~|clap~|bow~|nod~|bend~|squat~|lunge~|curl~|push~|pull~|sit~|stand~|spin~|fall~"
    r"|skip~|march~|swipe~|knock~|stroke~|serve~|lift~|press~|plank~|pause~|stop~|\w+ing)$"
)
"""Units of counts and measurements of movement, matched as whole words, unlike "dogs" and "doors"."""
_OF_THINGS = (
    r"\b(steps|turns|flips|stops|circles) (on|of|in|up) (the|this|that|a) "
    r"(stairs?|staircase|ladder|road|floor|wall)\b"
)


def asks_action(question: str) -> bool:
    """Test whether the name of an action answers a (normalised) question."""
    if mentions(_YES_NO, question) and not re.match(r"(can|could|would) you\b", question):
        return False
    named = mentions(_ASKS_ACTION, question) and not mentions(_NOT_THE_ACTION, question)
    return named and not mentions(_ABSENT, question)


def counts_things(question: str) -> bool:
    """Test whether a (normalised) question counts people or things, which joints do not show."""
    counted = _COUNTED.search(question)
    if counted is None:
        return False
    return mentions(_OF_THINGS, question) or not mentions(_MEASURED_UNITS, counted[1])


def asks_part(question: str) -> bool:
    """Test whether a (normalised) question asks about a part of the recording, or an order."""
    return any(mentions(pattern, question) for pattern in (_ORDER, _EDGE, _PART))


def is_yes_no(question: str) -> bool:
    """Test whether yes or no answers a (normalised) question, not one of its alternatives."""
    return mentions(_YES_NO, question) and not mentions(r"\bor\b", question)


def of_question(question: str) -> list[str]:
    """List the topics of a normalised question, most relevant first; empty if no measurement bears on it."""
    if mentions(rf"{_ABSENT}|{_BEYOND}", question) or counts_things(question):
        return []
    state = mentions(_STATE, question) or mentions(r"\bpos(e|tures?|ition)\b", question)
    if mentions(TURN, question) and mentions(r"\b(both|either|as well as|one way and)\b", question):
        return []
    if mentions(_AGAIN, question) and mentions(rf"{TURN}|{JUMP}", question):
        return ["count"]
    if mentions(_ORDER, question) and not state:
        return []
    predicates = [] if mentions(_NOT_ITS_ACTION, question) else _named(question)
    # An action at one end need not occur at the other.
    if mentions(_EDGE, question) and (is_yes_no(question) or mentions(_HAND_UP, question)):
        return ["posture"] if state else []
    if (
        is_yes_no(question)
        and not mentions(_HOW_MANY, question)
        and (predicates or mentions(_NOT_ITS_ACTION, question))
    ):
        # "Walks in place" claims steps and no displacement.
        return predicates if mentions(r"\b(in place|on the spot)\b", question) else _without_weaker(predicates)
    for topic, words, others in _ASKED:
        if mentions(words, question) and not (others and mentions(others, question)):
            return [topic]
    repeated = mentions(r"\b(times|often|frequent~|reps?|repetitions?|repeated|rounds)\b", question)
    counted = (repeated and not mentions(_HAND_UP, question)) or counts_action(question)
    return ["count"] if counted and mentions(_HOW_MANY, question) else []


def of_claims(answer: str) -> list[str]:
    """List the topics of the claims in a (normalised) answer to an open question."""
    found = [] if mentions(_NOT_ITS_ACTION, answer) else _named(answer)
    # "Right arm" alone names no action.
    named = re.search(r"\w(ing|s)\b", answer.partition(" ")[0])
    return _without_weaker(found if named else [name for name in found if name != "limb"])


def _named(text: str) -> list[str]:
    return [name for name, pattern in _PREDICATES.items() if mentions(pattern, text)]


def _without_weaker(names: list[str]) -> list[str]:
    """Drop the weaker of two related topics: a raised hand moves, locomotion has a gait."""
    weaker = {"raised hand": "limb", "direction": "gait"}
    return [name for name in names if not any(weaker.get(other) == name for other in names)]
