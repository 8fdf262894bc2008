"""Run the benchmark, put reports side by side, list the tasks: `vimonet bench`."""

from __future__ import annotations

import argparse
import os
from typing import Any

from vimonet.cli.shared import MODEL_HELP


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command with its own commands."""
    bench = commands.add_parser(
        "bench", help="ViMoNet-Bench: scores that stand beside blind, shuffled and mirrored ones"
    )
    actions = bench.add_subparsers(dest="action", required=True, metavar="ACTION")
    _add_run(actions.add_parser("run", help="put the tasks of a dataset to a model and write a report"))
    report = actions.add_parser("report", help="put reports side by side, with a paired test on the items they share")
    report.add_argument("reports", nargs="+", metavar="REPORT", help="report.json files, or the folders they lie in")
    report.add_argument("-o", "--output", metavar="FILE.md", help="also write the tables to a file")
    report.set_defaults(run=_report)
    table = actions.add_parser("table", help="print the results tables of one report, as the README and docs show them")
    table.add_argument("report", metavar="REPORT", help="report.json or combined.json, or the folder it lies in")
    table.add_argument("--source", metavar="NAME", help="corpus of the compact table (default: all together)")
    table.add_argument("--full", action="store_true", help="every table but the one per question form")
    table.set_defaults(run=_table)
    listing = actions.add_parser("list", help="the tasks, and how many questions a dataset has for each")
    listing.add_argument("--dataset", metavar="DIR", help="count the questions of this dataset")
    listing.add_argument("--split", help="split to count in (default: the one each task names)")
    listing.set_defaults(run=_list)


def _add_run(run: argparse.ArgumentParser) -> None:
    what = run.add_argument_group("what is asked")
    what.add_argument("--dataset", required=True, metavar="DIR", help="VIMOS dataset, MVBench, BABEL-QA or HuMMan-QA")
    what.add_argument("--split", help="split to ask (default: the one each task names, test)")
    what.add_argument("--tasks", default="", help="names, groups (motion, video) or .yaml files, separated by commas")
    what.add_argument("--limit", type=_count, default=0, help="at most so many questions, drawn evenly (default: all)")
    who = run.add_argument_group("which model")
    who.add_argument(
        *("-m", "--model"),
        nargs="+",
        metavar="MODEL",
        help=f"{MODEL_HELP}; or majority, nearest, question-only; several: seeds, with mean and spread",
    )
    who.add_argument("--device", help="cpu, cuda ... (default: cpu)")
    who.add_argument("--base-url", metavar="URL", help="ask an OpenAI-compatible endpoint instead (address up to /v1)")
    who.add_argument("--llm-model", metavar="NAME", help="model behind the endpoint")
    who.add_argument(
        "--motion-as",
        choices=("facts", "series", "image"),
        default="series",
        help="how the endpoint is given a motion (default: series)",
    )
    how = run.add_argument_group("how")
    how.add_argument("--controls", default=None, help="conditions, separated by commas, or none (default: all five)")
    how.add_argument(
        "--control-limit", type=_count, default=0, help="questions per control, blind apart (default: all)"
    )
    how.add_argument("--train-rows", type=_count, default=2000, help="rows the baselines learn from; 0: no baselines")
    how.add_argument("--no-evidence", action="store_true", help="do not hold answers against what is measured")
    how.add_argument("--evaluator", metavar="DIR", help="ranks captions by movement (default: the shipped one, if any)")
    how.add_argument("--similarity", metavar="MODEL", help="sentence-transformers model that measures captions too")
    how.add_argument("--judge-url", metavar="URL", help="also have the answers judged by an endpoint")
    how.add_argument("--judge-model", metavar="NAME", help="model of the judge")
    how.add_argument("--seed", type=_count, default=0, help="of every draw (default: 0)")
    how.add_argument("--batch-size", type=_positive, default=32, help="questions per call (default: 32)")
    how.add_argument("--samples", type=_positive, default=2000, help="resamples of an interval (default: 2000)")
    how.add_argument("-o", "--output", metavar="DIR", help="folder of the report; an interrupted run continues there")
    run.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from vimonet.bench import CONTROLS, Options, run_models
    from vimonet.utils.errors import InputError

    if bool(args.base_url) != bool(args.llm_model):
        raise InputError("--base-url and --llm-model belong together: the address of an endpoint and its model's name.")
    if bool(args.judge_url) != bool(args.judge_model):
        raise InputError(
            "--judge-url and --judge-model belong together: the address of an endpoint and its model's name."
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
        evaluator=args.evaluator,
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
        models = [EndpointModel(RemoteAssistant(endpoint, level=level, picture=image))]
    report = run_models(options, models, judge=judge, device=args.device)
    print(report.markdown(forms=False))
    print(f"written to {report.out}")
    return 0


def _report(args: argparse.Namespace) -> int:
    from pathlib import Path

    from vimonet.bench.compare_reports import side_by_side
    from vimonet.bench.report import write_text

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
