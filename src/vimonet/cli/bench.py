"""Implement `vimonet bench`: run the benchmark, compare reports, print results tables, list the tasks."""

from __future__ import annotations

import argparse
import os
from typing import Any

from vimonet.cli.shared import add_flag, add_leaving_out, list_failed


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command with its actions."""
    bench = commands.add_parser(
        "bench", help="score models on ViMoNet-Bench, beside blind, shuffled and mirrored controls"
    )
    actions = bench.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_run(actions.add_parser("run", help="ask a model the tasks of a dataset and write a report"))
    report = actions.add_parser("report", help="compare reports side by side, with a paired test on shared items")
    report.add_argument("reports", nargs="+", metavar="REPORT", help="report.json files, or their folders")
    add_flag(report, "--output", "the tables are printed too", metavar="FILE.md")
    report.set_defaults(run=_report)
    table = actions.add_parser("table", help="print the results tables of one report, as in the README and docs")
    table.add_argument("report", metavar="REPORT", help="report.json or combined.json, or its folder")
    table.add_argument("--source", metavar="NAME", help="corpus of the compact table (default: all corpora together)")
    table.add_argument("--full", action="store_true", help="print every table except the one per question form")
    table.set_defaults(run=_table)
    listing = actions.add_parser("list", help="list the tasks and count the questions of a dataset for each")
    add_flag(listing, "--dataset", "without it nothing is counted")
    add_flag(listing, "--split", "default: the one each task names")
    listing.set_defaults(run=_list)


def _add_run(run: argparse.ArgumentParser) -> None:
    items = run.add_argument_group("questions")
    add_flag(items, "--dataset", required=True)
    add_flag(items, "--split", "default: the one each task names")
    items.add_argument("--tasks", default="", help="names, groups (motion, video) or .yaml files, separated by commas")
    items.add_argument(
        "--limit", type=_count, default=0, metavar="N", help="most questions to ask, drawn evenly (default: all)"
    )
    models = run.add_argument_group("model")
    detail = "or a baseline: majority, nearest, question-only; several are seeds of one recipe, for mean and spread"
    add_flag(models, "--model", detail, nargs="+", metavar="MODEL")
    add_flag(models, "--device")
    add_leaving_out(models)
    add_flag(models, "--base-url", "asked instead of --model")
    add_flag(models, "--llm-model")
    add_flag(models, "--motion-as", choices=("facts", "series", "image"))
    scores = run.add_argument_group("scores")
    scores.add_argument(
        "--controls", default=None, help="input conditions, separated by commas, or none (default: all)"
    )
    scores.add_argument(
        *("--control-limit",),
        type=_count,
        default=0,
        metavar="N",
        help="questions per control but blind (default: all)",
    )
    scores.add_argument(
        *("--train-rows",),
        type=_count,
        default=2000,
        metavar="N",
        help="rows that the baselines learn from; 0 for none",
    )
    scores.add_argument("--no-evidence", action="store_true", help="do not check answers against measurements")
    add_flag(scores, "--retrieval-model", "scores how well captions find their motions")
    scores.add_argument("--similarity", metavar="MODEL", help="sentence-transformers model that also scores captions")
    scores.add_argument("--judge-url", metavar="URL", help="endpoint of a language model that also judges the answers")
    scores.add_argument("--judge-model", metavar="NAME", help="name of the language model at --judge-url")
    add_flag(scores, "--seed", type=_count)
    scores.add_argument(
        "--batch-size", type=_positive, default=32, metavar="N", help="questions per call (default: 32)"
    )
    scores.add_argument(
        "--samples", type=_positive, default=2000, metavar="N", help="bootstrap resamples per interval (default: 2000)"
    )
    add_flag(scores, "--output", "an interrupted run continues there", metavar="DIR")
    run.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from vimonet.bench import CONTROLS, Options, run_models
    from vimonet.utils.errors import InputError

    if bool(args.base_url) != bool(args.llm_model):
        raise InputError(
            "--base-url and --llm-model belong together; give the address of an endpoint and its model's name."
        )
    if bool(args.judge_url) != bool(args.judge_model):
        raise InputError(
            "--judge-url and --judge-model belong together; give the address of an endpoint and its model's name."
        )
    controls = CONTROLS if args.controls is None else tuple(name for name in _names(args.controls) if name != "none")
    options = Options(
        args.dataset,
        _names(args.tasks),
        args.split,
        args.output,
        args.limit,
        args.control_limit,
        controls,
        args.train_rows,
        not args.no_evidence,
        args.seed,
        args.batch_size,
        args.samples,
        encoder=args.retrieval_model,
        similarity=args.similarity,
    )
    judge = None
    if args.judge_url:
        from vimonet.bench.judge import Judge

        judge = Judge(_endpoint(args.judge_url, args.judge_model))
    models: list[Any] = args.model or [os.environ.get("VIMONET_MODEL")]
    if args.base_url:
        from vimonet.bench.adapters import EndpointModel
        from vimonet.llm.remote_assistant import RemoteAssistant

        image = args.motion_as == "image"
        endpoint = _endpoint(args.base_url, args.llm_model)
        level = "series" if image else args.motion_as
        models = [EndpointModel(RemoteAssistant(endpoint, level=level, image=image))]
    elif args.leave_out:
        from vimonet.bench.adapters import open_model

        models = [open_model(name, args.device, args.leave_out) for name in models]
    report = run_models(options, models, judge=judge, device=args.device)
    print(report.markdown(forms=False))
    print(f"written to {report.out}")
    provenance = report.provenance if isinstance(report.provenance, list) else [report.provenance]
    return list_failed([pair for one in provenance for pair in one.get("failed", {}).items()], "questions")


def _report(args: argparse.Namespace) -> int:
    from pathlib import Path

    from vimonet.bench.compare_reports import side_by_side
    from vimonet.utils.files import write_text

    text = side_by_side(args.reports)
    if args.output:
        write_text(Path(args.output), text)
    print(text)
    return 0


def _table(args: argparse.Namespace) -> int:
    from vimonet.bench.report import load_report

    report = load_report(args.report)
    print(report.markdown(forms=False) if args.full else report.summary(args.source))
    return 0


def _list(args: argparse.Namespace) -> int:
    from vimonet.bench.items import counts
    from vimonet.bench.tasks import find_tasks

    tasks = find_tasks()
    found = counts(args.dataset, tasks, args.split) if args.dataset else {}
    wide = max(len(task.name) for task in tasks)
    for task in tasks:
        number = f"{found[task.name][0]:>7,} of {found[task.name][1]:>5,} recordings  " if found else ""
        print(f"{task.name:<{wide}}  {task.group:<6}  {task.answer.format:<10}  {number}{task.about}")
    return 0


def _endpoint(url: str, model: str) -> Any:
    from vimonet.llm.endpoint import Endpoint, Settings, default_cache

    return Endpoint(Settings(url, model, cache=default_cache()))


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("0 or more is expected")
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("1 or more is expected")
    return number
