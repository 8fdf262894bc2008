"""`vimonet data`: build a VIMOS dataset, check it, look into it."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from vimonet.cli.terminal import bold, one_line, print_json
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.vimos.build import Builder

Parsers = argparse._SubParsersAction

_BUILD = """\
A source becomes a dataset: Parquet shards, MP4s, a card with counts, licences and the leak report. Give the command
again after an interruption and it continues; the result is the same to the byte."""


def add(commands: Parsers[argparse.ArgumentParser]) -> None:
    """Add the command with its four parts."""
    data = commands.add_parser("data", help="build, validate, show VIMOS datasets (motion, captions, instructions)")
    parts = data.add_subparsers(dest="part", required=True, metavar="PART")
    build = parts.add_parser("build", help="make a dataset of a source", description=_BUILD)
    sources = build.add_subparsers(dest="source", required=True, metavar="SOURCE")
    for add_source in (_add_open, _add_paired, _add_folder, _add_humanml3d, _add_motionx, _add_babel):
        add_source(sources)

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


def _source(sources: Parsers[argparse.ArgumentParser], name: str, help: str, root: str) -> argparse.ArgumentParser:
    """The parser of a source with what all of them have."""
    parser = sources.add_parser(name, help=help, description=f"{help[0].upper()}{help[1:]}. {_BUILD}")
    parser.add_argument("--root", required=name not in ("open", "paired"), metavar="DIR", help=root)
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the dataset")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="workers, 0 for none (default: 2)")
    parser.add_argument("--overwrite", action="store_true", help="replace a dataset of other settings in --out")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of every draw (default: 0)")
    parser.set_defaults(run=_build)
    return parser


def _add_open(sources: Parsers[argparse.ArgumentParser]) -> None:
    parser = _source(sources, "open", "vimos-open, from openly licensed recordings", "folder of the recordings")
    parser.add_argument("--count", type=int, default=40000, metavar="N", help="rows of train (default: %(default)s)")
    parser.add_argument("--val", type=int, default=500, metavar="N", help="rows of val (default: %(default)s)")
    parser.add_argument("--sources", nargs="+", default=(), metavar="NAME", help="corpora (default: all)")
    parser.add_argument("--no-test", action="store_true", help="leave out the test splits")
    for name, what in (
        ("mirror", "left and right exchanged"),
        ("warp", "slower and faster variants"),
        ("compose", "two to four actions joined"),
        ("film", "projections to 2D keypoints"),
    ):
        parser.add_argument(f"--no-{name}", action="store_true", help=f"without {what}")
    parser.set_defaults(builder=_open)


def _open(args: argparse.Namespace) -> Builder:
    from vimonet.vimos.builders.vimos_open.augment import Variants
    from vimonet.vimos.builders.vimos_open.open_builder import OpenBuilder

    variants = Variants(not args.no_mirror, not args.no_warp, not args.no_compose, not args.no_film)
    if min(args.count, args.val) < 0:
        raise InputError("--count and --val are numbers of rows; give 0 or more.")
    return OpenBuilder(args.root, args.count, args.val, tuple(args.sources), args.seed, not args.no_test, variants)


def _add_paired(sources: Parsers[argparse.ArgumentParser]) -> None:
    parser = _source(
        sources,
        "paired",
        "movement and rendered video of the same moments (extra render3d)",
        "folder of the recordings",
    )
    for split, number in (("count", 2000), ("val", 100), ("test", 300)):
        what = "train" if split == "count" else split
        parser.add_argument(
            f"--{split}", type=int, default=number, metavar="N", help=f"rows of {what} (default: {number})"
        )
    parser.add_argument(
        "--sources", nargs="+", default=(), metavar="NAME", help="corpora of 3D movement (default: all)"
    )
    parser.add_argument("--pictures", type=int, default=16, metavar="N", help="pictures per video (default: 16)")
    parser.add_argument("--size", type=int, default=224, metavar="N", help="pixels of a picture's side (default: 224)")
    parser.set_defaults(builder=_paired)


def _paired(args: argparse.Namespace) -> Builder:
    from vimonet.vimos.builders.paired.paired_builder import PairedBuilder

    numbers = (args.count, args.val, args.test)
    return PairedBuilder(args.root, *numbers, tuple(args.sources), args.seed, args.pictures, args.size)


def _add_folder(sources: Parsers[argparse.ArgumentParser]) -> None:
    parser = _source(
        sources, "folder", "any BVH, npz, npy, json or mp4, with an optional table of captions", "folder of the files"
    )
    parser.add_argument(
        "--captions", metavar="FILE", help="CSV or JSONL: file, caption[, start, end, split, action, ...]"
    )
    parser.add_argument("--licence", default="unstated", help="licence of files whose row names none")
    parser.add_argument("--val", type=float, default=0.1, metavar="SHARE", help="of recordings (default: %(default)s)")
    parser.add_argument("--test", type=float, default=0.1, metavar="SHARE", help="of recordings (default: %(default)s)")
    parser.add_argument("--fps", type=float, help="frames per second, where files do not say")
    parser.add_argument("--up", metavar="AXIS", help="axis that points up, where it is not detected")
    parser.add_argument("--unit", help="unit of length, where it is not detected")
    parser.add_argument("--name", default="vimos-folder", help="name of the dataset (default: %(default)s)")
    parser.set_defaults(builder=_folder)


def _folder(args: argparse.Namespace) -> Builder:
    from vimonet.vimos.builders.folder import FolderBuilder

    return FolderBuilder(
        args.root, args.captions, args.licence, args.val, args.test, args.seed, args.fps, args.up, args.unit, args.name
    )


def _add_humanml3d(sources: Parsers[argparse.ArgumentParser]) -> None:
    parser = _source(sources, "humanml3d", "HumanML3D: texts, split lists, joints or features", "folder HumanML3D")
    parser.add_argument("--licence", default=None, help="licence to state (default: that of HumanML3D and AMASS)")
    parser.add_argument("--no-mirror", action="store_true", help="leave out its mirrored copies (M000000 ...)")
    parser.set_defaults(builder=_humanml3d)


def _humanml3d(args: argparse.Namespace) -> Builder:
    from vimonet.vimos.builders.humanml3d import LICENCE, HumanML3DBuilder

    return HumanML3DBuilder(args.root, not args.no_mirror, args.seed, args.licence or LICENCE)


def _add_motionx(sources: Parsers[argparse.ArgumentParser]) -> None:
    parser = _source(sources, "motionx", "Motion-X: motion, video and captions", "folder of Motion-X")
    parser.add_argument("--no-video", action="store_true", help="motion and captions alone")
    parser.set_defaults(builder=_motionx)


def _motionx(args: argparse.Namespace) -> Builder:
    from vimonet.vimos.builders.motionx import MotionXBuilder

    return MotionXBuilder(args.root, not args.no_video, args.seed)


def _add_babel(sources: Parsers[argparse.ArgumentParser]) -> None:
    parser = _source(
        sources, "babel", "BABEL: timed action labels of AMASS recordings", "folder of train.json, val.json"
    )
    parser.add_argument("--motions", required=True, metavar="DIR", help="AMASS npz, or joints .npy of the same names")
    parser.set_defaults(builder=_babel)


def _babel(args: argparse.Namespace) -> Builder:
    from vimonet.vimos.builders.babel import BabelBuilder

    return BabelBuilder(args.root, args.motions, args.seed)


def _build(args: argparse.Namespace) -> int:
    from vimonet.vimos.build import build
    from vimonet.vimos.card import write_card
    from vimonet.vimos.leak_report import leak_report

    if args.processes < 0:
        raise InputError(f"--processes is {args.processes}; give 0 (no workers) or more.")
    builder: Any = args.builder(args)
    result = build(builder, args.out, processes=args.processes, overwrite=args.overwrite, progress=sys.stderr.isatty())
    leak = leak_report(result.folder, seed=args.seed)
    card = write_card(result, builder, leak)
    for entry in result.skipped[:5]:
        print(f"vimonet: skipped {entry.file}: {one_line(entry.reason)}", file=sys.stderr)
    if len(result.skipped) > 5:
        print(f"vimonet: and {len(result.skipped) - 5} more skipped files; {card} names them", file=sys.stderr)
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
