"""Measure which question forms a model fails on the validation split, for `data.form_scores` of its next training.

    python -m research.mini.form_scores --dataset data/vimos-open [-m MODEL] [--per-form N] [-o form_scores.json]

Questions are those of single and joined 3D rows without sensor faults; at most a third of a form's have one answer.
An amount is right within 15 %, or within 0.25 s, 3 degrees and .1 of other units; anything else if it is the bare
answer. A share is (right + 1) / (n + 2), so that few questions do not make a form look mastered or hopeless. Forms that
people ask in many words (`ASKED_IN_MANY_WORDS`) are left out: in the plain wordings of the split they look mastered.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vimonet.language import normalise_answer
from vimonet.utils.errors import InputError
from vimonet.vimos.reading import read_records
from vimonet.vimos.types import bare_answer

ASKED_IN_MANY_WORDS = frozenset(
    (
        *("yes_no", "near_yes_no", "fact_yes_no", "fact_check", "side_check", "either_or", "choice", "caption"),
        *("action", "action_of_kind", "count", "count_named", "used_hand", "used_leg", "displacement", "turn"),
        *("order", "order_yes_no"),
    )
)
_TOGETHER = 64


def is_right(right: str, text: str, options: Sequence[str]) -> bool:
    """Compare an answer with the right one."""
    told, wanted = normalise_answer(bare_answer(text, options)), normalise_answer(right)
    if told == wanted or normalise_answer(text).startswith(f"{wanted} "):
        return True
    amounts, given = _numbers(right), _numbers(text)
    if not amounts or wanted.isdigit() or len(given) < len(amounts):
        return False
    least = 0.25 if "second" in right else 3.0 if "degree" in right else 0.1
    return all(abs(a - b) <= max(0.15 * abs(a), least) for a, b in zip(amounts, given, strict=False))


def _numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", text)]


def drawn(dataset: Path, per_form: int, seed: int) -> list[tuple[Any, Any]]:
    """Draw (record, instruction) of every form, grouped by record."""
    found: dict[str, list[tuple[Any, Any]]] = {}
    for record in read_records(dataset, "val"):
        whole = record.motion is not None and record.motion.dimensions == 3 and record.video is None
        if whole and record.provenance.get("mode") in ("single", "composed") and not record.provenance.get("sensed"):
            for instruction in record.instructions:
                found.setdefault(instruction.form, []).append((record, instruction))
    rng, chosen = random.Random(seed), []
    for asked in found.values():
        rng.shuffle(asked)
        answers: Counter[str] = Counter()
        kept: list[tuple[Any, Any]] = []
        for one in asked:
            if len(kept) < per_form and answers[one[1].answer] < max(2, per_form // 3):
                answers[one[1].answer] += 1
                kept.append(one)
        chosen += kept
    return sorted(chosen, key=lambda one: str(one[0].id))


def main(argv: Sequence[str] | None = None) -> int:
    """Ask a model, write the shares, print them from the least."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", type=Path, required=True, help="VIMOS dataset with a split val")
    parser.add_argument("-m", "--model", help="model folder, hub id or shipped model")
    parser.add_argument("--per-form", type=int, default=12, help="most questions of one form (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the draw (default: %(default)s)")
    parser.add_argument("-o", "--output", type=Path, help="write the shares here, as JSON")
    args = parser.parse_args(argv)
    import vimonet

    try:
        asked = drawn(args.dataset, args.per_form, args.seed)
        assistant = vimonet.load(args.model)
        right: Counter[str] = Counter()
        total = Counter(instruction.form for _, instruction in asked)
        for start in range(0, len(asked), _TOGETHER):
            part = asked[start : start + _TOGETHER]
            questions = [(instruction.question, record.motion) for record, instruction in part]
            for (_, instruction), answer in zip(part, assistant.ask_batch(questions, answer_policy="raw"), strict=True):
                right[instruction.form] += is_right(instruction.answer, answer.text, instruction.options)
            print(f"{start + len(part)} of {len(asked)}", file=sys.stderr)
        if args.output:
            shares = {form: round((right[form] + 1) / (n + 2), 2) for form, n in sorted(total.items())}
            shares = {form: share for form, share in shares.items() if form not in ASKED_IN_MANY_WORDS}
            args.output.write_text(json.dumps(shares, indent=0) + "\n", encoding="utf-8")
    except (InputError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(
        f"all: {sum(right.values())} of {sum(total.values())} right ({sum(right.values()) / sum(total.values()):.3f})"
    )
    for form in sorted(total, key=lambda form: right[form] / total[form]):
        print(f"{form}: {right[form]} of {total[form]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
