"""What lmms-eval calls for the tasks of ViMoNet-Bench; `scripts/export_lmms.py` writes a copy beside the tasks.

The copy runs in lmms-eval's own environment, where ViMoNet is not installed: nothing of it is imported here, and
the rules of :mod:`vimonet.bench.tasks` are written out once more (a test
holds the two against each other).
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
    """The strip of poses as a picture, or the path of the video."""
    if doc["visual"].lower().endswith(".png"):
        from PIL import Image

        with Image.open(doc["visual"]) as image:
            return [image.convert("RGB")]
    return [doc["visual"]]


def doc_to_text(doc: Mapping[str, Any], lmms_eval_specific_kwargs: Any = None) -> str:
    """The question with what lmms-eval is told to put around it."""
    around = lmms_eval_specific_kwargs or {}
    return f"{around.get('pre_prompt', '')}{doc['question']}{around.get('post_prompt', '')}"


def process_results(doc: Mapping[str, Any], results: Sequence[Any]) -> dict[str, float]:
    """Score 0 or 1 of one answer, by the task's rule."""
    return {"score": score(doc, str(results[0]))}


def score(doc: Mapping[str, Any], said: str) -> float:
    """Letters by letter or text; numbers within a tolerance; everything else equal after normalisation."""
    right = doc["answer"]
    if doc["format"] in ("letter", "likelihood") and doc["options"]:
        return float(choice(said, doc["options"]) == choice(right, doc["options"]))
    if doc["format"] in ("number", "time"):
        truth, guess = number(right), number(said)
        if truth is not None:
            room = doc["tolerance"] + doc["relative"] * abs(truth) + 1e-9
            return float(guess is not None and abs(guess - truth) <= room)
    return float(normalise(said) == normalise(right))


def choice(said: str, options: Sequence[str]) -> int | None:
    """Index of the option that an answer names, or None."""
    plain = [normalise(option) for option in options]
    if normalise(said) in plain:
        return plain.index(normalise(said))
    opening = LED.match(said)
    if opening and LETTERS.find(opening.group(1).upper()) < len(options):
        return LETTERS.find(opening.group(1).upper())
    found = [k for k, option in enumerate(plain) if f" {option} " in f" {normalise(said)} "]
    return found[0] if len(found) == 1 else None


def number(text: str) -> float | None:
    """The one number in a text, or None."""
    found = set(re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?", normalise(re.sub(r"(?<=\d)(?=[a-z])", " ", text.lower()))))
    return float(found.pop()) if len(found) == 1 else None


def normalise(text: str) -> str:
    """Case, punctuation, articles and number words do not count; an opening yes or no is the answer."""
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
