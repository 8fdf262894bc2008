"""What joining two streams gives: arms, seeds and cells of `research.fusion.score` in one table with intervals.

Intervals are percentile bootstraps over recordings and over seeds at once: a resample draws recordings with all their
questions (the same for every arm and cell) and, for each arm by itself, seeds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from research.fusion.score import CELLS, NEEDS, Scored
from vimonet.bench.report import write_text
from vimonet.utils.errors import InputError
from vimonet.utils.statistics import cluster_weights, percentiles

SPECIALISTS = ("motion", "video")
"""Arms trained on one stream; each is judged in the cell of its stream."""

Runs = Mapping[str, Sequence[Sequence[Scored]]]
"""Arm -> seed -> scores, all of the same questions."""


@dataclass(frozen=True)
class Estimate:
    """A share or a difference of shares, with the bounds of its 95 % interval."""

    value: float
    low: float
    high: float

    def percent(self, signed: bool = False) -> str:
        """In per cent, as a table shows it."""
        sign = "+" if signed else ""
        return f"{100 * self.value:{sign}.1f} ({100 * self.low:{sign}.1f} to {100 * self.high:{sign}.1f})"


class FusionTable:
    """Estimates of every arm and cell.

    Args:
        runs: scores.
        seed: of the resampling.
        samples: resamples.

    Raises:
        InputError: no runs, or runs of other questions.
    """

    def __init__(self, runs: Runs, seed: int = 0, samples: int = 4000) -> None:
        if not runs or not all(runs.values()):
            raise InputError("no runs to compare: name at least one model for every arm.")
        first = next(iter(runs.values()))[0]
        ids = [score.id for score in first]
        if any([score.id for score in scores] != ids for seeds in runs.values() for scores in seeds):
            raise InputError("the runs were asked different questions; score them on one dataset and split.")
        self.items, self.arms = list(first), {arm: len(seeds) for arm, seeds in runs.items()}
        self.right = {
            arm: np.array([[[s.right[cell] for s in scores] for cell in CELLS] for scores in seeds], float)
            for arm, seeds in runs.items()
        }  # [seeds, cells, items]
        self._group, self._weights = cluster_weights([s.recording for s in first], seed, samples)
        rng = np.random.default_rng(seed)
        self._seeds = {arm: rng.multinomial(n, np.full(n, 1 / n), samples) for arm, n in self.arms.items()}

    def chosen(self, needs: str, family: str = "") -> NDArray[np.bool_]:
        """Which items are of a need and, where named, of a family."""
        return np.array([s.needs == needs and family in ("", s.family) for s in self.items])

    def families(self, needs: str, least: int = 30) -> list[str]:
        """Families of a need with at least so many questions, the largest first."""
        names = [s.family for s in self.items if s.needs == needs]
        return sorted((f for f in set(names) if names.count(f) >= least), key=lambda f: -names.count(f))

    def chance(self, mask: NDArray[np.bool_]) -> float:
        """Share right by guessing among the answers that a question offers; an open question is never guessed."""
        guesses = np.array([1 / s.options if s.options else 0.0 for s in self.items])
        return float(guesses[mask].mean())

    def _of(self, arm: str, cell: str, mask: NDArray[np.bool_]) -> tuple[float, NDArray[np.float64]]:
        """Mean over seeds and items, and its resamples."""
        right = self.right[arm][:, CELLS.index(cell)][:, mask]
        groups, clusters = self._group[mask], self._weights.shape[1]
        sums = np.stack([np.bincount(groups, weights=row, minlength=clusters) for row in right])
        counts = np.bincount(groups, minlength=clusters)
        with np.errstate(invalid="ignore", divide="ignore"):
            per_seed = (self._weights @ sums.T) / (self._weights @ counts)[:, None]
        return float(right.mean()), (per_seed * self._seeds[arm]).sum(1) / self.arms[arm]

    def score(self, arm: str, cell: str, mask: NDArray[np.bool_]) -> Estimate:
        """Share of the items that an arm has right in a cell."""
        value, draws = self._of(arm, cell, mask)
        return Estimate(value, *percentiles(draws))

    def seeds(self, arm: str, cell: str, mask: NDArray[np.bool_]) -> list[float]:
        """The same, seed by seed."""
        return [float(v) for v in self.right[arm][:, CELLS.index(cell)][:, mask].mean(1)]

    def difference(self, arm: str, cell: str, others: Sequence[tuple[str, str]], mask: NDArray[np.bool_]) -> Estimate:
        """An arm's score in a cell less the best of the others' (arm, cell), the best of every resample anew."""
        value, draws = self._of(arm, cell, mask)
        rest = [self._of(*other, mask) for other in others]
        best = max(v for v, _ in rest)
        return Estimate(value - best, *percentiles(draws - np.max([d for _, d in rest], axis=0)))

    def comparisons(self) -> list[dict[str, Any]]:
        """Every joint arm against the specialists, by need: ``{arm, cell, needs, against, difference}``.

        What needs both is asked with both, against the better specialist; what needs one stream is asked with both and
        with that one alone, against the specialist of that stream.
        """
        alone = {"picture": ["video"], "motion": ["motion"], "both": list(SPECIALISTS)}
        found = []
        for arm in self.arms:
            if arm in SPECIALISTS:
                continue
            for needs in reversed(NEEDS):
                against = [name for name in alone[needs] if name in self.arms]
                if not against:
                    continue
                for cell in ["both"] if needs == "both" else ["both", *alone[needs]]:
                    found.append(
                        {
                            **{"arm": arm, "cell": cell, "needs": needs, "against": against},
                            "difference": self.difference(arm, cell, [(a, a) for a in against], self.chosen(needs)),
                        }
                    )
        return found

    def markdown(self) -> str:
        """All tables."""
        parts = [self._table(needs) for needs in NEEDS]
        rows = ["| arm | questions that need | asked with | against | difference, points |", "|---|---|---|---|---|"]
        for row in self.comparisons():
            other = " and ".join(f"{name}-only" for name in row["against"])
            best = "the better of " if len(row["against"]) > 1 else ""
            rows.append(
                f"| {row['arm']} | {row['needs']} | {row['cell']} | {best}{other} | {row['difference'].percent(True)} |"
            )
        parts.append("### Joint against the specialists\n\n" + "\n".join(rows))
        parts.append(self._families())
        return "\n\n".join(parts)

    def _table(self, needs: str) -> str:
        mask = self.chosen(needs)
        recordings = len({s.recording for s, own in zip(self.items, mask, strict=True) if own})
        head = f"### {_asking(needs)}\n\n"
        n, chance = int(mask.sum()), 100 * self.chance(mask)
        head += f"n = {n:,} questions, {recordings} recordings; guessing {chance:.1f}.\n\n"
        rows = ["| arm | " + " | ".join(CELLS) + " | seeds, both |", "|---" * (len(CELLS) + 2) + "|"]
        for arm in self.arms:
            scores = [self.score(arm, cell, mask).percent() for cell in CELLS]
            seeds = " ".join(f"{100 * value:.1f}" for value in self.seeds(arm, "both", mask))
            rows.append(f"| {arm} | {' | '.join(scores)} | {seeds} |")
        return head + "\n".join(rows)

    def _families(self) -> str:
        """Finer families: specialists in their cell, joint arms with both."""
        columns = [(arm, arm if arm in SPECIALISTS else "both") for arm in self.arms]
        head = " | ".join(f"{arm} ({cell})" for arm, cell in columns)
        rows = [f"| needs | family | n | guessing | {head} |", "|---" * (4 + len(columns)) + "|"]
        for needs in NEEDS:
            for family in self.families(needs):
                mask = self.chosen(needs, family)
                values = [self.score(arm, cell, mask).percent() for arm, cell in columns]
                rows.append(
                    f"| {needs} | {family} | {int(mask.sum())} | {100 * self.chance(mask):.0f} | {' | '.join(values)} |"
                )
        return "### Finer families\n\n" + "\n".join(rows)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: every arm, cell, need and family, and the comparisons."""
        plain = []
        for needs in NEEDS:
            for family in ["", *self.families(needs, 1)]:
                mask = self.chosen(needs, family)
                for arm in self.arms:
                    for cell in CELLS:
                        score = self.score(arm, cell, mask)
                        seeds = self.seeds(arm, cell, mask)
                        row = {
                            "needs": needs,
                            "family": family or "all",
                            "arm": arm,
                            "cell": cell,
                            "n": int(mask.sum()),
                        }
                        plain.append({**row, **vars(score), "seeds": seeds, "guessing": self.chance(mask)})
        compared = [{**row, "difference": vars(row["difference"])} for row in self.comparisons()]
        return {"scores": plain, "comparisons": compared}

    def save(self, folder: Path) -> None:
        """Write ``fusion.json``, ``fusion.md`` and ``fusion.png``."""
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / "fusion.json", json.dumps(self.to_dict(), indent=1))
        write_text(folder / "fusion.md", self.markdown())
        self.draw(folder / "fusion.png")

    def draw(self, path: Path) -> None:
        """Bars by need: every arm in every cell, with intervals and the line of guessing."""
        import matplotlib

        matplotlib.use("Agg")
        from matplotlib import pyplot as plt

        figure, panels = plt.subplots(1, len(NEEDS), figsize=(12, 3.8), sharey=True, layout="constrained")
        colours = ["#8a6d3b", "#3b6d8a", "#8c8c8c", "#c0392b", "#2e7d32", "#6a4c93"]
        width = 0.8 / len(self.arms)
        for panel, needs in zip(panels, NEEDS, strict=True):
            mask = self.chosen(needs)
            for k, arm in enumerate(self.arms):
                scores = [self.score(arm, cell, mask) for cell in CELLS]
                x = np.arange(len(CELLS)) + (k - (len(self.arms) - 1) / 2) * width
                value = np.array([s.value for s in scores])
                off = np.abs(np.array([[s.low for s in scores], [s.high for s in scores]]) - value)
                panel.bar(x, value, width * 0.92, color=colours[k % len(colours)], label=arm)
                panel.errorbar(x, value, off, fmt="none", ecolor="#222222", elinewidth=0.9)
            panel.axhline(self.chance(mask), color="#555555", linestyle="--", linewidth=1)
            panel.set_xticks(range(len(CELLS)), CELLS)
            panel.set_title(_asking(needs), fontsize=10, loc="left")
            panel.spines[["top", "right"]].set_visible(False)
        panels[0].set_ylabel("share right")
        panels[0].set_ylim(0, 1)
        named = panels[0].get_legend_handles_labels()
        figure.legend(*named, loc="outside upper right", ncols=len(self.arms), frameon=False)
        figure.supxlabel("what the model is given (dashed: guessing)", fontsize=9)
        figure.savefig(path, dpi=110)
        plt.close(figure)


def _asking(needs: str) -> str:
    return "Questions that need both" if needs == "both" else f"Questions that need the {needs}"
