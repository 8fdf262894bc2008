"""One table of flags: an option string means the same in every command that has it."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator

from vimonet.cli import build_parser
from vimonet.cli.shared import FLAGS

_FREE = {"-h", "--help"}


def commands(parser: argparse.ArgumentParser, name: str = "vimonet") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    if getattr(parser, "builders", False):
        parser.add_builders()  # type: ignore[attr-defined]
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield name, parser
    for action in below:
        for word, child in action.choices.items():
            yield from commands(child, f"{name} {word}")


def meaning(help: str) -> str:
    """The words before the note of one command and before its default."""
    return help.split(";")[0].split(" (default")[0]


def options() -> dict[str, dict[str, argparse.Action]]:
    found: dict[str, dict[str, argparse.Action]] = defaultdict(dict)
    for name, parser in commands(build_parser()):
        for action in parser._actions:
            for flag in action.option_strings:
                found[flag][name] = action
    return found


def test_every_command_is_walked():
    names = {name for name, _ in commands(build_parser())}
    assert {"vimonet ask", "vimonet bench run", "vimonet data build folder", "vimonet plan"} <= names
    assert len(names) > 20


def test_a_flag_has_one_meaning_and_one_help_text():
    differing = {
        flag: {name: action.help for name, action in own.items()}
        for flag, own in options().items()
        if flag not in _FREE and len({meaning(str(action.help)) for action in own.values()}) > 1
    }
    assert not differing


def test_a_flag_sets_one_argument():
    assert not {flag: own for flag, own in options().items() if len({a.dest for a in own.values()}) > 1}


def test_flags_of_the_table_are_those_that_commands_share():
    found = options()
    for flag, settings in FLAGS.items():
        assert len(found[flag]) > 1, f"{flag} is in one command only"
        assert {meaning(str(action.help)) for action in found[flag].values()} == {meaning(settings["help"])}
    assert found["-m"].keys() == found["--model"].keys()
    assert found["-o"].keys() == found["--output"].keys()


def test_every_option_says_what_it_is():
    silent = [(name, flag) for flag, own in options().items() for name, action in own.items() if not action.help]
    assert not silent
