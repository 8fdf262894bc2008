"""Write the leak report of a dataset: the share of questions that a question-only model answers, per style.

The ceiling of every style is 100, because each answer follows from the movement. A style is flagged when the
question-only model or the majority answers come within 5 points of the ceiling (the movement adds nothing), or when the
model stands more than 5 points above the majority answers (the wording reveals the answer).
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vimonet.utils.files import write_text
from vimonet.utils.markdown import code_span, plain_text
from vimonet.vimos.question_only_baseline import QuestionOnly
from vimonet.vimos.reading import splits_of

__all__ = ["LeakReport", "QuestionOnly", "StyleLeak", "leak_report"]

CEILING = 100.0
MARGIN = 5.0
_LEAST = 50
"""Fewest questions of a flagged style: below it, 5 points are only two questions."""


@dataclass(frozen=True)
class StyleLeak:
    """Hold the blind scores of one style, in percent.

    Attributes:
        style: style of the questions.
        n: questions scored.
        blind: score of the question-only model.
        majority: score of the commonest training answer of each form.
        flag: reason for a flag, empty without one.
        worst: (form, n, blind, majority) of the forms that stand highest above their majority.
    """

    style: str
    n: int
    blind: float
    majority: float
    flag: str = ""
    worst: tuple[tuple[str, int, float, float], ...] = ()


@dataclass(frozen=True)
class LeakReport:
    """Hold the blind scores of a dataset.

    Attributes:
        fitted_on, scored_on: splits (``train, 1 recording in 5`` for a dataset of one split).
        fitted, scored: numbers of questions.
        seed: seed of the subsamples.
        styles: scores per style, in alphabetical order.
        overall: scores of all styles together.
    """

    fitted_on: str
    scored_on: str
    fitted: int
    scored: int
    seed: int
    styles: tuple[StyleLeak, ...]
    overall: StyleLeak

    @property
    def flagged(self) -> list[StyleLeak]:
        """List the styles that leak."""
        return [style for style in self.styles if style.flag]

    def to_dict(self) -> dict[str, Any]:
        """Convert to the JSON of ``leak.json``."""
        return {"ceiling": CEILING, "margin": MARGIN, **asdict(self)}

    def markdown(self) -> str:
        """Write the table of the card, and a sentence about each flag."""
        lines = [
            f"A model that reads only the questions (hashed words, softmax regression) was fitted on {self.fitted:,} "
            f"of {self.fitted_on} and asked {self.scored:,} of {self.scored_on}. The ceiling is {CEILING:g} in every "
            "style: each answer follows from the movement. `majority` gives each form's commonest training answer.",
            "",
            "| style | n | blind | majority | flag |",
            "|---|---:|---:|---:|---|",
        ]
        for s in (*self.styles, self.overall):
            lines.append(f"| {plain_text(s.style)} | {s.n:,} | {s.blind:.1f} | {s.majority:.1f} | {s.flag} |")
        lines.append("")
        for s in self.flagged:
            worst = "; ".join(
                f"{code_span(form)} {blind:.1f} against {most:.1f} (n {n:,})" for form, n, blind, most in s.worst
            )
            lines.append(
                f"**{plain_text(s.style)}** is flagged: {s.flag}. Highest above their majority: {worst or 'none'}."
            )
        if not self.flagged:
            lines.append(f"No style is flagged (within {MARGIN:g} of the ceiling, or {MARGIN:g} above the majority).")
        return "\n".join(lines)


def leak_report(folder: str | Path, *, seed: int = 0, fit: int = 150_000, score: int = 60_000) -> LeakReport | None:
    """Fit the question-only model on ``train`` and score it on ``test`` (else ``val``, else held-out recordings).

    Args:
        folder: a finished dataset, which gets ``leak.json``.
        seed: seed of the subsamples.
        fit, score: approximate limits on questions to fit and to score.

    Returns:
        The report, or None for too few questions.

    Raises:
        InputError: the folder holds no dataset.
    """
    found = splits_of(folder)
    known = next((split for split in ("train", *found) if split in found), "")
    asked = next((split for split in ("test", "val") if split in found and split != known), known)
    fitted, scored = [], []
    for question, answer, form, style, recording in _questions(found.get(known, []), fit, seed):
        kept = asked == known and zlib.crc32(recording.encode()) % 5 == 0
        if not kept:
            fitted.append((question, answer, form))
        else:
            scored.append((question, answer, form, style))
    if asked != known:
        scored = [entry[:4] for entry in _questions(found[asked], score, seed + 1)]
    if not fitted or not scored:
        return None
    model = QuestionOnly(seed).fit(fitted)
    given = model.answers([question for question, *_ in scored])
    tally: dict[tuple[str, str], Counter[str]] = {}
    for (_, answer, form, style), guess in zip(scored, given, strict=True):
        counts = tally.setdefault((style, form), Counter())
        counts["n"] += 1
        counts["blind"] += _same(guess, answer)
        counts["majority"] += _same(model.majority.get(form, ""), answer)
    styles = tuple(
        _style(name, {f: c for (s, f), c in tally.items() if s == name}) for name in sorted({s for s, _ in tally})
    )
    overall = _style("all", {f"{s}/{f}": c for (s, f), c in tally.items()})
    report = LeakReport(
        known,
        asked if asked != known else f"{known}, 1 recording in 5 kept from fitting",
        len(fitted),
        len(scored),
        seed,
        styles,
        overall,
    )
    write_text(Path(folder) / "leak.json", json.dumps(report.to_dict(), indent=1) + "\n")
    return report


def _same(a: str, b: str) -> bool:
    return a.strip().strip(".").lower() == b.strip().strip(".").lower()


def _style(name: str, forms: dict[str, Counter[str]]) -> StyleLeak:
    total: Counter[str] = sum(forms.values(), Counter())
    n, blind, majority = total["n"], 100 * total["blind"] / total["n"], 100 * total["majority"] / total["n"]
    reasons = []
    if max(blind, majority) >= CEILING - MARGIN:
        reasons.append(f"within {MARGIN:g} points of the ceiling")
    if blind > majority + MARGIN:
        reasons.append(f"{blind - majority:.1f} points above the majority answers")
    above = sorted(forms.items(), key=lambda item: (item[1]["majority"] - item[1]["blind"], item[0]))
    worst = tuple(
        (form, c["n"], round(100 * c["blind"] / c["n"], 2), round(100 * c["majority"] / c["n"], 2))
        for form, c in above[:3]
        if c["blind"] > c["majority"]
    )
    flag = "; ".join(reasons) if n >= _LEAST else ""
    return StyleLeak(name, n, round(blind, 2), round(majority, 2), flag, worst)


def _questions(shards: list[Path], limit: int, seed: int) -> Iterator[tuple[str, str, str, str, str]]:
    """Draw about `limit` questions, whole rows at a time: question, answer, form, style, recording."""
    total = sum(
        len(batch.column(0).flatten())
        for path in shards
        for batch in pq.ParquetFile(path).iter_batches(columns=["instructions.list.element.wording"], batch_size=4096)
    )
    rng, share = np.random.default_rng(seed), min(1.0, limit / max(1, total))
    names = ("question", "answer", "form", "style")
    columns = ["recording", *(f"instructions.list.element.{name}" for name in names)]
    for path in shards:
        for batch in pq.ParquetFile(path).iter_batches(columns=columns, batch_size=1024):
            batch = batch.filter(pc.less(rng.random(len(batch)), share)) if share < 1 else batch
            asked = batch.column("instructions")
            recordings = batch.column("recording").take(pc.list_parent_indices(asked)).to_pylist()
            flat = asked.flatten()
            found = [pc.struct_field(flat, name).to_pylist() for name in names]
            for question, answer, form, style, recording in zip(*found, recordings, strict=True):
                yield question, answer, form.partition(":")[0], style or form.partition(":")[0], recording
