"""Implement `vimonet demo`: ask about embedded recordings, print the truth beside each answer, draw an image."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from vimonet.cli import shared
from vimonet.cli.shared import bold, detail, dim
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.inference.assistant import Assistant


def _turn(truth: dict[str, Any]) -> str:
    return f"{'left' if truth['turn'] > 0 else 'right'}, {abs(truth['turn']):.0f} degrees"


# Recording, question, and the answer that is true by construction.
QUESTIONS: tuple[tuple[str, str, Callable[[dict[str, Any]], str]], ...] = (
    ("turn_left", "Which way does the person turn?", _turn),
    ("wave_right", "Which hand is raised?", lambda truth: str(truth["raised"])),
    ("squats", "How often is the movement repeated?", lambda truth: f"{truth['count']} times"),
    ("fall", "What is the person doing?", lambda truth: str(truth["label"])),
)


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    demo = commands.add_parser("demo", help="ask about embedded recordings and draw the answers")
    shared.add_flag(demo, "--model")
    shared.add_flag(demo, "--output", "default: %(default)s", default="vimonet-demo.png", metavar="OUT.png")
    demo.add_argument("--list", action="store_true", help="list the embedded recordings and exit")
    demo.set_defaults(run=_demo)


def _demo(args: argparse.Namespace) -> int:
    from vimonet.samples import list_samples

    if args.list:
        print("\n".join(list_samples()))
        return 0
    return run(shared.assistant(args), args.output)


def run(assistant: Assistant, output: str | os.PathLike[str]) -> int:
    """Ask, print question, answer, confidence and truth, draw them into one image, and return the exit code.

    Raises:
        InputError: the image cannot be written to `output`.
    """
    from vimonet.motion import load
    from vimonet.motion.render import check_output, draw_strip, events_of, stack, write_png
    from vimonet.samples import sample_path, truths

    output = check_output(output)
    if output.suffix.lower() != ".png":
        raise InputError(f"{output}: the demo draws a PNG; give a name that ends in .png.")
    known = truths()
    strips = []
    for name, question, truth in QUESTIONS:
        motion = load(sample_path(name))
        answer = assistant.ask(question, motion)
        print(f"{bold(question)}  {dim(f'sample:{name}')}")
        print(f"  answer: {answer.text}  {dim(f'({detail(answer)})')}")
        print(f"  truth:  {truth(known[name])}")
        below = f"{answer.text}  ({detail(answer)}; true: {truth(known[name])})"
        strips.append(
            draw_strip(motion, width=1400, title=question, subtitle=below, events=events_of(motion, answer.facts))
        )
    write_png(stack(strips), output)
    print(f"\nThe recordings with their answers and measured facts: {bold(str(output))}")
    print('Next: vimonet ask YOUR_RECORDING "What is the person doing?"')
    return 0
