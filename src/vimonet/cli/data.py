"""Implement `vimonet data`: build, annotate, validate and show VIMOS datasets."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from vimonet.cli.shared import add_flag, bold, list_failed, one_line, print_json
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.vimos.dataset_writer import Build, Builder

Parsers = argparse._SubParsersAction

_BUILD = """\
Build a dataset from a source: Parquet shards, MP4 files, a card with counts, licences and the leak report. The same
command continues an interrupted build, and the result is the same to the byte."""
_OWN = "SOURCE is a name below, or the path of a Python file with your own builder."


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command with its parts."""
    data = commands.add_parser(
        "data", help="build, annotate, validate and show VIMOS datasets (motion, captions, questions)"
    )
    parts = data.add_subparsers(dest="part", required=True, metavar="PART", parser_class=_PartParser)
    parts.add_parser("build", help="build a dataset from a source", description=_BUILD, builders=True)

    _add_annotate(parts.add_parser("annotate", help="add captions and questions by a language model"))

    validate = parts.add_parser(
        "validate", help="check every file, row and split of a dataset (exit code 1 on findings)"
    )
    validate.add_argument("dataset", metavar="DIR")
    add_flag(validate, "--json")
    validate.set_defaults(run=_validate)

    show = parts.add_parser("show", help="write an HTML page with players, captions, questions and evidence")
    show.add_argument("dataset", metavar="DIR")
    show.add_argument("id", nargs="?", metavar="ID", help="id of a row (default: evenly spaced rows)")
    add_flag(show, "--output", "default: %(default)s", default="vimos.html", metavar="OUT.html")
    add_flag(show, "--split", "default: all")
    show.add_argument("--rows", type=int, default=8, metavar="N", help="rows on the page (default: %(default)s)")
    show.set_defaults(run=_show)

    info = parts.add_parser("info", help="count rows, captions, questions, sources and licences")
    info.add_argument("dataset", metavar="DIR")
    add_flag(info, "--json")
    info.set_defaults(run=_info)


def _add_annotate(annotate: argparse.ArgumentParser) -> None:
    annotate.description = (
        "Write a copy of a dataset with captions and questions by a language model, which reads measured facts, "
        "people's captions and key frames. The same command continues an interrupted run and repeats failed requests."
    )
    annotate.add_argument("dataset", metavar="DIR")
    add_flag(annotate, "--base-url", required=True)
    add_flag(annotate, "--llm-model", required=True)
    add_flag(annotate, "--output", "an annotated copy", required=True, metavar="DIR")
    annotate.add_argument("--splits", nargs="+", default=(), metavar="NAME", help="splits to annotate (default: all)")
    annotate.add_argument("--styles", nargs="+", default=(), metavar="NAME", help="question styles (default: all)")
    annotate.add_argument(
        "--num-questions", type=int, default=3, metavar="N", help="questions per row and style (default: 3)"
    )
    annotate.add_argument("--num-captions", type=int, default=2, metavar="N", help="captions per row (default: 2)")
    add_flag(annotate, "--frames", "default: 8", default=8)
    add_flag(annotate, "--workers", "requests at a time (default: 4)", default=4)
    add_flag(annotate, "--overwrite")
    annotate.set_defaults(run=_annotate)


