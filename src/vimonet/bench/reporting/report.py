"""The outcome of an evaluation: JSON for machines, Markdown for people, and the mean and spread over seeds."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vimonet.bench.reporting import summary_tables, tables
from vimonet.utils import statistics
from vimonet.utils.errors import InputError

_IDENTITY = ("source", "kind", "form", "wording", "references", "control")
SECTIONS = (
    *("cells", "averages", "consistency", "evidence", "judge"),
    *("wording", "mirrored", "yes_no", "abstention", "calibration", "captions", "retrieval", "recognition"),
)


@dataclass
class Report:
    """Scores of one model on one set of items.

    Attributes:
        provenance: model, checkpoint (SHA-256 of its weights), seed, code version, counts, controls, wall time,
            machine.
        sections: the lists of rows named in :data:`SECTIONS`; see :class:`vimonet.bench.scoring.scores.Scorer`.
        out: the folder it was written to, None before.
    """

    provenance: dict[str, Any]
    sections: dict[str, list[dict[str, Any]]]
    out: Path | None = None

    def cell(self, source: str, kind: str, form: str = "all", wording: str = "all") -> dict[str, Any]:
        """The row of ``cells`` for a source and kind.

        Raises:
            KeyError: there is none.
        """
        for row in self.sections["cells"]:
            if (row["source"], row["kind"], row["form"], row["wording"]) == (source, kind, form, wording):
                return row
        raise KeyError(f"no cell for source {source!r}, kind {kind!r}, form {form!r}, wording {wording!r}")

    def score(self, source: str, kind: str, system: str = "model", measure: str = "exact_match") -> float:
        """One figure: ``report.score("cmu", "turn", "blind", "balanced_accuracy")``."""
        return self.cell(source, kind)["systems"][system][measure]["value"]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; numbers that are not known are None."""
        return _plain({"provenance": self.provenance, **self.sections})

    def markdown(self, forms: bool = True) -> str:
        """The tables of the report, with or without the long one per question form."""
        return tables.report_markdown(self.provenance, self.sections, forms)

    def categories(self, sources: Sequence[str] = ()) -> str:
        """One Markdown table per source and task: n, score, balanced accuracy, blind, shuffled, mirrored, majority,
        nearest.

        Args:
            sources: corpora to show, in this order; () for every one.

        Raises:
            InputError: nothing was asked about one of the sources.
        """
        return summary_tables.categories(self.sections, sources)

    def save(self, out: str | Path) -> Path:
        """Write ``report.json``, ``report.md``, ``scores.png`` and ``reliability.png`` into a folder."""
        from vimonet.bench.reporting import charts

        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        self.out = folder
        write_text(folder / "report.json", json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
        write_text(folder / "report.md", self.markdown())
        charts.draw_scores(self.sections["cells"], folder / "scores.png", title=tables.title(self.provenance))
        charts.draw_reliability(self.sections["calibration"], folder / "reliability.png")
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
            cells = data["cells"]
            # A report of an earlier version lacks the sections added since.
            return cls(
                data["provenance"], {name: data.get(name, []) for name in SECTIONS} | {"cells": cells}, file.parent
            )
        except FileNotFoundError:
            raise InputError(f"{file}: no such report; a folder that `vimonet bench run` wrote is expected") from None
        except (ValueError, KeyError, TypeError):
            raise InputError(f"{file} is no report of this benchmark; a report.json is expected") from None


@dataclass
class CombinedReport:
    """Scores of several seeds of one recipe on the same items: every score as mean and spread over the seeds.

    Attributes:
        provenance: of each report.
        sections: as in :class:`Report`, each score replaced by ``{mean, std, min, max, seeds, n, recordings}``;
            ``std`` is the sample standard deviation.
    """

    provenance: list[dict[str, Any]]
    sections: dict[str, list[dict[str, Any]]]
    out: Path | None = None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return _plain({"provenance": self.provenance, **self.sections})

    def markdown(self, forms: bool = True) -> str:
        """The tables, ``mean ± standard deviation over seeds``, with or without the long one per question form."""
        return tables.combined_markdown(self.provenance, self.sections, forms)

    def save(self, out: str | Path) -> Path:
        """Write ``combined.json`` and ``combined.md`` into a folder."""
        folder = Path(out)
        folder.mkdir(parents=True, exist_ok=True)
        self.out = folder
        write_text(folder / "combined.json", json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False))
        write_text(folder / "combined.md", self.markdown())
        return folder


def combine(reports: Sequence[Report | str | Path]) -> CombinedReport:
    """Mean and spread of every score over several seeds.

    Args:
        reports: of different checkpoints on the same items, or where they were saved.

    Raises:
        InputError: fewer than two, or they were asked different items.
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
    for name in SECTIONS:
        tables_by_key = [{_identity(row): row for row in report.sections[name]} for report in loaded]
        sections[name] = [_merge([table[key] for table in tables_by_key if key in table]) for key in tables_by_key[0]]
    return CombinedReport([report.provenance for report in loaded], sections)


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")
    os.replace(temporary, path)


def is_score(value: Any) -> bool:
    """Whether a part of a report is a score (``{"value", "low", "high", ...}``)."""
    return isinstance(value, Mapping) and "value" in value


def walk_scores(
    row: Mapping[str, Any], prefix: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Every score in a row with the keys that lead to it."""
    for key, value in row.items():
        if is_score(value):
            yield (*prefix, key), value
        elif isinstance(value, Mapping):
            yield from walk_scores(value, (*prefix, key))


def _identity(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(row.get(key, "")) for key in _IDENTITY)


def _merge(rows: list[dict[str, Any]]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for key, value in rows[0].items():
        if is_score(value):
            spread = statistics.mean_and_spread([row[key]["value"] for row in rows if key in row])
            merged[key] = {**spread, "n": value["n"], "recordings": value["recordings"]}
        elif isinstance(value, Mapping):
            merged[key] = _merge([row[key] for row in rows if key in row])
        elif not isinstance(value, list):  # bins of one seed have no mean
            merged[key] = value
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
