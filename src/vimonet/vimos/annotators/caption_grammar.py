"""Parse captions by rules over their words: actions with direction, limb, count and order.

Captions of movements are short and follow few patterns. The rules parse these patterns; a clause outside them makes the
caption incomplete, and no order is concluded across it. Lemmatised ``word/POS`` tokens (HumanML3D) identify the verbs;
without them the position in the sentence does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import Any

import yaml

from vimonet.language import VALUE_OF

_FILE = resources.files("vimonet.vimos.annotators").joinpath("caption.yaml").read_text(encoding="utf-8")
CONTENT: dict[str, Any] = yaml.safe_load(_FILE)
"""caption.yaml: words and forms."""

_IRREGULAR = {verb: tuple(past.split()) for verb, past in CONTENT["words"].pop("irregular").items()}
_WORDS = {name: frozenset(words.split()) for name, words in CONTENT["words"].items()}
TRAVEL, TURN, TRANSITIVE = _WORDS["travel"], _WORDS["turn"], _WORDS["transitive"]
VERBS = TRAVEL | TURN | TRANSITIVE | _WORDS["other"]
_LIGHT, _ASPECT, _SUBJECTS, _DETERMINERS = (_WORDS[n] for n in ("light", "aspect", "subjects", "determiners"))
_SKIPPED, _HEDGES, _OTHERS, _STOP = (_WORDS[n] for n in ("skipped", "hedges", "others", "stop"))
_MANNERS = _WORDS["manners"]
# Noun of a light verb -> action: "makes a jump" is jumping. Other nouns leave the clause unparsed.
_NOUNS = {
    **{noun: noun for noun in _WORDS["nouns"]},
    **{"cartwheel": "do a cartwheel", "handstand": "do a handstand", "pirouette": "do a pirouette"},
}
_PARTICLES = frozenset(("around", "back", "left", "right", "up", "down", "it"))
_NO_VERBS = frozenset(("something", "anything", "nothing", "everything", "using", "during", "ceiling", "ring"))
_AUX = frozenset(("is", "are", "was", "were", "be", "been"))
_BODY = {
    **{p: p for p in ["hand", "arm", "leg", "foot", "knee", "elbow"]},
    **{"hands": "hand", "arms": "arm", "legs": "leg", "feet": "foot", "knees": "knee", "elbows": "elbow"},
}
_FORWARD = {"forward": "forward", "forwards": "forward", "ahead": "forward"}
_FORWARD |= {"backward": "backward", "backwards": "backward", "sideways": "sideways", "sidewards": "sideways"}
_NUMBERS = {**{word: value for word, value in VALUE_OF.items() if value >= 2}, **{str(n): n for n in range(2, 21)}}
_SPEEDS = {
    **dict.fromkeys(["slowly", "slow"], "slowly"),
    **dict.fromkeys(["quickly", "quick", "fast", "rapidly", "briskly", "swiftly"], "quickly"),
}
_OWNER = "(?:(?:his|her|their|its|the) )"
_LIMB = r"(?:hand|arm|leg|foot|knee|elbow|shoulder|hip|heel|toe)s?\b"
_WORD = re.compile(r"[a-z0-9]+(?:['-][a-z0-9]+)*|[.,;:!?]")
_BREAKS = frozenset([".", ",", ";", ":", "!", "?", "and", "then", "while", "as", "before", "after", "afterwards"])


@dataclass(frozen=True)
class Event:
    """Hold one action that a caption names.

    Attributes:
        verb: base form.
        phrase: verb with its object, base form ("raise the right arm"); possessives become "the".
        order: rank in the stated order; equal without a stated order.
        direction: ``forward``, ``backward``, ``sideways``, ``left``, ``right``, or None.
        moved: limb that the verb acts on, as ("right", "arm"); None for none or several.
        used: limb that performs the action.
        count: number of repetitions, 1..20.
        steps: number of steps.
        speed: ``slowly`` or ``quickly``.
        manner: another adverb of manner.
        path: ``straight``, ``in a circle`` or ``in a curve``.
        degrees: angle of a turn.
        words: the clause.
    """

    verb: str
    phrase: str
    order: int = 0
    direction: str | None = None
    moved: tuple[str, str] | None = None
    used: tuple[str, str] | None = None
    count: int | None = None
    steps: int | None = None
    speed: str | None = None
    manner: str | None = None
    path: str | None = None
    degrees: int | None = None
    words: str = ""


@dataclass(frozen=True)
class Reading:
    """Hold the parse of a caption.

    Attributes:
        events: actions in the order of the words.
        ordered: words (then, before, after) state the order of all events.
        together: the two events happen at once (while, as).
        complete: every clause was parsed.
        words: every word of the caption, lower case.
    """

    events: tuple[Event, ...] = ()
    ordered: bool = False
    together: bool = False
    complete: bool = False
    words: frozenset[str] = field(default_factory=frozenset)


def forms(verb: str) -> set[str]:
    """List the inflected forms of a verb in the lexicon, the base form among them."""
    third = verb + ("es" if re.search(r"(s|x|z|ch|sh|o)$", verb) else "s")
    third = verb[:-1] + "ies" if re.search(r"[^aeiou]y$", verb) else third
    stem = verb[:-1] if verb.endswith("e") else verb
    if verb.endswith("ie"):
        stem = verb[:-2] + "y"
    double = bool(re.search(r"[^aeiou][aeiou][^aeiouwxy]$", verb)) and verb not in ("lower", "begin")
    stem = stem + verb[-1] if double or verb == "begin" else stem
    past = _IRREGULAR.get(verb, (verb[:-1] + "ied" if third.endswith("ies") else stem + "ed",) * 2)
    return {verb, third, stem + "ing", *past}


_FORMS = {form: verb for verb in sorted(VERBS | _LIGHT | _ASPECT | {"stop", "get"}) for form in forms(verb)}


def read(caption: str, tokens: str = "") -> Reading:
    """Parse a caption.

    Args:
        caption: the sentence.
        tokens: its lemmatised ``word/POS`` tokens, or empty.
    """
    text = caption.lower().replace("’", "'")
    text = re.sub(
        r"\b(left and (?:his |her |their |the )?right|right and (?:his |her |their |the )?left)\b", "both", text
    )
    words = _WORD.findall(text)
    known = frozenset(words)
    if known & _OTHERS or not words or re.search(r"\btwo (?:men|women|humans|figures)\b", text):
        return Reading(words=known)
    nouns = {pair.rsplit("/", 1)[0] for pair in tokens.split() if pair.endswith("/NOUN")}
    verbs = {pair.rsplit("/", 1)[0] for pair in tokens.split() if pair.endswith("/VERB")}
    events: list[Event] = []
    links: list[str] = []  # relation of each event to the one before: then, before, after, while, and
    complete, link, opening = True, "", ""
    for clause, joint in _clauses(words):
        link = joint if joint in ("then", "before", "after", "while") or link in ("", "and") else link
        if not clause:
            continue
        event = None if set(clause) & _HEDGES else _event(clause, nouns - verbs)
        if event is None:
            complete = False
            if events and _coordinates(clause):
                events[-1] = Event(events[-1].verb, events[-1].verb, words=events[-1].words)
        else:
            if not events and link == "after":
                opening = "after"
            events.append(event)
            links.append(link or "and")
        link = ""
    return _ordered(events, links, opening, complete, known)


def _clauses(words: list[str]) -> list[tuple[list[str], str]]:
    """Split words at conjunctions and punctuation into (clause, conjunction before it)."""
    out: list[tuple[list[str], str]] = []
    clause: list[str] = []
    joint = ""
    for i, word in enumerate(words):
        after = words[i + 1] if i + 1 < len(words) else ""
        if word in _BREAKS and not (word == "as" and after in ("if", "though", "well")):
            if clause:
                out.append((clause, joint))
                clause, joint = [], ""
            name = "while" if word == "as" else "then" if word == "afterwards" else word
            joint = name if name in ("then", "before", "after", "while") else joint or "and"
            continue
        clause.append(word)
    if clause:
        out.append((clause, joint))
    return out


def _ordered(events: list[Event], links: list[str], opening: str, complete: bool, known: frozenset[str]) -> Reading:
    ordered = len(events) > 1 and all(link in ("then", "before", "after") for link in links[1:]) and not opening
    if opening and len(events) == 2 and links[1] == "and":
        ordered = True  # "after walking, he sits": the order of the words
    elif "after" in links[1:]:
        # "he sits after walking": the later words happen first; three or more events give no order.
        ordered = ordered and len(events) == 2
        if ordered:
            events = events[::-1]
    # "before" as an adverb or first word states no reliable order.
    ordered = ordered and links[0] not in ("before", "while")
    together = len(events) == 2 and links[1] == "while"
    placed = tuple(replace(event, order=i if ordered else 0) for i, event in enumerate(events))
    return Reading(placed, ordered, together, complete and bool(events), known)


def _coordinates(clause: list[str]) -> bool:
    """Tell whether a clause without a verb continues the one before: "the left hand | and the right leg"."""
    return not any(word in _FORMS for word in clause[:2])


def _event(clause: list[str], nouns: set[str]) -> Event | None:
    at = _verb_at(clause, nouns)
    if at is None:
        return None
    verb, rest = _FORMS[clause[at]], clause[at + 1 :]
    for cut in ("as", "like", "if", "so"):
        if cut in rest:
            rest = rest[: rest.index(cut)]
    if verb in _LIGHT:
        return _light(rest, clause)
    # "bends to touch the floor": the purpose is not parsed.
    for i, word in enumerate(rest[:-1]):
        if word == "to" and rest[i + 1] in _FORMS:
            rest = rest[:i]
            break
    if any(_second_verb(rest, i) for i in range(len(rest))):
        return None  # the modifiers may belong to either verb
    slots = _slots(verb, clause[:at], rest)
    if verb in TRAVEL and "moved" in slots:
        slots = {name: value for name, value in slots.items() if name not in ("direction", "path")}  # of the limb
    elif verb in TRAVEL and rest[:1] in (["them"], ["it"], ["something"]):
        return None
    elif verb in TRAVEL | TURN:
        return Event(verb, verb, words=" ".join(clause), **slots)
    phrase = _phrase(verb, rest)
    if verb in TRANSITIVE and phrase == verb:
        return None  # the object stands outside the clause
    return Event(verb, phrase, words=" ".join(clause), **slots)


def _second_verb(rest: list[str], i: int) -> bool:
    """Tell whether a word is a second verb of the clause: "turns around hops back"."""
    word, before = rest[i], rest[i - 1] if i else ""
    if word in _AUX:
        return True
    if word.endswith("ing") and word not in _NO_VERBS:
        return before in _PARTICLES or before not in _STOP | _DETERMINERS  # "with swinging arms" is a manner
    free = not before or before in _FORWARD or before in _BODY or before in _PARTICLES
    return word in _FORMS and word.endswith("s") and free


def _verb_at(clause: list[str], nouns: set[str]) -> int | None:
    """Find the index of the clause's verb, or None."""
    at = 0
    while at < len(clause) and (clause[at] in _SKIPPED or clause[at] in _DETERMINERS or clause[at].endswith("ly")):
        at += 1
    if at < len(clause) and clause[at] in _SUBJECTS:
        at += 1
    elif at and any(word in _DETERMINERS for word in clause[:at]):
        return None  # "the arms swing": the subject is not the person
    passive = False
    while at < len(clause):
        word = clause[at]
        base = _FORMS.get(word)
        if word in _SKIPPED or word == "who" or (word.endswith("ly") and base is None) or word == "to":
            pass
        elif word in _AUX:
            passive = True
        elif base in _ASPECT:
            passive = False
        elif base == "get" or base is None:
            return None
        else:
            done = word != base and word in forms(base) and not word.endswith(("ing", "s"))
            bare = word == base and clause[max(at - 1, 0)] not in ("to", "they")
            return None if bare or (passive and done) or base in nouns else at
        at += 1
    return None


