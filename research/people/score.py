"""Score a model on questions as people type them (questions.jsonl; the README says what a line holds).

    python -m research.people.score [-m MODEL] [--questions second.jsonl] [--frozen] [--blind] [--limit N]
                                    [--answer-policy raw|calibrated] [-o predictions.jsonl]
    python -m research.people.score [--questions second.jsonl] predictions.jsonl
    python -m research.people.score [-m MODEL] --questions dev.jsonl --plain

Each question is asked alone, about one recording. ``--frozen`` asks again about a recording that holds its first pose,
``--blind`` asks again without a recording: what a model then still gets right, it does not take from the movement.
Intervals are 95 %, bootstrapped over clips with a fixed seed. An answer is of the wrong kind if it lacks what the
question asks for: yes or no, a side, a number. Declining is never of the wrong kind. ``--plain`` asks the same
in the plainest English, of a file whose lines all have it: how much the score rises is what people's wording costs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vimonet.language import declines, normalise_question
from vimonet.motion import Motion
from vimonet.utils.errors import InputError
from vimonet.utils.statistics import bootstrap_interval, expected_calibration_error

QUESTIONS = Path(__file__).with_name("questions.jsonl")
KINDS = ("yesno", "action", "side", "direction", "count", "order", "value", "decline")
CONDITIONS = ("motion", "frozen", "blind")
TOGETHER = 64

_DECLINES = r"\bcan(no|')?t (be|tell|say|see|know)|\b(don't|do not) know|\bnot sure|\bunknown|\bunclear"
_WINDOW = re.compile(r"(?:^|; )\d+(?:\.\d+)?-\d+(?:\.\d+)? s: ")
_NOT = re.compile(r"\b(not|never|without|instead of|rather than)\s+(\w+\s+)??\w+ing\b", re.I)
_YES = re.compile(
    r"^\W*(yes|yeah|yep|yup|correct|true|indeed|right(?! (hand|arm|leg|side|foot)))\b"
    r"|^\W*(it|s?he|they|there) (is|are|does|do|did)\W*$",
    re.I,
)
_NO = re.compile(r"^\W*(no|nope|not|never|incorrect|false|wrong)\b|\b(is|are|was|were|do|does|did)(n't| not)\b", re.I)
_UP_TO_TWENTY_FOUR = """zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty twenty-one twenty-two twenty-three twenty-four"""
_WORDS = {word: number for number, word in enumerate(_UP_TO_TWENTY_FOUR.split())}
_WORDS |= {"none": 0, "never": 0, "once": 1, "twice": 2, "single": 1, "both": 2}
_UNITS = {
    "m": {"m": 1, "metre": 1, "meter": 1, "cm": 0.01, "centimetre": 0.01, "centimeter": 0.01, "mm": 0.001, "km": 1000}
    | {"ft": 0.3048, "feet": 0.3048, "foot": 0.3048},
    "s": {"s": 1, "sec": 1, "second": 1, "ms": 0.001, "min": 60, "minute": 60},
    "m/s": {"m/s": 1, "metres per second": 1, "meters per second": 1, "km/h": 1 / 3.6, "kmh": 1 / 3.6, "mph": 0.447},
    "deg": {"deg": 1, "degree": 1, "°": 1},
    "/min": {"/min": 1, "per minute": 1, "a minute": 1},
}
_UNIT_OF = {name: (unit, factor) for unit, names in _UNITS.items() for name, factor in names.items()}
_NUMBER = re.compile(
    r"(?<![\w.])(?P<number>\d+(?:[.,]\d+)?|"
    + "|".join(sorted(_WORDS, key=len, reverse=True))
    + r")(?!\w*-)\s*(?:steps? ?)?(?P<unit>"
    + "|".join(sorted(map(re.escape, _UNIT_OF), key=len, reverse=True))
    + r")?s?(?![\w/])",
    re.I,
)
_KIND_WORDS = {
    "side": r"\b(left|right|both|neither|either|none|two)",
    "direction": r"forward|ahead|straight|front|onward|back|reverse|retreat|left|right|\bside|\bup|\bdown|\bris|\bsit|"
    r"\bstand|in place|on the spot|nowhere|same (place|spot)|still|stationary|\bstay|n.t (move|go)|not (mov|go)|toward|"
    r"away",
    "order": r"first|second|before|after|then|start|begin|middle|mid\b|end\b|last|earl|late|half|while|throughout|most|"
    r"whole|already|\d|\b(yes|no|left|right|up|down)\b|\b\w+ing\b",
}


def load_questions(path: Path = QUESTIONS) -> list[dict[str, Any]]:
    """Read the questions, one dict per line of the file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def plain(text: str) -> str:
    """Remove the times of windows from an answer, and straighten its apostrophes."""
    return _WINDOW.sub("; ", text.replace("’", "'")).strip("; ")