class _PartParser(argparse.ArgumentParser):
    """Parse one part of ``data``; ``build`` imports the builders, whose fields are its options, when it is used."""

    def __init__(self, *args: Any, builders: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self.builders = builders

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse arguments, after ``build`` has added a parser for every builder."""
        if self.builders:
            self.builders = False
            self.add_builders(sys.argv[1:] if args is None else args)
        return super().parse_known_args(args, namespace)

    def add_builders(self, args: Sequence[str] = ()) -> None:
        """Add a parser for every builder of the package, and for the file that the first of `args` names."""
        from vimonet.vimos.builders import add_options, find_builders, load_builder

        builders = dict(find_builders())
        if args and not args[0].startswith("-") and args[0] not in builders and _is_path(args[0]):
            builders[args[0]] = load_builder(args[0])
        sources = self.add_subparsers(
            dest="source", required=True, metavar="SOURCE", parser_class=argparse.ArgumentParser
        )
        for name, (builder, help) in sorted(builders.items()):
            source = sources.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}. {_BUILD}")
            add_flag(source, "--output", "a folder", required=True, metavar="DIR")
            add_flag(source, "--workers", "processes, 0 for none (default: 2)", default=2)
            add_flag(source, "--overwrite")
            add_options(source, builder)
            source.set_defaults(run=_build, builder=builder)


def _is_path(source: str) -> bool:
    """Tell a path from the name of a builder that is misspelt."""
    return source.endswith(".py") or "/" in source or os.sep in source or os.path.isdir(source)


def _build(args: argparse.Namespace) -> int:
    from vimonet.vimos.builders import from_options
    from vimonet.vimos.dataset_writer import build

    if args.workers < 0:
        raise InputError(f"--workers is {args.workers}; give 0 (build in this process) or more.")
    builder = from_options(args.builder, args)
    result = build(builder, args.output, workers=args.workers, overwrite=args.overwrite, progress=sys.stderr.isatty())
    return _finish(result, builder, args.seed)


def _annotate(args: argparse.Namespace) -> int:
    from pathlib import Path

    from vimonet.llm.endpoint import Endpoint, Settings, default_cache
    from vimonet.vimos.annotators.annotate_dataset import AnnotatedBuilder, annotate_dataset
    from vimonet.vimos.annotators.llm_annotator import STYLES, LLMAnnotator

    settings = Settings(args.base_url, args.llm_model, cache=default_cache(), workers=args.workers)
    with Endpoint(settings) as endpoint:
        annotator = LLMAnnotator(
            endpoint,
            styles=args.styles or STYLES,
            questions=args.num_questions,
            captions=args.num_captions,
            frames=args.frames,
        )
        builder = AnnotatedBuilder(Path(args.dataset), annotator, tuple(args.splits))
        result = annotate_dataset(builder, args.output, overwrite=args.overwrite, progress=sys.stderr.isatty())
    for reason, number in builder.dropped.most_common():
        print(f"vimonet: dropped {number} answers: {reason}", file=sys.stderr)
    print(f"vimonet: {endpoint.usage}", file=sys.stderr)
    return _finish(result, builder, 0)


def _finish(result: Build, builder: Builder, seed: int) -> int:
    """Write leak report and card of a build, list skipped files, and print the counts; return the exit code."""
    from vimonet.vimos.card import write_card
    from vimonet.vimos.leak_report import leak_report

    leak = leak_report(result.folder, seed=seed)
    card = write_card(result, builder, leak)
    for style in leak.flagged if leak else ():
        print(f"vimonet: style '{style.style}' is flagged in the leak report: {style.flag}", file=sys.stderr)
    rows = ", ".join(f"{split} {n:,}" for split, n in sorted(result.rows.items()))
    print(f"{result.folder}: {rows} rows, {sum(result.instructions.values()):,} instructions; card {card}")
    return list_failed([(entry.file, entry.reason) for entry in result.skipped], "recordings")


def _validate(args: argparse.Namespace) -> int:
    from vimonet.vimos.validate import validate

    report = validate(args.dataset, progress=sys.stderr.isatty())
    if args.json:
        findings = [vars(finding) for finding in report.findings]
        counts = {"rows": report.rows, "instructions": report.instructions, "videos": report.videos}
        print_json({"dataset": args.dataset, "ok": report.ok, **counts, "findings": findings, "more": report.more})
        return 0 if report.ok else 1
    for finding in report.findings:
        print(one_line(str(finding)))
    if report.more:
        print(f"and {report.more} more")
    number = len(report.findings) + report.more
    checked = f"{report.rows:,} rows, {report.instructions:,} instructions, {report.videos:,} videos"
    print(f"{args.dataset}: {checked}: {f'{number} findings' if number else 'nothing to complain of'}")
    return 0 if report.ok else 1


def _show(args: argparse.Namespace) -> int:
    from vimonet.page.dataset_page import show

    print(f"wrote {show(args.dataset, args.output, id=args.id, split=args.split, rows=args.rows)}", file=sys.stderr)
    return 0


def _info(args: argparse.Namespace) -> int:
    from vimonet.vimos.card import count

    counts = count(args.dataset).to_dict()
    if args.json:
        print_json({"dataset": args.dataset, **counts})
        return 0
    print(bold(args.dataset))
    for what, numbers in counts.items():
        shown = numbers.items() if what != "seconds" else ((split, f"{n:.0f}") for split, n in numbers.items())
        print(f"  {what}")
        for key, n in shown:
            print(f"    {key or 'none'}: {n if isinstance(n, str) else f'{n:,}'}")
    return 0
