"""`vimonet demo`: the model asked about embedded recordings, the truth beside each answer, and a picture."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vimonet.errors import InputError
from vimonet.terminal import bold, dim

if TYPE_CHECKING:
    from vimonet.assistant import Assistant

SAMPLES = Path(__file__).parent / "samples"


def _turn(truth: dict[str, Any]) -> str:
    return f"{'left' if truth['turn'] > 0 else 'right'}, {abs(truth['turn']):.0f} degrees"


# recording, question, what is true by construction
QUESTIONS: tuple[tuple[str, str, Callable[[dict[str, Any]], str]], ...] = (
    ("turn_left", "Which way does the person turn?", _turn),
    ("wave_right", "Which hand is raised?", lambda truth: str(truth["raised"])),
    ("squats", "How often is the movement repeated?", lambda truth: f"{truth['count']} times"),
    ("fall", "What is the person doing?", lambda truth: str(truth["label"])),
)


def _samples() -> dict[str, Path]:
    files = {file.stem: file for file in sorted(SAMPLES.glob("*.json")) if file.name != "truth.json"}
    files |= {file.stem: file for file in sorted(SAMPLES.glob("*.bvh"))}
    return files | {file.name: file for file in sorted(SAMPLES.glob("*.mp4"))}  # of a recording of the same stem


def list_samples() -> list[str]:
    """Names of the embedded recordings, as they are written after ``sample:``."""
    return sorted(_samples())


def sample_path(name: str) -> Path:
    """The file of an embedded recording.

    Raises:
        InputError: there is none of that name; the nearest, or all, are named.
    """
    samples = _samples()
    if name in samples:
        return samples[name]
    close = difflib.get_close_matches(name, samples, n=1)
    hint = f"did you mean sample:{close[0]}?" if close else f"there are {', '.join(sorted(samples))}."
    raise InputError(f"sample:{name}: there is no embedded recording of that name; {hint}")


def truths() -> dict[str, dict[str, Any]]:
    """What is true of each embedded recording, as its generator made it."""
    return json.loads((SAMPLES / "truth.json").read_text(encoding="utf-8"))


def run(assistant: Assistant, output: str | os.PathLike[str]) -> int:
    """Ask, print question, answer, confidence and truth, and draw everything into one picture; returns the exit code.

    Raises:
        InputError: the picture cannot be written there.
    """
    from vimonet.motion import load
    from vimonet.motion.render import check_output, draw_strip, events_of, stack, write_png

    output = check_output(output)
    if output.suffix.lower() != ".png":
        raise InputError(f"{output}: the demo draws a .png; give a name that ends so.")
    known = truths()
    strips = []
    for name, question, truth in QUESTIONS:
        motion = load(sample_path(name))
        answer = assistant.ask(question, motion)
        print(f"{bold(question)}  {dim(f'sample:{name}')}")
        print(f"  answer: {answer.text}  {dim(f'(confidence {answer.confidence:.2f})')}")
        print(f"  truth:  {truth(known[name])}")
        below = f"{answer.text}  (confidence {answer.confidence:.2f}; true: {truth(known[name])})"
        strips.append(draw_strip(motion, width=1400, title=question, subtitle=below, events=events_of(motion)))
    write_png(stack(strips), output)
    print(f"\nThe recordings with their answers and measured facts: {bold(str(output))}")
    print('Next: vimonet ask YOUR_RECORDING "What is the person doing?"')
    return 0
