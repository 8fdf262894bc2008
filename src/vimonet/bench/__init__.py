"""The benchmark: questions with checkable answers, controls, intervals, baselines, and one report of all.

    report = vimonet.bench.evaluate(model, items, train_items=train, out="runs/eval")
    report.score("cmu", "turn"), report.score("cmu", "turn", "blind")

Importing it loads no torch.
"""

from __future__ import annotations

from vimonet.bench.config import EvaluationConfig, load_config, main
from vimonet.bench.evaluate import CONTROLS, evaluate, select
from vimonet.bench.metrics import caption_scores, exact_match, normalise
from vimonet.bench.report import CombinedReport, Report, combine

__all__ = [
    "CONTROLS",
    "CombinedReport",
    "EvaluationConfig",
    "Report",
    "caption_scores",
    "combine",
    "evaluate",
    "exact_match",
    "load_config",
    "main",
    "normalise",
    "select",
]
