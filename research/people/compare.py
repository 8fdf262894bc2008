"""Score a model on questions about two recordings of the test split, in wordings kept apart (comparisons.jsonl).

    python -m research.people.compare [-m MODEL] [--pairs N] [--seed N] [--blind] [-o predictions.jsonl]

Labels and measures of both recordings give the answers (`vimonet.vimos.comparisons`). Each pair is asked about in both
orders, so that a model which always names one of the two is right in at most half. Intervals are 95 %, bootstrapped
over pairs.
``--blind`` asks without the recordings.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vimonet.language import normalise_answer
from vimonet.motion.kinematics import measure
from vimonet.utils.errors import InputError
from vimonet.utils.statistics import bootstrap_interval
from vimonet.vimos.comparisons import comparisons, verdict
from vimonet.vimos.types import Question

WORDINGS = Path(__file__).with_name("comparisons.jsonl")
SOURCES = ("bnr", "cmu", "synthetic")
ASKED = 4
"""Questions about each order of a pair."""


def questions_of(clips: Sequence[Any], count: int, seed: int) -> Iterator[dict[str, Any]]:
    """Draw pairs of clips with the same number of dimensions, and ask about each in both orders."""
    rng = random.Random(seed)
    texts: dict[str, list[str]] = {}
    for line in WORDINGS.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        texts.setdefault(row["form"], []).append(row["text"])
    by_action: dict[str, list[Any]] = {}
    for clip in clips:
        by_action.setdefault(clip.action, []).append(clip)
    actions = sorted(by_action)
    asked = dict.fromkeys(texts, 0)
    for pair in range(count):
        action = rng.choice(actions)
        one = rng.choice(by_action[action])
        others = [
            clip for clip in by_action[action if rng.random() < 1 / 3 else rng.choice(actions)] if clip is not one
        ]
        if not others:
            continue
        two = rng.choice(others)
        facts = measure(one.motion), measure(two.motion)
        labels = [one.action], [two.action]
        for turned in (False, True):
            shown = (two, one) if turned else (one, two)
            measured, named = (facts[::-1], labels[::-1]) if turned else (facts, labels)
            found = comparisons((measured[0], measured[1]), (named[0], named[1]), actions, rng)
            rng.shuffle(found)
            found.sort(key=lambda question: asked[question.form])  # rare forms first
            for question in found[:ASKED]:
                asked[question.form] += 1
                text = rng.choice(texts[question.form]).format(**question.slots)
                yield {
                    "pair": pair,
                    "clips": [clip.id for clip in shown],
                    "shown": shown,
                    "question": text,
                    "of": question,
                }


def is_right(question: Question, text: str) -> bool:
    """Compare an answer with the right one; the values before it ("1.4 m/s and 0.6 m/s: ...") are not compared."""
    told = normalise_answer(verdict(text, question.options))
    return told == normalise_answer(question.answer) or told == normalise_answer(question.answer).removesuffix(" clip")


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Tabulate the share right of each form, with the share of the most frequent right answer beside it."""
    lines = ["| form | n | right | most frequent answer |", "|---|---|---|---|"]
    for form in ("all", *sorted({row["form"] for row in rows})):
        own = [row for row in rows if form in ("all", row["form"])]
        right = [float(row["right"]) for row in own]
        low, high = bootstrap_interval(right, [row["pair"] for row in own])
        answers = [row["answer"] for row in own]
        usual = max(map(answers.count, set(answers))) / len(own)
        lines.append(f"| {form} | {len(own)} | {sum(right) / len(own):.2f} ({low:.2f}-{high:.2f}) | {usual:.2f} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Ask a model about pairs, and print the table of scores."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-m", "--model", help="model folder, hub id or shipped model")
    parser.add_argument("--pairs", type=int, default=60, help="pairs of recordings (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draws (default: %(default)s)")
    parser.add_argument("--blind", action="store_true", help="ask without the recordings")
    parser.add_argument("-o", "--output", type=Path, help="write the predictions here, one JSON object per line")
    args = parser.parse_args(argv)
    import vimonet
    from research.vimos_open.sources import clips_of

    try:
        clips = [clip for clip in clips_of("test", SOURCES) if clip.action and clip.motion.dimensions == 3]
        asked = list(questions_of(clips, args.pairs, args.seed))
        assistant = vimonet.load(args.model)
        rows = []
        for start in range(0, len(asked), 8 * ASKED):
            part = asked[start : start + 8 * ASKED]
            shown = [(one["question"], None if args.blind else [clip.motion for clip in one["shown"]]) for one in part]
            for one, answer in zip(part, assistant.ask_batch(shown, answer_policy="raw"), strict=True):
                question = one["of"]
                about = {"pair": one["pair"], "clips": one["clips"], "form": question.form, "answer": question.answer}
                told = {"question": one["question"], "text": answer.text, "right": is_right(question, answer.text)}
                rows.append({**about, **told, "confidence": answer.confidence})
            print(f"{len(rows)} of {len(asked)}", file=sys.stderr)
        if args.output:
            args.output.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
