"""Answer formats: how an answer is compared with the right one.

``exact``       equal after :func:`vimonet.bench.scoring.text_metrics.normalise`, whose rules are listed there;
``letter``      multiple choice: the option whose letter, or whose text, the answer gives (:func:`choice_of`);
``likelihood``  multiple choice: the option that the model finds likeliest; only for models that can say;
``number``      the number an answer names, within a tolerance (``tolerance`` + ``relative`` x the right number);
``time``        a point in time in seconds ("at 1.5 seconds", "0:01"), within a tolerance;
``span``        a stretch of time in seconds ("1.0-2.5 s"): intersection over union;
``caption``     a sentence, scored over the whole set (BLEU, ROUGE-L, CIDEr);
``judge``       free text, by a language model (:mod:`vimonet.bench.judge`).

``number`` and ``time`` fall back to ``exact`` where the right answer names no number ("does not travel").
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vimonet.bench.scoring import text_metrics

FORMATS = ("exact", "letter", "likelihood", "number", "time", "span", "caption", "judge")
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
_CLOCK = re.compile(r"(?<![\d:.])(\d+):([0-5]\d(?:\.\d+)?)(?![\d:])")
_LED = re.compile(
    r"^\W*(?:(?:the )?(?:best |correct |right )?(?:answer|option|choice)(?: is|:)?\s*)?\(?([A-Za-z])(?:[).:,]|\s*$)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Rule:
    """How the answers of a task are scored.

    Attributes:
        format: one of :data:`FORMATS`.
        tolerance: of ``number`` and ``time``, in the unit of the answer.
        relative: of ``number``: further tolerance as a share of the right number.
        threshold: of ``span``: least IoU of a hit.
    """

    format: str = "exact"
    tolerance: float = 0.0
    relative: float = 0.0
    threshold: float = 0.5

    def score(self, prediction: str, answer: str, options: Sequence[str] = ()) -> float:
        """0 to 1 for a prediction; ``caption`` and ``judge`` are scored elsewhere and count exact match here."""
        if self.format in ("letter", "likelihood"):
            return float(choice_of(prediction, options) == choice_of(answer, options) is not None)
        if self.format in ("number", "time") and not text_metrics.is_abstention(answer):
            read = time_in if self.format == "time" else number_in
            right, said = read(answer), read(prediction)
            if right is not None:
                if said is None or text_metrics.is_abstention(prediction):
                    return 0.0
                return float(abs(said - right) <= self.tolerance + self.relative * abs(right) + 1e-9)
        if self.format == "span":
            return overlap(span_in(prediction), span_in(answer))
        return float(text_metrics.exact_match(prediction, answer))


EXACT, CAPTION = Rule(), Rule("caption")


def rule_of(item: Any) -> Rule:
    """The rule of an item: its task's, else ``caption`` for captions and ``exact`` for everything else."""
    rule = getattr(item, "rule", None)
    return rule if isinstance(rule, Rule) else CAPTION if item.kind == "caption" else EXACT


def topic_of(item: Any) -> str:
    """What an item asks about in its dataset's own words; its kind, unless it is asked as part of a task."""
    return getattr(item, "topic", "") or item.kind


def item_score(item: Any, prediction: str) -> float:
    """Score 0 to 1 of a prediction for an item under its rule."""
    return rule_of(item).score(prediction, item.answer, item.options)


def list_options(options: Sequence[str]) -> str:
    """Options as a model is shown them: one a line, ``(A) walking``; in a row where letters do not suffice."""
    if len(options) > len(LETTERS):
        return f"Answer with one of: {', '.join(options)}"
    return "\n".join(f"({letter}) {option}" for letter, option in zip(LETTERS, options, strict=False))


def choice_of(answer: str, options: Sequence[str]) -> int | None:
    """Index of the option an answer chooses, or None.

    Rules, in order: the answer is an option's text (after normalisation); it opens with an option's letter ("B",
    "(B) walking", "B.", "Answer: B"); exactly one option's text occurs in it.
    """
    said = text_metrics.canonical(answer)
    plain = [text_metrics.canonical(option) for option in options]
    if said in plain:
        return plain.index(said)
    if opening := _LED.match(answer):
        at = LETTERS.find(opening.group(1).upper())
        if 0 <= at < len(options):
            return at
    found = [k for k, option in enumerate(plain) if option and f" {option} " in f" {said} "]
    return found[0] if len(found) == 1 else None


def number_in(text: str) -> float | None:
    """The one number in a text, digits or words up to twenty; None for none or several that differ."""
    found = {float(match) for match in _NUMBER.findall(_spaced(text))}
    return found.pop() if len(found) == 1 else None


def time_in(text: str) -> float | None:
    """The one point in time in a text, in seconds: "at 1.5 seconds", "1:30"."""
    clocks = {60 * int(minutes) + float(seconds) for minutes, seconds in _CLOCK.findall(text)}
    if clocks:
        return clocks.pop() if len(clocks) == 1 else None
    return number_in(text)


def span_in(text: str) -> tuple[float, float] | None:
    """The stretch of time in a text, in seconds: two numbers, the second not before the first; None otherwise."""
    clocks = [60 * int(minutes) + float(seconds) for minutes, seconds in _CLOCK.findall(text)]
    times = clocks or [float(match) for match in _NUMBER.findall(_spaced(text))]
    return (times[0], times[1]) if len(times) == 2 and times[0] <= times[1] else None


def overlap(a: tuple[float, float] | None, b: tuple[float, float] | None) -> float:
    """Intersection over union of two stretches of time; 0 where one is missing or both are points."""
    if a is None or b is None:
        return 0.0
    union = max(a[1], b[1]) - min(a[0], b[0])
    return max(0.0, min(a[1], b[1]) - max(a[0], b[0])) / union if union > 0 else 0.0


def _spaced(text: str) -> str:
    """Number words as digits, units apart from their numbers, a dash between numbers as a blank."""
    text = re.sub(r"(?<=\d)\s*[-–—]\s*(?=\d)", " ", text.lower())
    text = re.sub(r"(?<=\d)(?=[a-z])", " ", text)
    words = [str(text_metrics.NUMBER_OF.get(word.strip(".,;:!?"), word)) for word in text.split()]
    return " ".join(words)
