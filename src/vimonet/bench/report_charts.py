"""Draw a report: scores per kind against blind, majority and nearest clip, and the reliability diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vimonet.utils.files import whole_file

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BAR, _LINE = "#a9c3de", "#2f5d8c"
_MARKS = (
    ("blind", "_", "#d1495b"),
    ("shuffled", "^", "#7b6d8d"),
    ("majority", "x", "#2e2e2e"),
    ("nearest", "D", "#e6a23c"),
)
_NAMES = {"nearest": "nearest clip", "blind": "blind (larger of two)"}


def draw_scores(rows: Sequence[Mapping[str, Any]], path: Path, *, title: str = "", measure: str = "score") -> None:
    """Draw a panel per source with a bar per kind, its 95 % interval, and marks of blind, majority and nearest clip.

    Args:
        rows: a report's ``score_rows``.
        path: PNG to write.
        title: line above the panels.
        measure: ``score``, ``exact_match`` or ``balanced_accuracy``.
    """
    rows = [row for row in rows if row["form"] == "all" and row["wording"] == "all" and row["kind"] != "all"]
    panes = _panes(rows)
    if not panes:
        return
    widest = max(len(own) for _, own in panes)
    figure = _figure(max(6.0, 1.6 + 0.95 * widest), 0.9 + 2.9 * len(panes))
    panels = figure.subplots(len(panes), 1, squeeze=False)[:, 0]
    for panel, (name_of_pane, own) in zip(panels, panes, strict=True):
        places = range(len(own))
        scores = [_of(row["systems"]["model"], measure) for row in own]
        heights = [score["value"] or 0.0 for score in scores]
        below = [height - _known(score["low"], height) for score, height in zip(scores, heights, strict=True)]
        above = [_known(score["high"], height) - height for score, height in zip(scores, heights, strict=True)]
        panel.bar(places, heights, 0.62, color=_BAR, label="model", zorder=2)
        bounds = [[max(0.0, x) for x in below], [max(0.0, x) for x in above]]
        panel.errorbar(places, heights, bounds, fmt="none", ecolor="#1d3a5a", capsize=4, linewidth=1.4, zorder=3)
        for name, marker, colour in _MARKS:
            points = [(k, _height(row, name, measure)) for k, row in enumerate(own)]
            points = [(k, height) for k, height in points if height is not None]
            if points:
                size = 520 if marker == "_" else 34
                x, y = zip(*points, strict=True)
                face = {"linewidths": 3 if marker == "_" else 1.6, "edgecolors": None if marker != "D" else "white"}
                face = {k: v for k, v in face.items() if v is not None}
                panel.scatter(x, y, s=size, marker=marker, color=colour, zorder=4, label=_NAMES.get(name, name), **face)
        labels = [row["kind"] if row["source"] == name_of_pane else f"{row['source']}\n{row['kind']}" for row in own]
        ticks = [f"{label.replace('_', ' ')}\nn={row['n']}" for label, row in zip(labels, own, strict=True)]
        panel.set_xticks(list(places), ticks, fontsize=9)
        panel.set_ylim(0, 1.06)
        panel.set_xlim(-0.6, max(widest, 2) - 0.4)
        panel.set_ylabel(measure.replace("_", " "))
        panel.set_title(name_of_pane, loc="left", fontsize=11, fontweight="bold")
        _tidy(panel)
    handles, labels = panels[0].get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda k: labels[k] != "model")
    handles, labels = [handles[k] for k in order], [labels[k] for k in order]
    figure.legend(handles, labels, loc="outside upper right", ncols=4, frameon=False, fontsize=9, markerscale=0.7)
    figure.supxlabel(title, fontsize=8, color="#555555")
    _save(figure, path)


def _panes(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Group rows by source, ``all`` first; sources of a single kind share a panel."""
    sources = sorted({row["source"] for row in rows}, key=lambda source: (source != "all", source))
    groups = [(source, [row for row in rows if row["source"] == source]) for source in sources]
    single = [own[0] for _, own in groups if len(own) == 1]
    if len(single) < 2:
        return groups
    return [*(group for group in groups if len(group[1]) > 1), ("sources of one kind", single)]


def _of(scores: Mapping[str, Any], measure: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = scores.get(measure, scores["exact_match"])
    return found


def _height(row: Mapping[str, Any], name: str, measure: str) -> float | None:
    """Read a system's score; ``blind`` gives the larger blind score."""
    system = row.get("blind", {}).get("system", name) if name == "blind" else name
    return _of(row["systems"][system], measure)["value"] if system in row["systems"] else None


def draw_reliability(calibration: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Draw a reliability diagram per source: accuracy and number of answers in each bin of stated confidence."""
    rows = [row for row in calibration if any(b["n"] for b in row["bins"])]
    if not rows:
        return
    wide = min(4, len(rows))
    high = -(-len(rows) // wide)
    figure = _figure(3.1 * wide + 0.4, 3.5 * high)
    panels = figure.subplots(high, wide, squeeze=False).ravel()
    for panel in panels[len(rows) :]:
        panel.set_axis_off()
    for panel, row in zip(panels, rows, strict=False):
        filled = [b for b in row["bins"] if b["n"]]
        total = sum(b["n"] for b in filled)
        centres = [(b["low"] + b["high"]) / 2 for b in filled]
        panel.plot([0, 1], [0, 1], color="#999999", linewidth=1, linestyle="--", zorder=1)
        panel.bar(centres, [b["n"] / total for b in filled], 0.09, color="#d6dee8", zorder=0, label="share of answers")
        x, y = [b["confidence"] for b in filled], [b["accuracy"] for b in filled]
        panel.plot(x, y, "-", color=_LINE, zorder=3, label="exact match")
        panel.scatter(x, y, s=[12 + 150 * b["n"] / total for b in filled], color=_LINE, zorder=4)
        panel.set(xlim=(0, 1), ylim=(0, 1.02), aspect="equal", xlabel="stated confidence")
        panel.set_title(f"{row['source']}  ECE {row['ece']['value']:.3f}, n={row['ece']['n']}", fontsize=9, loc="left")
        _tidy(panel)
    panels[0].legend(frameon=False, fontsize=8, loc="upper left")
    _save(figure, path)


def _known(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _figure(width: float, height: float) -> Figure:
    # pyplot would change the caller's backend and keep figures alive.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", dpi=130)
    FigureCanvasAgg(figure)
    return figure


def _tidy(panel: Any) -> None:
    panel.grid(axis="y", color="#e4e4e4", zorder=0)
    panel.set_axisbelow(True)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path) as place:
        figure.savefig(place, format="png")