def abstains(text: str) -> bool:
    """Tell whether an answer declines."""
    return declines(normalise_question(text)) or bool(re.search(_DECLINES, text, re.I))


def polarity(text: str) -> str | None:
    """Tell whether an answer says 'yes' or 'no'; None where it says neither or declines."""
    if abstains(text):
        return None
    return "yes" if _YES.search(text) else "no" if _NO.search(text) else None


def numbers(text: str, unit: str | None = None) -> list[float]:
    """List the numbers of an answer, converted to `unit`; numbers of another quantity are left out."""
    found = [] if unit or not re.match(r"\W*no \w", text, re.I) else [0.0]
    for match in _NUMBER.finditer(text):
        said = match["number"].lower()
        value = float(_WORDS[said]) if said in _WORDS else float(said.replace(",", "."))
        kind, factor = _UNIT_OF.get((match["unit"] or "").lower(), (None, 1.0))
        if kind is None or kind == unit:
            found.append(value * factor)
    return found


def is_right(question: dict[str, Any], answer: str) -> bool:
    """Tell whether an answer is right."""
    text = plain(answer)
    if question["kind"] == "decline":
        return abstains(text) or _any(question["accept"], text)
    if abstains(text):
        return False
    if question["kind"] == "yesno":
        return polarity(text) == question["answer"]
    if "range" in question:
        low, high = question["range"]
        value = _value(answer, question)
        return value is not None and low <= value <= high
    text = _NOT.sub("", text) if question["kind"] == "action" else text
    return _any(question["accept"], text) and not _any(question.get("reject", ()), text)


def is_wrong_kind(question: dict[str, Any], answer: str) -> bool:
    """Tell whether an answer lacks what the question asks for: yes or no, a side, a direction, a number."""
    text, kind = plain(answer), question["kind"]
    if kind == "decline" or (text and abstains(text)) or is_right(question, answer):
        return False
    if not text:
        return True
    if kind == "yesno":
        return polarity(text) is None
    if "range" in question:
        return not numbers(text, question.get("unit"))
    if kind == "action":
        side = r"(the )?(left|right|both)( (hand|arm|leg|foot|knee)s?)?"
        bare = rf"({side}|yes|no|forwards?|backwards?|up|down|\d+(\.\d+)?)\b.{{0,3}}"
        return bool(re.fullmatch(bare, text, re.I))
    if kind == "direction":
        text = re.sub(r"\b(left|right) (hand|arm|leg|foot)", "", text, flags=re.I)
    return not re.search(_KIND_WORDS[kind], text, re.I)


def contradicts_itself(answered: Iterable[tuple[dict[str, Any], str]]) -> bool:
    """Tell whether one answer of a triple claims what another denies."""
    said: set[str] = set()
    for question, answer in answered:
        said.update(_claims(question, plain(answer)))
    return any(claim[0] == "+" and f"-{claim[1:]}" in said for claim in said)


def _value(answer: str, question: dict[str, Any]) -> float | None:
    """Find the first number of an answer; counts of a recording read in windows are added up."""
    unit = question.get("unit")
    said = [found[0] for part in _WINDOW.split(answer) if part and (found := numbers(part, unit))]
    if not said:
        return None
    return sum(said) if question["kind"] == "count" else said[0]


def _claims(question: dict[str, Any], text: str) -> list[str]:
    if abstains(text):
        return []
    if question["kind"] == "yesno":
        stated = (polarity(text) or "").upper()
        return next((claims for key, claims in question["claims"] if key == stated), [])
    text = _NOT.sub("", text)
    return next((claims for key, claims in question["claims"] if key == "*" or _any([key], text)), [])


def _any(patterns: Iterable[str], text: str) -> bool:
    return any(re.search(pattern, text, re.I) for pattern in patterns)


