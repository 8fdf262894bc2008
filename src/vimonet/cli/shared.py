"""Share among commands: the table of flags, the options of a reader, loading a model, printing an answer."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from vimonet.cli.streams import abandon, printable
from vimonet.utils.errors import InputError, named_in_full
from vimonet.weights import MODELS, model_source

if TYPE_CHECKING:
    from vimonet.inference.answer import Answer
    from vimonet.inference.assistant import Assistant
    from vimonet.motion import Motion
    from vimonet.motion.kinematics import Facts

PER_RECORDING = "one object per recording"

EVERYONE = "all"
"""Value of ``--person`` for everyone in a recording."""


def _person(text: str) -> int | str:
    """Parse the number of a person, or ``all``."""
    return EVERYONE if text.lower() == EVERYONE else int(text)


_person.__name__ = "person"  # argparse names it in "invalid person value"

FLAGS: dict[str, dict[str, Any]] = {
    "--answer-policy": {
        "choices": ("calibrated", "raw"),
        "help": "answer policy: calibrated lets a clear measurement decide and declines unlikely answers, raw keeps "
        "the model's own text (default: the model's config, calibrated)",
    },
    "--base-url": {"metavar": "URL", "help": "OpenAI-compatible endpoint of a language model: its address up to /v1"},
    "--config": {"metavar": "FILE.yaml", "help": "config file of the stage, such as those in configs/"},
    "--csv": {"action": "store_true", "help": "print CSV on standard output"},
    "--dataset": {"metavar": "DIR", "help": "dataset to ask: VIMOS, MVBench, BABEL-QA or HuMMan-QA"},
    "--device": {"help": "device of the model: cpu, cuda, cuda:1 ... (default: cpu)"},
    "--frames": {"type": int, "metavar": "N", "help": "key frames of a video"},
    "--index": {"metavar": "INDEX", "help": "file that 'vimonet index' wrote"},
    "--json": {"action": "store_true", "help": "print JSON on standard output"},
    "--llm-model": {"metavar": "NAME", "help": "name of the language model at --base-url"},
    "--model": {
        "help": f"model folder, hub id, mini or {' or '.join(MODELS)} (default: $VIMONET_MODEL, mini if fetched, nano)"
    },
    "--motion-as": {
        "default": "series",
        "help": "form in which the endpoint reads a motion: facts (measurements), series (facts and joint angles over "
        "time) or image (series and a strip of poses) (default: series)",
    },
    "--no-actions": {"dest": "leave_out", "help": "leave the recognised actions out of the prompt"},
    "--no-facts": {"dest": "leave_out", "help": "leave the measured facts out of the prompt"},
    "--no-frames": {"dest": "leave_out", "help": "leave the tokens of video frames out of the prompt"},
    "--no-seen": {"dest": "leave_out", "help": "leave what is seen in the video out of the prompt"},
    "--no-tokens": {"dest": "leave_out", "help": "leave the tokens of motion and video out of the prompt"},
    "--output": {"help": "write the result here"},
    "--overwrite": {"action": "store_true", "help": "replace a dataset of other settings in --output"},
    "--person": {
        "type": _person,
        "metavar": "N",
        "help": "person to read, of several: 1, 2 ... (of a video by prominence in view), or all",
    },
    "--retrieval-model": {"metavar": "DIR", "help": "folder of a text-motion encoder (default: the shipped one)"},
    "--seed": {"type": int, "default": 0, "metavar": "N", "help": "seed of every random draw (default: 0)"},
    "--split": {"metavar": "NAME", "help": "split of the dataset"},
    "--system": {"metavar": "TEXT", "help": "system prompt, which opens every conversation"},
    "--video": {"metavar": "NAME", "help": "vision or video backbone: folder or hub id"},
    "--workers": {"type": int, "metavar": "N", "help": "number of parallel workers"},
}
"""Flags that several commands have: one name, one meaning."""

_SHORT = {"--model": ("-m",), "--output": ("-o",)}


class _Group(Protocol):
    """Describe what a parser and an argument group have in common."""

    def add_argument(self, *names: str, **settings: Any) -> Any:
        """Add an argument."""


def add_flag(parser: _Group, flag: str, detail: str = "", **settings: Any) -> None:
    """Add a flag of the table to a command.

    Args:
        parser: parser of the command, or a group of it.
        flag: key of `FLAGS`.
        detail: note on this command, printed as "meaning; detail".
        settings: arguments of ``add_argument`` that differ from the table's.
    """
    known = {**FLAGS[flag], **settings}
    if detail:
        known["help"] += f"; {detail}"
    parser.add_argument(*_SHORT.get(flag, ()), flag, **known)


def add_loading(parser: argparse.ArgumentParser) -> None:
    """Add the options of the motion reader."""
    group = parser.add_argument_group("reading", "detected from the content by default")
    group.add_argument("--fps", type=float, help="frames per second of a recording whose file does not say")
    group.add_argument("--up", metavar="AXIS", help="axis that points up: y, z, x, or --up=-y ...")
    group.add_argument("--unit", help="unit of length: m, cm, mm, inch, or metres per unit")
    group.add_argument("--format", help="format of the recording")
    group.add_argument("--joint-map", metavar="FILE", help="YAML of lines left_knee: NAME, for joints of unknown names")
    group.add_argument("--size", metavar="WxH", help="size of the picture, if coordinates are fractions of it")
    add_flag(group, "--person")


def add_leaving_out(parser: _Group) -> None:
    """Add the flags that leave a part out of the prompt of a model with a context (mini)."""
    for part in ("facts", "actions", "tokens", "frames", "seen"):
        add_flag(parser, f"--no-{part}", action="append_const", const=part, default=[])


def add_common(parser: argparse.ArgumentParser, json_detail: str) -> None:
    """Add the options of every command that asks a model."""
    add_flag(parser, "--model")
    add_flag(parser, "--json", json_detail)
    add_loading(parser)


def loading(args: argparse.Namespace) -> dict[str, Any]:
    """Collect the reader options as keyword arguments of `vimonet.motion.load`.

    Raises:
        InputError: ``--person all``, for a command that reads one person.
    """
    if args.person == EVERYONE:
        raise InputError("--person all: this command reads one person; give a number, which `vimonet inspect` lists.")
    return loading_people(args)


def loading_people(args: argparse.Namespace) -> dict[str, Any]:
    """Collect the reader options for `load_people_of`, whose ``person`` may be ``all``."""
    return {key: getattr(args, key) for key in ("fps", "up", "unit", "format", "joint_map", "person", "size")}


def load_motion(args: argparse.Namespace, recording: str, **options: Any) -> Motion:
    """Read a recording by the name the user gave, which every error repeats; further options as of `load`.

    Raises:
        InputError: the recording cannot be read.
    """
    from vimonet.motion.io.loading import load_recording

    return load_recording(recording, **loading(args), **options)


def load_people(args: argparse.Namespace, recording: str, **options: Any) -> list[Motion]:
    """Read everyone in a recording with ``--person all``, else the person of `load_motion`.

    Raises:
        InputError: the recording cannot be read.
    """
    return load_people_of(recording, {**loading_people(args), **options})


def load_people_of(recording: str, options: Mapping[str, Any]) -> list[Motion]:
    """Read everyone in a recording, or one person, with the options of `loading_people`.

    Raises:
        InputError: the recording cannot be read.
    """
    from vimonet.motion.io.everyone import load_recording_people
    from vimonet.motion.io.loading import load_recording

    if options.get("person") != EVERYONE:
        return [load_recording(recording, **options)]
    return load_recording_people(recording, **{key: value for key, value in options.items() if key != "person"})


def people_notes(motion: Motion, *, everyone: bool = False) -> list[str]:
    """Choose the notes that say who of several people was read or left out."""
    wanted = ("left out",) if everyone else ("is read", "is followed")
    several = len(motion.details.get("people", ())) > 1
    return [note for note in motion.notes if several and "person" in note and any(word in note for word in wanted)]


def people_lines(motion: Motion) -> list[str]:
    """List the people of a recording: number, when, share of the time, where in the picture, and who was read."""
    lines = []
    people = motion.details.get("people", {})
    for number, seen in people.items():
        start, end = (frame / motion.source_fps for frame in (seen["first"], seen["last"] + 1))
        line = (
            f"{number.rjust(max(map(len, people)))}  {seen['frames']} frames, {100 * seen['share']:.0f} % of the time"
        )
        line += f", {start:.1f}-{end:.1f} s" + (f", {seen['place']}" if seen.get("place") else "")
        lines.append(line + (" (read)" if number == str(motion.details.get("person")) else ""))
    return lines


def sees_nothing(args: argparse.Namespace) -> bool:
    """Tell from the config file alone whether the model of ``--model`` has no video tower."""
    try:
        config = json.loads((Path(model_source(args.model)) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("video_config") is None


def assistant(args: argparse.Namespace) -> Assistant:
    """Load the model of ``--model`` onto ``--device``, where the command has that flag.

    Raises:
        InputError: the model is missing or damaged.
    """
    if args.own_process:
        from vimonet.cli.fast_start import quick_imports

        quick_imports()
    from vimonet.inference.assistant import load

    return load(args.model, getattr(args, "device", None))


def detail(answer: Answer) -> str:
    """Describe confidence and input of an answer, and the endpoint where one gave it."""
    if answer.endpoint:
        read = "motion as text" if answer.inputs_read else "question alone"
        return f"{_whose(answer)}{read}, {answer.endpoint}, no confidence"
    return f"{_sure(answer)}, looked at {answer.start:.1f}-{answer.end:.1f} s"


def _sure(answer: Answer) -> str:
    return f"{_whose(answer)}confidence {answer.confidence:.2f}"


def _whose(answer: Answer) -> str:
    """Describe the provenance of a text that is not the model's own."""
    return (
        "" if answer.provenance == "model" else f'{answer.provenance}, not the model\'s own "{answer.model_text}" of '
    )


