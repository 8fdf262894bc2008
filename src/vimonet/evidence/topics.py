"""Which measures bear on a question, told by its words."""

from __future__ import annotations

import re
from collections.abc import Callable

from vimonet.evidence.checks import (
    event_checks as events,
)
from vimonet.evidence.checks import (
    image_plane_checks as seen,
)
from vimonet.evidence.checks import (
    limb_checks as body,
)
from vimonet.evidence.checks import (
    locomotion_checks as going,
)
from vimonet.evidence.parsing import ARM, LEG, TURN
from vimonet.evidence.question import Query
from vimonet.evidence.verdicts import Evidence

CHECKS: dict[str, Callable[[Query], Evidence | None]] = {
    "when": events.when,
    "duration": events.duration,
    "steps": going.steps,
    "count": events.count,
    "turn": going.turn,
    "distance": going.distance,
    "speed": going.speed,
    "direction": going.direction,
    "gait": going.gait,
    "raised hand": body.raised_hand,
    "arms or legs": body.arms_or_legs,
    "arms": body.arms,
    "legs": body.legs,
    "limb": body.limb,
    "posture": body.posture,
    "bend": body.bend,
    "jump": events.jump,
    "fall": events.fall,
}
"""Topic -> its check."""

_WORDS: dict[str, str] = {
    # Asked about the order or the place of actions, or about a half of the clip: no measure tells actions apart.
    "order": (
        r"\b(before|after|preced\w*|follow\w*|next|succeed\w*|prior|ahead of|once|leads? up|then|earlier|later|between"
        r"|longer|second (action|thing|activity)|third|half|halves|middle of the clip|later on|over time)\b"
    ),
    "absence": (
        r"\b(not (happen|shown|done|seen|occur|do|take place)|absent|missing|is never|never (does|done|seen))\b"
    ),
    "edge": r"\b(beginning|(start|begin|open|end|close)s?|finish(es)?|first thing|last thing)\b",
    # Of what the facts hold too little, or would be held against another measure than the one that was meant.
    "beyond": (
        r"\b(return\w*|back (to|at)|get back|round trip|loop|coincide|starting (place|point|spot)|circle|ring"
        r"|zone|emergency"
        r"|alarm|danger|help|(metre|meter) (away|from|in)|drift\w*|stray\w*|shift\w*|sideways, where"
        r"|straight (way )?ahead"
        r"|symmetr\w*|mirror\w*|alike|speed\w* up|slow\w* down|accelerat\w*|get faster|(rise|gain\w*),? (fall"
        r"|or los\w*)"
        r"|pace (change|over time)|(speed|pace) (develop|rise)|cycle|period\w*|every how many|one repetition"
        r"|repetition last"
        r"|same way|orientation|face (up|down|turned)|(first|last|final|starting) facing|on one (leg|foot)"
        r"|one legged|balanc\w*)\b"
    ),
    "open": (
        r"\b(doing|going on|happen\w*|action|activity|exercise|describe|caption|summari\w+|sum up|recogni\w+"
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
    "how many": r"\b(how many|how often|how frequent\w*|count|number|total|repetitions|reps)\b",
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
        r"\b(how (fast|quick\w*|swift\w*|rapid\w*|slow\w*|speedy|hurried)|speed|pace|tempo|slow\w*|fast|fastest"
        r"|met(er|re)s per second)\b"
    ),
    "arms or legs": r"\b(arms?|hands)\b.*\blegs?\b|\blegs?\b.*\b(arms?|hands)\b|\blimbs?\b",
    "more": (
        r"\b(more|most|active|use|uses|used|using|work|busy|busier|dominat\w*|main|mainly|lead|harder|lifted|kick\w*"
        r"|swing\w*|mo(ves?|tion|vement))\b"
    ),
    "higher": r"\b(higher|further|highest point|up more|greater height|first|before the other|leads)\b",
    "hand up": (
        rf"\b{ARM}\b.*\b(rais\w*|lift\w*|up|above|over|ris\w*|high|exceed)\b"
        rf"|\b(rais\w*|lift\w*|hold|put|reach)\b.*\b{ARM}\b"
    ),
    "posture": (
        r"\bpostur|\bpose\b|\bposition|\bhold the body\b|\bbody held\b"
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
"""What kinds of words occur in a question: the first that fits decides what is measured (`of_question`)."""

_PREDICATES: dict[str, str] = {
    "turn": TURN,
    "raised hand": _WORDS["hand up"],
    "jump": events.JUMP,
    "fall": events.FALL,
    "bend": (
        r"\b(bend|bends|bending|bow|bows|bowing|lean|leans|leaning) (over|down|forwards?)\b|\bbow(s|ing)?$"
        r"|\bknees?\b.*\bben[dt]|\bbend\w* .*knees?\b"
    ),
    "posture": r"\b(sit|sits|sitting|crouch\w*|squat\w*|kneel\w*|lie|lies|lying|on all fours)\b",
    "direction": (
        seen.AWAY
        + r"|\b(walk|run|step|mov|go|jog|travel)\w* ((?!turn)\w+ ){0,2}?"
        + r"(forwards?|backwards?|to the (left|right)|left|right)\b"
    ),
    "gait": r"\b(walk|walks|walking|run|runs|running|sprint\w*|jog\w*)\b",
    "limb": rf"\b(left|right) (?:{ARM}|{LEG})\b",
}
"""What can be said to happen, and which measure it is held against."""

_NOT_ITS_ACTION = re.compile(
    r"\b(sit ups?|push ups?|jump\w* rope|jumping jacks?|bend\w* (the )?(arms?|elbows?)|stand(s|ing)? on|balanc\w*"
    r"|on (the|one) (left|right))\b"
)


_ASKS_ACTION = (
    r"\b(doing|done|going on|action|activity|exercise|practi[sc]\w+|perform\w*|carr\w+ out|busy with|up to"
    r"|describ\w+|description|caption|summari\w+|sum up|recogni\w+|classify|in(to)? words|(a|one) sentence|one line"
    r"|call (it|this movement)|(kind|sort) of (movement|motion)|which (movement|motion)"
    r"|what (does|do|did) (the |this )?\w+( \w+){0,2} do)\b"
    r"|^what ((movement|motion)|is the (movement|motion)|act|happens|is happening|is shown|can be seen)\b|^say what\b"
)
_ASKS_PART = (
    r"\b(late|middle|part|half|first|second|third|last|initial|final|number (one|two|three)|having|is over|separates)\b"
)
_NOT_THE_ACTION = r"\b(how (many|often|long|fast)|(which|what) (hand|arm|leg|foot)|pace|speed|postures?)\b"

_COUNT_OF = re.compile(
    r"\bhow many (?:(?:of|the|his|her|their|different|distinct|separate|full|complete|other|more|single) )*([a-z]+)"
)
_OF_MOVEMENT = re.compile(
    r"(time|second|minute|met(er|re)|centimet|degree|step|footstep|stride|pace|turn|change|kind|sort|cycle|rep|round|window"
    r"|action|activit|exercise|movement|motion|gesture|pose|posture|part|phase|hand|arm|leg|feet|foot|knee|limb|raise|are|do|them"
    r"|in\b|and\b|jump|hop|leap|kick|punch|strike|hit|throw|catch|swing|wave|clap|bow|nod|bend|squat|lunge|curl|push|pull|sit"
    r"|stand|spin|pirouette|roll|flip|cartwheel|fall|skip|march|lap|swipe|knock|stroke|serve|shot|lift|press|circle|rotation"
    r"|burpee|crunch|jack|plank|pause|stop|\w+ing)"
)

_DONE = r"\b(?!mov|us|do|dur|be)\w+ing\b"
"""A participle that names an action, not a mere moving or using."""


def denies(question: str) -> bool:
    """Whether a (normalised) question asks what does not happen."""
    return _has("absence", question)


def is_open(question: str) -> bool:
    """Whether a (normalised) question asks what happens, so that the answer's own claims are what can be checked."""
    return _has("open", question) and not _has("absence", question)


def asks_action(question: str) -> bool:
    """Whether a (normalised) question is answered by the name of an action: what is done, in the whole or in a part."""
    if _has("yes or no", question) and not re.match(r"(can|could|would) you\b", question):
        return False
    named = re.search(_ASKS_ACTION, question) and not re.search(_NOT_THE_ACTION, question)
    return bool(named) and not denies(question)


def counts_things(question: str) -> bool:
    """Whether a (normalised) question asks how many people or things there are: joints show how often one is moved."""
    counted = _COUNT_OF.search(question)
    return counted is not None and not _OF_MOVEMENT.match(counted[1])


def asks_part(question: str) -> bool:
    """Whether a (normalised) question of what is done asks about a part of the time, or an order."""
    return _has("order", question) or _has("edge", question) or bool(re.search(_ASKS_PART, question))


def of_question(question: str) -> list[str]:
    """Topics of a normalised question, most telling first; empty when the facts do not bear on it."""

    def asks(*kinds: str) -> bool:
        return all(_has(kind, question) for kind in kinds)

    yes_no = asks("yes or no") and not re.search(r"\bor\b", question)
    if asks("absence") or asks("beyond"):
        return []
    if asks("turn", "more than one") or (yes_no and asks("more than one") and re.search(events.JUMP, question)):
        return ["count"]
    if asks("when") and not asks("posture") and not re.search(r"\bany moment when\b", question):
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
        counted = re.search(r"\b(times|often|turns|number|changes)\b", question) and not re.search(
            "degree|angle", question
        )
        return ["count"] if asks("how many") and counted else [] if yes_no and asks("edge") else ["turn"]
    if re.search(r"how high|height|centimet", question) and re.search(events.JUMP, question):
        return ["jump"]
    if asks("speed"):
        return ["speed"]
    if asks("distance"):
        return ["bend"] if re.search(r"\bknee|\bbend\b|\blean", question) else ["distance"]
    if asks("how many"):
        repeated = re.search(
            r"\b(times|often|frequent\w*|rep|reps|repetitions?|repeated|rounds|leaps?|jumps?)\b", question
        )
        return ["count"] if repeated and not asks("hand up") else []
    if re.search(r"\brepeat|\bover and over|\bagain and again|\bback and forth", question):
        return []
    if asks("arms or legs") and not yes_no:
        return ["arms or legs"]
    predicates = [name for name, pattern in _PREDICATES.items() if re.search(pattern, question)]
    if _NOT_ITS_ACTION.search(question):
        predicates = [name for name in predicates if name == "direction"]
    if yes_no:
        if asks("edge"):  # what is done at one end need not be done at the other
            return ["posture"] if asks("state") else []
        return _told_by_more(predicates)
    if re.search(rf"\b{LEG}\b", question):
        return [] if asks("higher") or not asks("more") else ["legs"]
    if asks("hand up") or (asks("higher") and re.search(rf"\b{ARM}\b", question)):
        return ["raised hand"]
    if re.search(rf"\b{ARM}\b", question) and asks("more"):
        return [] if re.search(_DONE, question) else ["arms"]
    if re.search(r"\b(torso|trunk|upper body|back)\b", question):
        return []
    if asks("posture"):
        return (
            []
            if re.search(r"\bchange|\bdiffer|\bfrom (which|what)|\bbetween|\baltered|\blie\b|\blying pos", question)
            else ["posture"]
        )
    if asks("direction") and not re.search(r"\b(lean|bend|bow|tilt)\w*", question):
        return ["direction"]
    return [name for name in predicates if name in ("jump", "fall", "bend")]


def of_claims(answer: str) -> list[str]:
    """Topics of what a (normalised) answer to an open question claims to happen."""
    if _NOT_ITS_ACTION.search(answer):
        return []
    found = [name for name, pattern in _PREDICATES.items() if re.search(pattern, answer)]
    # "Right arm" alone answers which one, not what is done with it.
    return _told_by_more(
        found if re.search(r"\w(ing|s)\b", answer.partition(" ")[0]) else found[: -("limb" in found) or None]
    )


def _told_by_more(names: list[str]) -> list[str]:
    """Without the weaker of two measures of one thing: a raised hand moves, who walks somewhere makes steps."""
    weaker = {"raised hand": "limb", "direction": "gait"}
    dropped = {weaker[name] for name in names if name in weaker}
    return [name for name in names if name not in dropped]


def _has(kind: str, question: str) -> bool:
    return bool(re.search(_WORDS[kind], question))
