"""Write the report of a run as JSON, Markdown and charts, and combine seeds into mean and spread."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vimonet.bench.scoring import accuracy, behaviour, caption_scores
from vimonet.bench.scoring.score_table import Row, RunAnswers, Section, show, value
from vimonet.utils import statistics
from vimonet.utils.errors import InputError
from vimonet.utils.files import write_text
from vimonet.utils.markdown import plain_text, table

SECTIONS: tuple[Section, ...] = (
    accuracy.SCORES,
    accuracy.AVERAGES,
    behaviour.CONSISTENCY,
    behaviour.EVIDENCE,
    behaviour.JUDGE,
    accuracy.WORDING,
    behaviour.MIRRORED,
    behaviour.YES_NO_SECTION,
    behaviour.ABSTENTION,
    behaviour.CALIBRATION,
    caption_scores.CAPTIONS,
    caption_scores.RETRIEVAL,
    accuracy.RECOGNITION_SECTION,
)
"""Sections of a report, in order; a new section is a :class:`Section` in this list."""

_IDENTITY = ("source", "kind", "form", "wording", "references", "control")
_FACTS = (
    *("model", "checkpoint", "version", "seed", "dataset", "dataset_sha256", "split", "tasks", "items", "recordings"),
    *("train_items", "items_sha256", "evaluator", "controls", "control_limit", "seconds", "machine"),
)


def score_sections(answers: RunAnswers) -> dict[str, list[dict[str, Any]]]:
    """Score the answers of a run; return the rows of every section by its name."""
    return {section.name: section.rows(answers) for section in SECTIONS}


@dataclass
class _Scores:
    """Share the tables and files of a report of one run with one over several seeds."""

    provenance: Any
    sections: dict[str, list[dict[str, Any]]]
    out: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """Convert to a JSON-ready mapping, with None for unknown numbers."""
        return _plain({"provenance": self.provenance, **self.sections})

    def opening(self) -> list[str]:
        """Write the lines above the tables."""
        return ["# Evaluation", _facts(self.provenance)]

    def markdown(self, forms: bool = True) -> str:
        """Write the tables of the report, with or without the one per question form."""
        return _markdown(self.opening(), self.sections, forms)

    def summary(self, source: str | None = None) -> str:
        """Write the compact table of one corpus (None for all together), and a line per further score."""
        return _summary(self.sections, source)

    def _write(self, out: str | Path, name: str) -> Path:
        """Write NAME.json and NAME.md into a folder."""
        self.out = folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)
        write_text(folder / f"{name}.json", text)
        write_text(folder / f"{name}.md", self.markdown())
        return folder


@dataclass
class Report(_Scores):
    """Hold the scores of one model on one set of items.

    Attributes:
        provenance: model, checkpoint (SHA-256 of its weights), seed, code version, counts, controls, wall time,
            machine.
        sections: rows by name of the section; see :data:`SECTIONS`.
        out: output folder, None before `save`.
    """

    def row(self, source: str, kind: str, form: str = "all", wording: str = "all") -> dict[str, Any]:
        """Find the score row of a source and kind.

        Raises:
            KeyError: there is none.
        """
        for row in self.sections["score_rows"]:
            if (row["source"], row["kind"], row["form"], row["wording"]) == (source, kind, form, wording):
                return row
        raise KeyError(f"no score row for source {source!r}, kind {kind!r}, form {form!r}, wording {wording!r}")

    def score(self, source: str, kind: str, system: str = "model", measure: str = "exact_match") -> float:
        """Return one score: ``report.score("cmu", "turn", "blind", "balanced_accuracy")``.

        Raises:
            KeyError: there is no such score.
        """
        return self.row(source, kind)["systems"][system][measure]["value"]

    def categories(self, sources: Sequence[str] = ()) -> str:
        """Write a table with a row per source and task: n, score, balanced accuracy, controls, majority, nearest.

        Args:
            sources: corpora to show, in this order; () for all.

        Raises:
            InputError: the report has no questions about one of the sources.
        """
        return accuracy.categories(self.sections, sources)

    def save(self, out: str | Path) -> Path:
        """Write ``report.json``, ``report.md``, ``scores.png`` and ``reliability.png`` into a folder."""
        from vimonet.bench import report_charts

        folder = self._write(out, "report")
        report_charts.draw_scores(self.sections["score_rows"], folder / "scores.png", title=_title(self.provenance))
        report_charts.draw_reliability(self.sections["calibration"], folder / "reliability.png")
        return folder

    @classmethod
    def load(cls, path: str | Path) -> Report:
        """Read a report back from its folder or its ``report.json``.

        Raises:
            InputError: the file is missing or is no report.
        """
        file = Path(path)
        file = file / "report.json" if file.is_dir() else file
        try:
            data = json.loads(file.read_text(encoding="utf-8"))
            return cls(data["provenance"], {section.name: data[section.name] for section in SECTIONS}, file.parent)
        except FileNotFoundError:
            raise InputError(f"{file}: no such report; a folder that `vimonet bench run` wrote is expected") from None
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{file} is no report of this benchmark; a report.json is expected") from None


@dataclass
class CombinedReport(_Scores):
    """Hold the scores of several seeds of one recipe on the same items, each as mean and spread over the seeds.

    Attributes:
        provenance: of each report.
        sections: as in :class:`Report`, each score replaced by ``{mean, std, min, max, seeds, n, recordings}``;
            ``std`` is the sample standard deviation.
    """

    def opening(self) -> list[str]:
        """Write what stands above the tables: the runs combined."""
        return [
            f"# Evaluation over {len(self.provenance)} seeds",
            "Every figure: mean ± sample standard deviation over the seeds.",
            "\n".join(f"- {plain_text(_title(one))}, code {one.get('version')}" for one in self.provenance),
        ]

    def save(self, out: str | Path) -> Path:
        """Write ``combined.json`` and ``combined.md`` into a folder."""
        return self._write(out, "combined")


def load_report(path: str | Path) -> Report | CombinedReport:
    """Read a report, or ``combined.json`` with mean and spread over several.

    Raises:
        InputError: the file is missing or is no report.
    """
    place = Path(path)
    if place.is_dir() and not (place / "report.json").is_file() and (place / "combined.json").is_file():
        place = place / "combined.json"
    if place.name != "combined.json":
        return Report.load(place)
    report = Report.load(place)
    return CombinedReport(report.provenance, report.sections, report.out)


def combine(reports: Sequence[Report | str | Path]) -> CombinedReport:
    """Combine reports into mean and spread of every score over several seeds.

    Args:
        reports: reports of different checkpoints on the same items, or their paths.

    Raises:
        InputError: there are fewer than two reports, or their items differ.
    """
    loaded = [report if isinstance(report, Report) else Report.load(report) for report in reports]
    if len(loaded) < 2:
        raise InputError("a spread over seeds needs at least two reports")
    asked = {report.provenance.get("items_sha256") for report in loaded}
    if len(asked) > 1:
        raise InputError(
            "the reports were made on different items; evaluate every seed on the same split, sources, seed and limit"
        )
    sections: dict[str, list[dict[str, Any]]] = {}
    for name in loaded[0].sections:
        by_key = [{_identity(row): row for row in report.sections[name]} for report in loaded]
        sections[name] = [_merge([rows[key] for rows in by_key if key in rows]) for key in by_key[0]]
    return CombinedReport([report.provenance for report in loaded], sections)


def _markdown(opening: Sequence[str], sections: Mapping[str, Sequence[Row]], forms: bool) -> str:
    """Write the tables of a report below its opening, with or without the long one per question form."""
    parts = list(opening)
    if sections.get("score_rows"):
        parts += ["## Categories", accuracy.CATEGORIES_NOTE, accuracy.categories(sections)]
    for section in (*SECTIONS, *((accuracy.FORMS,) if forms else ())):
        if rows := sections.get(section.name):
            parts += [f"## {section.heading}", section.note, section.table(rows)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _summary(sections: Mapping[str, Sequence[Row]], source: str | None) -> str:
    """Write one row per task, then a line for each further section that has figures."""
    known = list(dict.fromkeys(row["source"] for row in sections["score_rows"]))
    source = source or ("all" if "all" in known or not known else known[0])
    body = []
    for row in sections["score_rows"]:
        if row["source"] == source and row["form"] == row["wording"] == "all":
            scores = {name: measures["score"] for name, measures in row["systems"].items()}
            others = (value(scores.get(name)) for name in ("shuffled", "majority", "nearest"))
            blind = accuracy.blind_text(row, "score")
            body.append([row["kind"].replace("_", " "), str(row["n"]), show(scores["model"]), blind, *others])
    body.sort(key=lambda line: line[0] == "all")
    if not body:
        raise InputError(f"the report has no questions about {source!r}; it has {', '.join(known)}")
    lines = [table(["task", "n", "score", "blind", "shuffled", "majority", "nearest clip"], body), ""]

    def rows(name: str) -> list[Row]:
        found = [row for row in sections.get(name, ()) if row.get("kind", "all") in ("all", "yes_no")]
        own = [row for row in found if row["source"] == source]
        return own or [row for row in found if source == "all"]

    for row in rows("mirrored"):
        flipped = row["flipped"]
        lines.append(f"- Mirrored, {row['source']}: {show(flipped)} of {flipped['n']} answers with a side flip.")
    for row in rows("wording"):
        lines.append(f"- Wordings unseen in training, {row['source']}: {show(row['gap'])} against seen ones.")
    for row in rows("yes_no"):
        if row["form"] in ("all", "yes_no"):
            asked = "absent actions" if row["form"] == "yes_no" else "absent things of any kind"
            false_yes = row["false_yes"]
            blind = value(row.get("blind_false_yes"))
            lines.append(f'- "Yes" to {asked}, {row["source"]}: {show(false_yes)} of {false_yes["n"]} (blind {blind}).')
    for row in rows("calibration"):
        lines.append(f"- Calibration error (ECE), {row['source']}: {show(row['ece'], 3)}.")
    for row in sections.get("captions", ()):
        if source in ("all", row["source"]):
            scores = row["systems"]["model"]
            names = (("BLEU-1", "bleu1"), ("BLEU-4", "bleu4"), ("ROUGE-L", "rouge_l"), ("CIDEr", "cider"))
            scored = ", ".join(f"{name} {value(scores[key])}" for name, key in names)
            lines.append(f"- Captions, {row['source']}, {row['references']} references, n {row['n']}: {scored}.")
    for row in sections.get("recognition", ()):
        if source in ("all", row["source"]):
            model, labels = row["systems"]["model"], row["labels_tested"]
            scored = f"top-1 {show(model['top1'])}, macro F1 {value(model['macro_f1'])}, n {model['top1']['n']}"
            lines.append(f"- Action recognition, {row['source']} ({labels} classes): {scored}.")
    return "\n".join(lines)


def _title(provenance: Row) -> str:
    """Write one line about the evaluated model."""
    checkpoint = str(provenance.get("checkpoint") or "no weights").removeprefix("tensors:")[:12]
    return f"{provenance.get('model')} · weights {checkpoint} · seed {provenance.get('seed')}"


def _facts(provenance: Row) -> str:
    lines = []
    for key in _FACTS:
        if (shown := provenance.get(key)) is not None:
            shown = ", ".join(map(str, shown)) if isinstance(shown, (list, tuple)) else shown
            lines.append(f"- {key.replace('_', ' ')}: {plain_text(shown)}")
    return "\n".join(lines)


def _is_score(value: Any) -> bool:
    """Tell whether a part of a report is a score (``{"value", "low", "high", ...}``)."""
    return isinstance(value, Mapping) and "value" in value


def _identity(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row.get(key, "")) for key in _IDENTITY)


def _merge(rows: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key, first in rows[0].items():
        if _is_score(first):
            spread = statistics.mean_and_spread([row[key]["value"] for row in rows if key in row])
            merged[key] = {**spread, "n": first["n"], "recordings": first["recordings"]}
        elif isinstance(first, Mapping):
            merged[key] = _merge([row[key] for row in rows if key in row])
        elif not isinstance(first, list):  # bins of one seed have no mean
            merged[key] = first
    return merged


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value.item() if hasattr(value, "item") else value
