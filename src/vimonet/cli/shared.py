"""What several commands share: reading options, the model to ask, how an answer is printed."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vimonet.cli.terminal import bold, dim
from vimonet.weights import MODELS, model_source

if TYPE_CHECKING:
    from vimonet.inference.answer import Answer
    from vimonet.inference.assistant import Assistant
    from vimonet.motion import Motion
    from vimonet.motion.kinematics import Facts

PER_RECORDING = "one JSON object per recording on standard output"
MODEL_HELP = f"model directory, hub id, or {' or '.join(MODELS)} (default: $VIMONET_MODEL, else nano)"


def add_loading(parser: argparse.ArgumentParser) -> None:
    """The options of reading a recording."""
    group = parser.add_argument_group("reading", "detected from the content when not given")
    group.add_argument("--fps", type=float, help="frames per second of the recording, where the file does not say")
    group.add_argument("--up", metavar="AXIS", help="axis that points up: y, z, x, or --up=-y ...")
    group.add_argument("--unit", help="unit of length: m, cm, mm, inch, or metres per unit")
    group.add_argument("--format", help="format, instead of detecting it")


def add_common(parser: argparse.ArgumentParser, json_help: str) -> None:
    """The options of every command that asks a model."""
    parser.add_argument("-m", "--model", help=MODEL_HELP)
    parser.add_argument("--json", action="store_true", help=json_help)
    add_loading(parser)


def add_answer_policy(parser: argparse.ArgumentParser) -> None:
    """Add ``--answer-policy``."""
    parser.add_argument(
        "--answer-policy",
        choices=("calibrated", "raw"),
        help="calibrated: a clear measurement decides, what is unlikely is withheld; raw: the model's own words "
        "(default: the model's config, calibrated)",
    )


def loading(args: argparse.Namespace) -> dict[str, Any]:
    """The options of reading as `vimonet.motion.load` takes them."""
    return {"fps": args.fps, "up": args.up, "unit": args.unit, "format": args.format}


def load_motion(args: argparse.Namespace, recording: str) -> Motion:
    """Read a recording by the name the user gave; an error says that name.

    Raises:
        InputError: it cannot be read.
    """
    from vimonet.motion.io.locations import load_recording

    return load_recording(recording, **loading(args))


def sees_nothing(args: argparse.Namespace) -> bool:
    """Whether the model of ``--model`` is known to have no video tower, by its folder alone, before it is loaded."""
    try:
        config = json.loads((Path(model_source(args.model)) / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(config, dict) and config.get("video_config") is None


def assistant(args: argparse.Namespace) -> Assistant:
    """Load the model of ``--model``, onto ``--device`` where the command has it.

    Raises:
        InputError: it is missing or damaged.
    """
    if args.own_process:
        from vimonet.cli.fast_start import quick_imports

        quick_imports()
    from vimonet.inference.assistant import load

    return load(args.model, getattr(args, "device", None))


def detail(answer: Answer) -> str:
    """How sure the model was and what it read, in words; of an endpoint's answer, which endpoint."""
    if answer.endpoint:
        read = "motion as text" if answer.inputs_read else "question alone"
        return f"{_whose(answer)}{read}, {answer.endpoint}, no confidence"
    return f"{_sure(answer)}, looked at {answer.start:.1f}-{answer.end:.1f} s"


def _sure(answer: Answer) -> str:
    return f"{_whose(answer)}confidence {answer.confidence:.2f}"


def _whose(answer: Answer) -> str:
    """The provenance, where the text is not the model's own."""
    return (
        "" if answer.provenance == "model" else f'{answer.provenance}, not the model\'s own "{answer.model_text}" of '
    )


def print_answer(answer: Answer, *, all_evidence: bool = False) -> None:
    """Print an answer for a person: a line per window, and what contradicts it; with all its evidence on request."""
    if answer.windows:
        for part in answer.windows:
            when = f"{part.start:.1f}-{part.end:.1f} s"
            print(f"{when:>14}  {part.text}  {dim(_sure(part))}", flush=True)
            _print_evidence(part, 16, all_evidence)
        return
    print(answer.text)
    print(dim(f"  {detail(answer)}"), flush=True)
    _print_evidence(answer, 2, all_evidence)


def _print_evidence(answer: Answer, indent: int, all_evidence: bool) -> None:
    """A line per piece of evidence: the verdict, the measurement, and the answer it gives."""
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
