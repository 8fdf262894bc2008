"""Read the rules of a watch: which event becomes an alarm, where, when, and who is told.

    rules:
      - event: fall
        sinks: [phone]
    sinks:
      phone: {kind: webhook, url: https://example.org/alarm}

Every mistake is one sentence with the file and the line.
"""

from __future__ import annotations

import dataclasses
import datetime
import difflib
import functools
import re
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import yaml

from vimonet.utils.errors import InputError
from vimonet.utils.settings import NonNegative, convert, known_key
from vimonet.watch.body_events import KINDS as BODY_KINDS
from vimonet.watch.source_health import KINDS as SOURCE_KINDS

KINDS: Final[dict[str, str]] = {
    **BODY_KINDS,
    "repetition": "a person has done an exercise once more; value holds the count, tempo and range",
    "sentence": "a person does what the rule's own sentence says",
    **SOURCE_KINDS,
}
"""Events that a rule may name."""

Zone = tuple[float, float, float, float]


@dataclass(frozen=True)
class Rule:
    """Say when an event becomes an alarm, and whom it reaches. Every field is a key of the file."""

    name: str = ""
    """Name of the alarm; by default the sentence, or the event with its side or exercise."""
    event: str = ""
    """What has to happen: one of the events of docs/watch.md."""
    sentence: str = ""
    """What somebody does, for the event ``sentence``: "someone climbs"; empty where it names a measured event."""
    exercise: str = ""
    """Exercise that is counted, for the event ``repetition``."""
    duration: NonNegative = 0.0
    """Seconds for which the event must last before the alarm."""
    zone: Zone | None = None
    """Part of the picture in which the person must be: left, top, right, bottom, from 0 to 1 of the picture."""
    side: str = ""
    """``left`` or ``right`` hand, for raised_hand and waving; either by default."""
    quiet: tuple[str, ...] = ()
    """Times of the day without alarms: "22:00-07:00"."""
    cool_down: NonNegative = 30.0
    """Seconds after an alarm, in which the same rule raises no other one."""
    message: str = ""
    """Text of the alarm; {text}, {person}, {time}, {rule} and {event} are filled in."""
    sinks: tuple[str, ...] = ()
    """Names of the sinks that are told; all of them by default."""
    line: int = 0

    @property
    def slug(self) -> str:
        """Name with small letters, digits and underscores alone: part of a topic or a file's name."""
        return re.sub(r"[^a-z0-9]+", "_", self.name.lower()).strip("_") or "rule"

    def quiet_at(self, moment: datetime.time) -> bool:
        """Test whether a time of the day is quiet."""
        return any(_holds(span, moment) for span in self.quiet)


@dataclass(frozen=True)
class Rules:
    """Hold the rules and the settings of every sink: name -> keys, with the line that names it."""

    rules: tuple[Rule, ...]
    sinks: dict[str, dict[str, Any]] = field(default_factory=dict)
    lines: dict[str, int] = field(default_factory=dict)
    path: str = "rules"

    @property
    def kinds(self) -> list[str]:
        """Events that the rules name, each once."""
        return list(dict.fromkeys(rule.event for rule in self.rules))


def read_rules(path: str | Path) -> Rules:
    """Read a file of rules.

    Raises:
        InputError: it cannot be read, is not YAML, or says what no rule can; with the line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8 text"
        raise InputError(f"{path}: the rules cannot be read ({reason}); a YAML file is expected.") from None
    return parse_rules(text, str(path))


def parse_rules(text: str, name: str = "rules") -> Rules:
    """Parse rules; see `read_rules`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        what = getattr(error, "problem", None) or "nested too deeply"
        raise InputError(f"{name}{where}: this is not valid YAML ({what}).") from None
    if root is None:
        raise InputError(f"{name}: the file is empty; expected a key 'rules' with a list of rules.")
    reader = _Reader(name)
    top = reader.mapping(root, "the file", ("rules", "sinks"))
    sinks, lines = {}, {}
    if "sinks" in top:
        for key, node in reader.mapping(top["sinks"][1], "sinks", None).items():
            sinks[key], lines[key] = reader.value(node[1]), _line(node[0])
            if not isinstance(sinks[key], dict) or "kind" not in sinks[key]:
                raise reader.error(node[0], f"the sink '{key}' has no kind; write '{key}: {{kind: ...}}'")
    if "rules" not in top:
        raise InputError(f"{name}: there is no key 'rules'; expected a list of rules.")
    items = top["rules"][1]
    if not isinstance(items, yaml.SequenceNode) or not items.value:
        raise reader.error(items, "'rules' is a list: every rule begins with '- event: ...'")
    rules: dict[str, Rule] = {}
    for item in items.value:
        rule = reader.rule(item, sinks)
        if rule.slug in rules:
            other = rules[rule.slug].line
            raise reader.error(
                item, f"this rule has the name of the one in line {other}, '{rule.name}'; give it another"
            )
        rules[rule.slug] = rule
    return Rules(tuple(rules.values()), sinks, lines, name)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


_SPAN = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)\s*-\s*([01]?\d|2[0-3]):([0-5]\d)")


def _holds(span: str, moment: datetime.time) -> bool:
    found = _SPAN.fullmatch(span)
    assert found is not None
    start, end = datetime.time(int(found[1]), int(found[2])), datetime.time(int(found[3]), int(found[4]))
    return start <= moment < end if start <= end else moment >= start or moment < end