def _light(rest: list[str], clause: list[str]) -> Event | None:
    """Parse a light verb: "makes two big jumps forward"."""
    for i, word in enumerate(rest[:5]):
        noun = word[:-1] if word.endswith("s") and word[:-1] in _NOUNS else word
        noun = {"punches": "punch", "dances": "dance", "dancing": "dance"}.get(noun, noun)
        if noun in _NOUNS:
            after = rest[i + 1] if i + 1 < len(rest) else ""
            if any(_second_verb(rest, k) for k in range(i + 1, len(rest))):
                return None
            if after in ("motion", "motions", "movement", "movements", "moves", "like"):
                return None
            verb = _NOUNS[noun]
            slots = _slots(verb, [], rest)
            number = next((_NUMBERS[w] for w in rest[:i] if w in _NUMBERS and word != noun), None)
            exact = not {"about", "approximately", "around", "least", "over"} & set(rest[:i])
            if number is not None and exact:
                slots["steps" if verb in ("step", "stride") else "count"] = number
            return Event(verb, verb, words=" ".join(clause), **slots)
        if word in _STOP:
            break
    return None


def _phrase(verb: str, rest: list[str]) -> str:
    """Join the verb and its object, up to a preposition, a direction or an adverb."""
    out: list[str] = []
    for i, word in enumerate(rest):
        if word in _STOP or word in _FORWARD or word.endswith("ly") or word in _SPEEDS or word in _NUMBERS:
            break
        if word in ("twice", "once", "times", "straight", "clockwise", "counterclockwise", "back", "again", "still"):
            break
        if word in ("left", "right") and (i + 1 == len(rest) or rest[i + 1] not in _BODY):
            break
        out.append("the" if word in ("his", "her", "its", "their", "the") else word)
    if out and out[-1] == "out":
        out.pop()
    if out and out[0] in _SUBJECTS:
        out = []
    return " ".join([verb, *out])