def print_answer(answer: Answer, *, all_evidence: bool = False) -> None:
    """Print an answer for a person: a line per window, and contradicting evidence (or all of it)."""
    if answer.windows:
        for part in answer.windows:
            when = f"{part.start:.1f}-{part.end:.1f} s"
            print(f"{when:>14}  {printable(part.text)}  {dim(_sure(part))}", flush=True)
            _print_evidence(part, 16, all_evidence)
        return
    print(printable(answer.text))
    print(dim(f"  {detail(answer)}"), flush=True)
    _print_evidence(answer, 2, all_evidence)


def _print_evidence(answer: Answer, indent: int, all_evidence: bool) -> None:
    """Print a line per piece of evidence: verdict, measurement, and the measured answer."""
    margin = " " * indent
    if all_evidence and not answer.evidence:
        print(f"{margin}no measure bears on this question")
    for item in answer.evidence:
        verdict = bold("CONTRADICTS") if item.verdict == "contradicts" else item.verdict
        truth = f"; measured answer: {item.truth}" if item.verdict == "contradicts" and item.truth else ""
        print(f"{margin}{verdict}: {item.measured}{truth}", flush=True)


def print_facts(facts: Facts, *, to_stderr: bool) -> None:
    """Print the measured facts of a recording, one a line."""
    stream = sys.stderr if to_stderr else sys.stdout
    print("measured on the recording:", file=stream)
    for line in facts.lines():
        print(f"  {line}", file=stream)


