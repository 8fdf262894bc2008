"""`vimonet data`: build a VIMOS dataset, check it, look into it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from vimonet.cli.terminal import bold, one_line, print_json
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.vimos.dataset_writer import Build, Builder

Parsers = argparse._SubParsersAction

_BUILD = """\
A source becomes a dataset: Parquet shards, MP4s, a card with counts, licences and the leak report. Give the command
again after an interruption and it continues; the result is the same to the byte."""


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command with its four parts."""
    data = commands.add_parser("data", help="build, validate, show VIMOS datasets (motion, captions, instructions)")
    parts = data.add_subparsers(dest="part", required=True, metavar="PART", parser_class=_PartParser)
    parts.add_parser("build", help="make a dataset of a source", description=_BUILD, builders=True)

    _add_annotate(parts.add_parser("annotate", help="have a language model write captions and questions for a dataset"))

    validate = parts.add_parser(
        "validate", help="check every file, row and split of a dataset; exit code 1 on findings"
    )
    validate.add_argument("dataset", metavar="DIR")
    validate.add_argument("--json", action="store_true", help="one JSON object on standard output")
    validate.set_defaults(run=_validate)

    show = parts.add_parser("show", help="write a page (one HTML file) with players, captions, questions and evidence")
    show.add_argument("dataset", metavar="DIR")
    show.add_argument("id", nargs="?", metavar="ID", help="id of a row (default: rows drawn evenly)")
    show.add_argument("-o", "--output", default="vimos.html", metavar="OUT.html", help="default: %(default)s")
    show.add_argument("--split", help="only rows of this split")
    show.add_argument("--rows", type=int, default=8, metavar="N", help="rows on the page (default: %(default)s)")
    show.set_defaults(run=_show)

    info = parts.add_parser("info", help="print what a dataset holds")
    info.add_argument("dataset", metavar="DIR")
    info.add_argument("--json", action="store_true", help="one JSON object on standard output")
    info.set_defaults(run=_info)


def _add_annotate(annotate: argparse.ArgumentParser) -> None:
    annotate.description = (
        "Write a copy of a dataset with captions and questions by a model behind an OpenAI-compatible endpoint, from "
        "measured facts, people's captions and key frames. Give the command again to continue, or to ask again what "
        "failed."
    )
    annotate.add_argument("dataset", metavar="DATASET")
    annotate.add_argument("--base-url", required=True, metavar="URL", help="address of the endpoint up to /v1")
    annotate.add_argument("--llm-model", required=True, metavar="NAME", help="model behind the endpoint")
    annotate.add_argument("-o", "--output", required=True, metavar="OUT", help="folder of the annotated copy")
    annotate.add_argument("--splits", nargs="+", default=(), metavar="NAME", help="annotate these alone (default: all)")
    annotate.add_argument(
        "--styles", nargs="+", default=(), metavar="NAME", help="styles of questions (default: all five)"
    )
    annotate.add_argument("--questions", type=int, default=3, metavar="N", help="per row and style (default: 3)")
    annotate.add_argument("--captions", type=int, default=2, metavar="N", help="per row (default: 2)")
    annotate.add_argument("--frames", type=int, default=8, metavar="N", help="key frames of a video (default: 8)")
    annotate.add_argument("--workers", type=int, default=4, metavar="N", help="requests at a time (default: 4)")
    annotate.add_argument("--overwrite", action="store_true", help="replace a dataset of other settings")
    annotate.set_defaults(run=_annotate)


class _PartParser(argparse.ArgumentParser):
    """Parser of a part of ``data``; that of ``build`` imports the builders, whose fields are its options, when used."""

    def __init__(self, *args: Any, builders: bool = False, **options: Any) -> None:
        super().__init__(*args, **options)
        self.builders = builders

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Parse; ``build`` first adds a parser for every builder."""
        if self.builders:
            self.builders = False
            self._add_builders()
        return super().parse_known_args(args, namespace)

    def _add_builders(self) -> None:
        from vimonet.vimos.builders import add_options, find_builders

        sources = self.add_subparsers(
            dest="source", required=True, metavar="SOURCE", parser_class=argparse.ArgumentParser
        )
        for name, (builder, help) in sorted(find_builders().items()):
            source = sources.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}. {_BUILD}")
            source.add_argument("-o", "--output", required=True, metavar="DIR", help="folder of the dataset")
            source.add_argument(
                "--workers", type=int, default=2, metavar="N", help="processes, 0 for none (default: 2)"
            )
            source.add_argument(
                "--overwrite", action="store_true", help="replace a dataset of other settings in --output"
            )
            add_options(source, builder)
            source.set_defaults(run=_build, builder=builder)


def _build(args: argparse.Namespace) -> int:
    from vimonet.vimos.builders import from_options
    from vimonet.vimos.dataset_writer import build

    if args.workers < 0:
        raise InputError(f"--workers is {args.workers}; give 0 (no processes) or more.")
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
            questions=args.questions,
            captions=args.captions,
            frames=args.frames,
        )
        builder = AnnotatedBuilder(Path(args.dataset), annotator, tuple(args.splits))
        result = annotate_dataset(builder, args.output, overwrite=args.overwrite, progress=sys.stderr.isatty())
    for reason, number in builder.dropped.most_common():
        print(f"vimonet: dropped {number} answers: {reason}", file=sys.stderr)
    print(f"vimonet: {endpoint.usage}", file=sys.stderr)
    return _finish(result, builder, 0)


def _finish(result: Build, builder: Builder, seed: int) -> int:
    """Write leak report and card of a build, name what was skipped, and print the counts."""
    from vimonet.vimos.card import write_card
    from vimonet.vimos.leak_report import leak_report

    leak = leak_report(result.folder, seed=seed)
    card = write_card(result, builder, leak)
    for entry in result.skipped[:5]:
        print(f"vimonet: skipped {entry.file}: {one_line(entry.reason)}", file=sys.stderr)
    if len(result.skipped) > 5:
        print(f"vimonet: and {len(result.skipped) - 5} more skipped; {card} names them", file=sys.stderr)
    for style in leak.flagged if leak else ():
        print(f"vimonet: style '{style.style}' is flagged in the leak report: {style.flag}", file=sys.stderr)
    told = ", ".join(f"{split} {n:,}" for split, n in sorted(result.rows.items()))
    print(f"{result.folder}: {told} rows, {sum(result.instructions.values()):,} instructions; card {card}")
    return 0


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
    told = f"{report.rows:,} rows, {report.instructions:,} instructions, {report.videos:,} videos"
    print(f"{args.dataset}: {told}: {f'{number} findings' if number else 'nothing to complain of'}")
    return 0 if report.ok else 1


def _show(args: argparse.Namespace) -> int:
    from vimonet.vimos.show_page import show

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
        told = numbers.items() if what != "seconds" else ((split, f"{n:.0f}") for split, n in numbers.items())
        print(f"  {what}")
        for key, n in told:
            print(f"    {key or 'none'}: {n if isinstance(n, str) else f'{n:,}'}")
    return 0