def _slots(verb: str, before: list[str], rest: list[str]) -> dict[str, Any]:
    """Collect the modifiers of one clause; contradictory ones are left out."""
    text = " ".join(rest)
    slots: dict[str, Any] = {}
    if verb.split()[0] in TRAVEL | TURN:
        found = {_FORWARD[word] for word in rest if word in _FORWARD}
        bends = verb in TRAVEL and re.search(r"turn|curve|circ|bend|arc|degree|corner|quarter|loop|square|zig", text)
        sides = rf"(?:\b(?:to|towards?) {_OWNER}|^|\b\d+ degrees? )(left|right)\b(?! {_LIMB})|\b(left|right) turns?\b"
        found |= set() if bends else {one or other for one, other in re.findall(sides, text)}
        if len(found) == 1 and "diagonal" not in text and not re.search(r"\bback\b|\bfro[nm]\b", text):
            slots["direction"] = found.pop()
        if verb in TRAVEL:
            slots |= _path(text)
        if verb in TURN and (amount := re.findall(r"\b(\d{2,3}) degrees?\b", text)) and len(amount) == 1:
            slots["degrees"] = int(amount[0])
    limbs = re.findall(r"(?:(with|using) )?(?:(?:his|her|their|its|the) )?(left|right|both) (\w+)", text)
    limbs = [(how, side, _BODY[part]) for how, side, part in limbs if part in _BODY]
    mentioned = sum(word in _BODY for word in rest)
    if len(limbs) == 1 and mentioned == 1:
        how, side, part = limbs[0]
        direct = bool(re.match(r"(?:(?:his|her|their|its|the) )?(?:up )?(?:left|right|both) \w+", text))
        if how:
            slots["used"] = (side, part)
        elif direct:
            slots["moved"] = (side, part)
    slots |= _count(verb, rest, text)
    adverbs = [word for word in [*before, *rest] if word.endswith("ly") or word in _SPEEDS]
    speeds = {_SPEEDS[word] for word in adverbs if word in _SPEEDS}
    if len(speeds) == 1:
        slots["speed"] = speeds.pop()
    manners = [word for word in adverbs if word in _MANNERS]
    if len(manners) == 1:
        slots["manner"] = manners[0]
    return slots


def _path(text: str) -> dict[str, Any]:
    straight = bool(re.search(r"\bstraight\b", text))
    circle = bool(re.search(r"\bin an? (?:\w+ ){0,2}circle\b", text))
    circle = circle and not re.search(r"half|semi|quarter|quater|part", text)
    curve = bool(re.search(r"\bin an? (?:\w+ ){0,2}(?:curve|arc)\b", text))
    if straight + circle + curve != 1:
        return {}
    return {"path": "straight" if straight else "in a circle" if circle else "in a curve"}


def _count(verb: str, rest: list[str], text: str) -> dict[str, Any]:
    if re.search(r"\b(?:about|approximately|around|at least|over|more|several|few)\b", text):
        return {}
    steps = re.findall(r"\b(\w+) (?:\w+ )?(?:steps|strides)\b", text)
    if len(steps) == 1 and steps[0] in _NUMBERS and verb in ("walk", "run", "jog", "step", "march"):
        return {"steps": _NUMBERS[steps[0]]}
    times = re.findall(r"\b(\w+) times\b", text)
    if times and len(times) == 1 and times[0] in _NUMBERS and "twice" not in rest:
        return {"count": _NUMBERS[times[0]]}
    return {"count": 2} if rest.count("twice") == 1 and not times else {}