def print_json(record: dict[str, Any]) -> None:
    """Print one line of JSON and flush it, because the reader may be a pipe."""
    print(json_line(record), flush=True)


def json_line(record: dict[str, Any]) -> str:
    """Write an object as one line of JSON, with control characters escaped, those beyond ASCII too."""
    text = json.dumps(record, ensure_ascii=False)
    return text if text.isprintable() else "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def complain(message: str) -> int:
    """Print an error as exactly one line on standard error; return the exit code of bad input."""
    try:
        print(f"vimonet: {one_line(message)}", file=sys.stderr)
    except OSError:  # nobody can be told
        abandon(sys.stderr)
    return 2


def list_failed(failed: Sequence[tuple[str, str]], what: str) -> int:
    """List at the end of a batch what failed in it, each in a line; return the exit code of the command.

    Args:
        failed: names with their reasons in a sentence, which may begin with the name.
        what: what they are ("recordings").
    """
    if not failed:
        return 0
    print(f"vimonet: {len(failed):,} {what[: None if len(failed) > 1 else -1]} failed:", file=sys.stderr)
    for name, why in failed:
        told = named_in_full(name, why)
        print(f"  {one_line(told if name in told else f'{name}: {told}')}", file=sys.stderr)
    return 2


def one_line(message: str) -> str:
    """Join a message into one line."""
    return printable(" ".join(message.split()))


def plain(value: Any) -> str:
    """Format a value of a description for a person."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(plain(part) for part in value) or "none"
    if isinstance(value, dict):
        return ", ".join(f"{key} {plain(part)}" for key, part in value.items()) or "none"
    return printable(str(value))


def bold(text: str) -> str:
    """Make text bold on a terminal; leave it unchanged elsewhere and with NO_COLOR."""
    return _styled(text, "1")


def dim(text: str) -> str:
    """Make text dim on a terminal; leave it unchanged elsewhere and with NO_COLOR."""
    return _styled(text, "2")


def _styled(text: str, code: str) -> str:
    text = printable(text)
    wanted = sys.stdout.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
    return f"\x1b[{code}m{text}\x1b[0m" if wanted else text
