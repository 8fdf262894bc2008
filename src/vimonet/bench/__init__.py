"""Score models on ViMoNet-Bench: questions with checkable answers, controls, intervals, baselines, one report.

    from vimonet.bench import Options, run
    report = run(Options("data/vimos-open", tasks=("sequence", "direction"), limit=500))
    report.score("all", "sequence", measure="score"), report.row("all", "sequence")["blind"]

`evaluate` is the engine: it takes items and an assistant and returns a report. Importing it loads no torch.
"""

from __future__ import annotations

from vimonet.bench.items import select
from vimonet.bench.report import CombinedReport, Report, combine
from vimonet.bench.runner import CONTROLS, Judges, Options, evaluate, run, run_models
from vimonet.bench.scoring.text_metrics import caption_scores, exact_match
from vimonet.language import normalise_answer

__all__ = [
    "CONTROLS",
    "CombinedReport",
    "Judges",
    "Options",
    "Report",
    "caption_scores",
    "combine",
    "evaluate",
    "exact_match",
    "normalise_answer",
    "run",
    "run_models",
    "select",
]
