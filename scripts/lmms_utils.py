"""Score the tasks of ViMoNet-Bench in lmms-eval; `scripts/export_lmms.py` writes a copy beside the tasks.

The copy runs without ViMoNet, so it imports nothing of it and repeats the rules of :mod:`vimonet.bench.tasks` (a test
compares the two).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

_SMALL = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_TEENS = ("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty")
NUMBERS = {word: str(value) for value, word in enumerate((*_SMALL, *_TEENS))}
LED = re.compile(
    r"^\W*(?:(?:the )?(?:best |correct |right )?(?:answer|option|choice)(?: is|:)?\s*)?\(?([A-Za-z])(?:[).:,]|\s*$)",
    re.IGNORECASE,
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def doc_to_visual(doc: Mapping[str, Any], lmms_eval_specific_kwargs: Any = None) -> list[Any]:
    """Return the strip of poses as an image, or the path of the video."""
    if doc["visual"].lower().endswith(".png"):
        from PIL import Image

        with Image.open(doc["visual"]) as image:
            return [image.convert("RGB")]
    return [doc["visual"]]


def doc_to_text(doc: Mapping[str, Any], lmms_eval_specific_kwargs: Any = None) -> str:
    """Return the question between lmms-eval's pre_prompt and post_prompt."""
    options = lmms_eval_specific_kwargs or {}
    return f"{options.get('pre_prompt', '')}{doc['question']}{options.get('post_prompt', '')}"


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """Score one answer with 0 or 1 by the task's rule."""
    return {"score": score(doc, str(results[0]))}


def score(doc: Mapping[str, Any], text: str) -> float:
    """Compare options by letter or text, numbers within a tolerance, all else by equality after normalisation."""
    right = doc["answer"]
    if doc["format"] in ("letter", "likelihood") and doc["options"]:
        return float(choice(text, doc["options"]) == choice(right, doc["options"]))
    if doc["format"] in ("number", "time"):
        truth, guess = number(right), number(text)
        if truth is not None:
            tolerance = doc["tolerance"] + doc["relative"] * abs(truth) + 1e-9
            return float(guess is not None and abs(guess - truth) <= tolerance)
    return float(normalise(text) == normalise(right))


def choice(text: str, options: Sequence[str]) -> int | None:
    """Find the index of the option that an answer names; None without one."""
    plain = [normalise(option) for option in options]
    if normalise(text) in plain:
        return plain.index(normalise(text))
    opening = LED.match(text)
    if opening and LETTERS.find(opening.group(1).upper()) < len(options):
        return LETTERS.find(opening.group(1).upper())
    found = [k for k, option in enumerate(plain) if f" {option} " in f" {normalise(text)} "]
    return found[0] if len(found) == 1 else None


def number(text: str) -> float | None:
    """Read the only number in a text; None without one."""
    found = set(re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", normalise(re.sub(r"(?<=\d)(?=[a-z])", " ", text.lower()))))
    return float(found.pop()) if len(found) == 1 else None


def normalise(text: str) -> str:
    """Remove case, punctuation and articles, write number words as digits, and keep only an opening yes or no."""
    text = unicodedata.normalize("NFKC", text).casefold()
    opening = re.match(r"^\s*(yes|no)\s*[,.;:!]", text)
    if opening:
        return opening.group(1)
    text = re.sub(r"(?<!\d)\.|\.(?!\d)", " ", text)
    text = re.sub(r"(?<![\s(])-|-(?!\d)", " ", text)
    text = re.sub(r"[^\w\s'.\-]|_", " ", text)
    words = [word for word in text.split() if word not in ("a", "an", "the")] or text.split()
    text = " ".join(NUMBERS.get(word, word) for word in words)
    return re.sub(r"^(i |we )?(cannot|can not|can't) (tell|say).*", "cannot tell", text)