class _Reader:
    """Read nodes of YAML, which know their lines."""

    def __init__(self, name: str) -> None:
        self.name = name

    def error(self, node: yaml.Node, text: str) -> InputError:
        return InputError(f"{self.name}, line {_line(node)}: {text}{'' if text.endswith('?') else '.'}")

    def mapping(
        self, node: yaml.Node, what: str, known: Collection[str] | None
    ) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            raise self.error(node, f"{what} is a mapping: lines of the form 'key: value'")
        found: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            word = str(key.value) if isinstance(key, yaml.ScalarNode) else ""
            if known is not None:
                known_key(word, known, f"{self.name}, line {_line(key)}")
            if word in found:
                raise self.error(key, f"the key '{word}' stands twice")
            found[word] = (key, value)
        return found

    def value(self, node: yaml.Node) -> Any:
        loader = yaml.SafeLoader("")
        try:
            return loader.construct_object(node, deep=True)
        except (yaml.YAMLError, ValueError):
            raise self.error(node, "this value cannot be read as YAML") from None
        finally:
            loader.dispose()

    def rule(self, node: yaml.Node, sinks: Mapping[str, Any]) -> Rule:
        hints = typing.get_type_hints(Rule, include_extras=True)
        known = [item.name for item in dataclasses.fields(Rule) if item.name != "line"]
        found = self.mapping(node, "a rule", known)
        values: dict[str, Any] = {"line": _line(node)}
        for key, (_, item) in found.items():
            value = self.value(item)
            if key == "zone":
                values[key] = self.zone(item, value)
            else:
                values[key] = self._checked(item, functools.partial(convert, value, hints[key], key))
        if "event" not in found:
            raise self.error(node, "a rule needs an event: 'event: fall'")
        self._one_of(found["event"][1], values["event"], KINDS, "event")
        for key, kind in (("sentence", "sentence"), ("exercise", "repetition")):
            if (values["event"] == kind) != (key in found) and (key in found or kind == "sentence"):
                place = found[key][1] if key in found else node
                raise self.error(place, f"'{key}' belongs to the event '{kind}', which needs it")
        if values.get("exercise"):
            from vimonet.motion.kinematics.exercises import canonical

            self._checked(found["exercise"][1], lambda: canonical(values["exercise"]))
        name = values.get("name") or values.get("sentence")
        if values["event"] == "sentence":
            from vimonet.watch.sentence_events import measured_of, question_of

            if measured := measured_of(self._checked(found["sentence"][1], lambda: question_of(values["sentence"]))):
                values = {**values, **measured, "side": values.get("side") or measured["side"], "sentence": ""}
        if values["event"] == "out_of_bed" and "zone" not in found:
            raise self.error(node, "the event 'out_of_bed' needs the zone of the bed: 'zone: [0.1, 0.4, 0.6, 0.9]'")
        if values["event"] in SOURCE_KINDS and values["event"] not in ("enters", "leaves") and "zone" in found:
            raise self.error(found["zone"][0], f"'{values['event']}' concerns the whole picture; leave the zone out")
        if "side" in found:
            self._one_of(found["side"][1], values["side"], ("left", "right"), "side")
        for span in values.get("quiet", ()):
            if not _SPAN.fullmatch(span):
                raise self.error(found["quiet"][1], f"'{span}' is no span of the day; write '22:00-07:00'")
        for sink in values.get("sinks", ()):
            self._one_of(found["sinks"][1], sink, sinks or ("(the file names no sinks)",), "sink")
        if "message" in found:
            fields = dict.fromkeys(("text", "person", "time", "rule", "event"), "")
            self._checked(found["message"][1], lambda: fill_message(values["message"], fields))
        values["name"] = name or " ".join(filter(None, map(values.get, ("event", "side", "exercise"))))
        return Rule(**values)

    def zone(self, node: yaml.Node, value: Any) -> Zone:
        """Read four numbers, the second corner right of and below the first."""
        numbers = value if isinstance(value, list) else []
        if len(numbers) != 4 or not all(isinstance(v, int | float) and not isinstance(v, bool) for v in numbers):
            raise self.error(node, "a zone is four numbers: [left, top, right, bottom], from 0 to 1 of the picture")
        left, top, right, bottom = (float(v) for v in numbers)
        if not (left < right and top < bottom):
            raise self.error(node, f"the zone {numbers} is empty; its order is [left, top, right, bottom]")
        return left, top, right, bottom

    def _one_of(self, node: yaml.Node, value: str, known: Iterable[str], what: str) -> None:
        if value not in known:
            close = difflib.get_close_matches(value, list(known), n=1)
            hint = f"did you mean '{close[0]}'?" if close else f"it can be {', '.join(known)}"
            raise self.error(node, f"there is no {what} '{value}'; {hint}")

    def _checked(self, node: yaml.Node, read: Callable[[], Any]) -> Any:
        try:
            return read()
        except InputError as error:
            raise self.error(node, str(error).rstrip(".")) from None


def fill_message(template: str, values: Mapping[str, str]) -> str:
    """Fill {text}, {person}, {time}, {rule} and {event}; nothing but names in braces is read.

    Raises:
        InputError: another name.
    """

    def one(found: re.Match[str]) -> str:
        if found[1] not in values:
            raise InputError(f"the message has no field '{{{found[1]}}}'; it can be {', '.join(values)}")
        return values[found[1]]

    return re.sub(r"\{(\w*)\}", one, template)