def held(motion: Motion) -> Motion:
    """Hold the first pose of a movement for its whole duration."""
    first = np.repeat(motion.joints[:1], motion.frames, axis=0)
    confidence = None if motion.confidence is None else np.repeat(motion.confidence[:1], motion.frames, axis=0)
    return replace(motion, joints=first, confidence=confidence)


def motions_of(questions: Sequence[dict[str, Any]]) -> dict[str, Motion]:
    """Read the recordings that the questions are about."""
    from research.vimos_open.sources import clips_of

    wanted = {question["clip"] for question in questions}
    sources = sorted({name.split("/")[0] for name in wanted})
    found: dict[str, Motion] = {}
    for split in ("test", "val"):
        if wanted - set(found):  # only dev.jsonl asks about val
            found |= {clip.id: clip.motion for clip in clips_of(split, sources) if clip.id in wanted}
    if missing := sorted(wanted - set(found)):
        raise InputError(f"{len(missing)} recordings are in neither test nor val split, among them {missing[0]}.")
    return found


def ask(
    model: str | None,
    questions: Sequence[dict[str, Any]],
    conditions: Sequence[str],
    policy: str,
    leave_out: Sequence[str] = (),
) -> list[dict[str, Any]]:
    """Ask a model every question under every input condition; one row per answer."""
    import vimonet

    assistant, motions, rows = vimonet.load(model), motions_of(questions), []
    still = {clip: held(motion) for clip, motion in motions.items()} if "frozen" in conditions else {}
    questions = sorted(questions, key=lambda question: question["clip"])  # questions about a clip share its prefix
    for condition in conditions:
        for start in range(0, len(questions), TOGETHER):
            part = questions[start : start + TOGETHER]
            clips = {"motion": motions, "frozen": still}.get(condition, {})
            shown = [clips.get(question["clip"]) for question in part]
            asked = [(question["question"], motion) for question, motion in zip(part, shown, strict=True)]
            answers = assistant.ask_batch(asked, answer_policy=policy, leave_out=leave_out)
            rows += [
                {
                    **{"id": question["id"], "condition": condition, "question": question["question"]},
                    **{"text": answer.text, "confidence": round(float(answer.confidence), 4)},
                }
                for question, answer in zip(part, answers, strict=True)
            ]
            print(f"{condition}: {start + len(part)} of {len(questions)}", file=sys.stderr)
    return rows


def table(questions: Sequence[dict[str, Any]], rows: Sequence[dict[str, Any]]) -> str:
    """Tabulate the scores of predictions: a row per kind of question, and the triples below."""
    texts: dict[str, dict[str, str]] = {}
    for row in rows:
        texts.setdefault(row.get("condition", "motion"), {})[row["id"]] = row["text"]
    main = texts.get("motion") or next(iter(texts.values()))
    asked = [question for question in questions if question["id"] in main]
    others = [name for name in CONDITIONS if name in texts and texts[name] is not main]
    head = ["kind", "n", "right [95 %]", "balanced [95 %]", "wrong kind", *others]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for kind in (*KINDS, "all"):
        of_kind = [question for question in asked if kind in (question["kind"], "all")]
        if of_kind:
            lines.append("| " + " | ".join(_cells(kind, of_kind, main, [texts[name] for name in others])) + " |")
    triples: dict[str, list[tuple[dict[str, Any], str]]] = {}
    for question in asked:
        if "triple" in question:
            triples.setdefault(question["triple"], []).append((question, main[question["id"]]))
    whole = [triple for triple in triples.values() if len(triple) == 3]
    if whole:
        torn = sum(contradicts_itself(triple) for triple in whole)
        right = sum(all(is_right(question, text) for question, text in triple) for triple in whole)
        lines += ["", f"Triples: {torn} of {len(whole)} contradict themselves; {right} are right in all three answers."]
    stated = {
        row["id"]: row["confidence"]
        for row in rows
        if row.get("condition", "motion") == "motion" and "confidence" in row
    }
    if stated:
        lines.append(_trust([(stated[q["id"]], float(is_right(q, main[q["id"]]))) for q in asked]))
    return "\n".join(lines)


