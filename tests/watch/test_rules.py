"""Rules: what a file may say, and which line is wrong."""

from __future__ import annotations

import datetime

import pytest

from vimonet.utils.errors import InputError
from vimonet.watch.rules import parse_rules, read_rules
from vimonet.watch.sinks import build_sinks

GOOD = """\
rules:
  - event: fall
    zone: [0.1, 0, 0.9, 1]
    quiet: ["22:00-07:00", "12:00-13:00"]
    cool_down: 60
    message: "{person} fell at {time}"
    sinks: [log]
  - name: lies too long
    event: lying_still
    duration: 20
sinks:
  log: {kind: jsonl, path: alarms.jsonl}
"""


def test_reads_every_key() -> None:
    rules = parse_rules(GOOD)
    fall, lies = rules.rules
    assert (fall.name, fall.event, fall.zone, fall.cool_down, fall.sinks) == (
        "fall",
        "fall",
        (0.1, 0, 0.9, 1),
        60,
        ("log",),
    )
    assert (lies.name, lies.duration, lies.sinks, lies.line) == ("lies too long", 20, (), 8)
    assert rules.kinds == ["fall", "lying_still"]
    assert fall.quiet_at(datetime.time(23, 0)) and fall.quiet_at(datetime.time(6, 59))
    assert fall.quiet_at(datetime.time(12, 30))
    assert not fall.quiet_at(datetime.time(7, 0)) and not fall.quiet_at(datetime.time(21, 59))


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("rules:\n  - event: fal\n", 2, "did you mean 'fall'?"),
        ("rules:\n  - event: fall\n    durration: 3\n", 3, "did you mean 'duration'?"),
        ("rules:\n  - event: sentence\n    sentence: red\n", 3, "does not say what somebody does"),
        ("rules:\n  - event: fall\n    duration: soon\n", 3, "a number"),
        ("rules:\n  - event: fall\n    duration: -1\n", 3, "at least 0"),
        ("rules:\n  - event: fall\n    zone: [0, 0, 1]\n", 3, "four numbers"),
        ("rules:\n  - event: fall\n    zone: [0.5, 0, 0.1, 1]\n", 3, "left, top, right, bottom"),
        ("rules:\n  - event: fall\n    quiet: [night]\n", 3, "22:00-07:00"),
        ("rules:\n  - event: fall\n    quiet: 25:00-07:00\n", 3, "22:00-07:00"),
        ("rules:\n  - event: fall\n    sinks: [phone]\n", 3, "no sink 'phone'"),
        ("rules:\n  - event: fall\n    message: '{who}'\n", 3, "{who}"),
        ("rules:\n  - event: fall\n  - event: fall\n", 3, "the name of the one in line 2"),
        ("rules:\n  - duration: 3\n", 2, "needs an event"),
        ("rules:\n  - event: sentence\n", 2, "'sentence'"),
        ("rules:\n  - event: fall\n    sentence: x\n", 3, "belongs to the event 'sentence'"),
        ("rules:\n  - event: out_of_bed\n", 2, "zone of the bed"),
        ("rules:\n  - event: source_lost\n    zone: [0, 0, 1, 1]\n", 3, "whole picture"),
        ("rules:\n  - event: raised_hand\n    side: both\n", 3, "left, right"),
        ("rules:\n  - event: fall\n    event: fall\n", 3, "stands twice"),
        ("rules: fall\n", 1, "a list"),
        ("rules:\n  - fall\n", 2, "a mapping"),
        ("rule:\n  - event: fall\n", 1, "did you mean 'rules'"),
        ("rules:\n  - event: [fall\n", 3, "not valid YAML"),
        ("rules:\n  - event: fall\nsinks:\n  phone: {url: x}\n", 4, "has no kind"),
    ],
)
def test_a_mistake_names_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(InputError) as found:
        parse_rules(text, "rules.yaml")
    assert f"rules.yaml, line {line}:" in str(found.value)
    assert says in str(found.value)
    assert str(found.value)[-1] in ".?" and "?." not in str(found.value)


@pytest.mark.parametrize(
    ("sentence", "event", "side"),
    [
        ("alarm when someone falls down", "fall", ""),
        ("grandma raises her left hand", "raised_hand", "left"),
        ("someone lies still", "lying_still", ""),
        ("tell me if the child leaves the room", "leaves", ""),
        ("someone does not move", "not_moving", ""),
        ("he waves", "waving", ""),
        ("someone falls asleep", "sentence", ""),
        ("someone leaves the bag", "sentence", ""),
        ("Is the person falling?", "fall", ""),
    ],
)
def test_a_sentence_that_names_a_measured_event_is_left_to_its_detector(sentence: str, event: str, side: str) -> None:
    (rule,) = parse_rules(f"rules:\n  - {{event: sentence, sentence: '{sentence}'}}\n").rules
    assert (rule.event, rule.side, rule.name) == (event, side, sentence)
    assert rule.sentence == (sentence if event == "sentence" else "")


@pytest.mark.parametrize("text", ["", "rules:\n", "sinks: {}\n", "3\n", "rules: []\n", "rules: &a [*a]\n"])
def test_no_rules_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_rules(text)


def test_a_file_that_is_not_there(tmp_path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_rules(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00rules")
    with pytest.raises(InputError, match="cannot be read"):
        read_rules(tmp_path / "binary.yaml")


@pytest.mark.parametrize(
    ("sink", "says"),
    [
        ("{kind: webhok, url: 'http://x'}", "did you mean 'webhook'"),
        ("{kind: webhook, url: 'ftp://x'}", "expected an address"),
        ("{kind: webhook, url: 'http://x', secret_env: VIMONET_NO_SUCH}", "VIMONET_NO_SUCH is not set"),
        ("{kind: webhook, uri: 'http://x'}", "did you mean 'url'"),
        ("{kind: jsonl}", "needs a path"),
        ("{kind: jsonl, path: /no/such/folder/alarms.jsonl}", "cannot be written"),
        ("{kind: command, arguments: [/no/such/program]}", "a program that exists"),
        ("{kind: command, arguments: ['true', '{who}']}", "{who}"),
        ("{kind: sound, file: /no/such.wav}", "there is no file"),
        ("{kind: mqtt}", "needs a host"),
        ("{kind: mqtt, host: localhost, port: many}", "a whole number"),
    ],
)
def test_a_sink_that_cannot_work_is_told_at_the_start(tmp_path, sink: str, says: str) -> None:
    rules = parse_rules(f"rules:\n  - event: fall\nsinks:\n  one: {sink}\n", "rules.yaml")
    with pytest.raises(InputError) as found:
        build_sinks(rules, tmp_path)
    assert "rules.yaml, line 4: sink 'one'" in str(found.value)
    assert says in str(found.value)
