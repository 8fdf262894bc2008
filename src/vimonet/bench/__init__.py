"""ViMoNet-Bench: questions with checkable answers, controls, intervals, baselines, and one report of all.

    from vimonet.bench import Options, run
    report = run(Options("data/vimos-open", tasks=("sequence", "direction"), limit=500))
    report.score("all", "sequence", measure="score"), report.cell("all", "sequence")["blind"]

`evaluate` is the engine: items and an assistant in, a report out. Importing it loads no torch.
"""

from __future__ import annotations

from vimonet.bench.config import EvaluationConfig, load_config, main
from vimonet.bench.evaluate import CONTROLS, evaluate, select
from vimonet.bench.metrics import caption_scores, exact_match, normalise
from vimonet.bench.report import CombinedReport, Report, combine
from vimonet.bench.run import Options, run

__all__ = [
    "CONTROLS",
    "CombinedReport",
    "EvaluationConfig",
    "Options",
    "Report",
    "caption_scores",
    "combine",
    "evaluate",
    "exact_match",
    "load_config",
    "main",
    "normalise",
    "run",
    "select",
]