def _trust(answers: Sequence[tuple[float, float]]) -> str:
    """Say how far stated confidences can be trusted: the calibration error, and the share right in every fifth."""
    stated, right = zip(*sorted(answers), strict=True)
    error = expected_calibration_error(stated, right)
    fifths = [float(np.mean(part)) for part in np.array_split(np.array(right), 5)]
    sure = [r for c, r in answers if c >= 0.7]
    wrong = f"{_two(1 - np.mean(sure))} of the {len(sure)} answers of confidence .7 or more are wrong" if sure else ""
    return f"Calibration error {error.ece:.3f}; right by fifth of confidence: {' '.join(map(_two, fifths))}; {wrong}."


def _cells(
    kind: str, asked: Sequence[dict[str, Any]], main: dict[str, str], others: Sequence[dict[str, str]]
) -> list[str]:
    right = [float(is_right(question, main[question["id"]])) for question in asked]
    clips = [question["clip"] for question in asked]
    cells = [kind, str(len(asked)), _share(right, clips), ""]
    if kind == "yesno":
        cells[3] = _share(right, clips, [question["answer"] for question in asked])
    cells.append("" if kind == "decline" else _two(np.mean([is_wrong_kind(q, main[q["id"]]) for q in asked])))
    for texts in others:
        known = [question for question in asked if question["id"] in texts]
        cells.append(_two(np.mean([is_right(q, texts[q["id"]]) for q in known])) if known else "")
    return cells


def _share(right: Sequence[float], clips: Sequence[str], classes: Sequence[str] | None = None) -> str:
    value = float(np.mean(right))
    if classes is not None:
        value = float(
            np.mean([np.mean([r for r, c in zip(right, classes, strict=True) if c == k]) for k in set(classes)])
        )
    low, high = bootstrap_interval(right, clips, classes=classes)
    return _two(value) + (f" [{_two(low)}, {_two(high)}]" if np.isfinite(low) else "")


def _two(value: Any) -> str:
    return f"{float(value):.2f}".replace("0.", ".", 1) if float(value) < 1 else "1.00"


def main(argv: Sequence[str] | None = None) -> int:
    """Ask a model or read its predictions, and print the table of scores."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("predictions", nargs="?", type=Path, help="score this file of predictions and ask nothing")
    parser.add_argument("--questions", type=Path, default=QUESTIONS, help="file of questions; default: questions.jsonl")
    parser.add_argument("-m", "--model", help="model folder, hub id or shipped model")
    parser.add_argument("--plain", action="store_true", help="ask in the plainest English (dev.jsonl says how)")
    parser.add_argument("--frozen", action="store_true", help="ask again about the first pose, held")
    parser.add_argument("--blind", action="store_true", help="ask again without motion")
    parser.add_argument("--limit", type=int, help="ask the first N questions, spread over all kinds")
    parser.add_argument("--answer-policy", choices=("raw", "calibrated"), default="raw")
    parser.add_argument(
        "--leave-out",
        nargs="+",
        default=(),
        choices=("tokens", "frames", "actions", "facts", "seen"),
        help="parts of the prompt to leave out",
    )
    parser.add_argument("-o", "--output", type=Path, help="write the predictions here, one JSON object per line")
    args = parser.parse_args(argv)
    try:
        path = args.questions if args.questions.exists() else QUESTIONS.with_name(args.questions.name)
        if not path.exists():
            raise InputError(f"{args.questions}: no such file of questions, here or in research/people.")
        questions = load_questions(path)
        if args.plain:
            if not all("plain" in question for question in questions):
                raise InputError(f"{path}: its questions have no plain wordings; give --questions dev.jsonl.")
            questions = [{**question, "question": question["plain"]} for question in questions]
        if args.predictions:
            lines = args.predictions.read_text(encoding="utf-8").splitlines()
            rows = [json.loads(line) for line in lines if line.strip()]
            if not rows:
                raise InputError(f"{args.predictions}: holds no predictions.")
        else:
            chosen = questions[:: max(1, len(questions) // args.limit)][: args.limit] if args.limit else questions
            conditions = ["motion", *(["frozen"] if args.frozen else []), *(["blind"] if args.blind else [])]
            rows = ask(args.model, chosen, conditions, args.answer_policy, args.leave_out)
        if args.output:
            text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
            args.output.write_text(text, encoding="utf-8")
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table(questions, rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
