"""Implement `vimonet index` and `vimonet search`: find moments in recordings and videos by a sentence."""

from __future__ import annotations

import argparse
import sys

from vimonet.cli.shared import add_flag, dim, list_failed, print_json, printable
from vimonet.utils.errors import InputError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the two commands."""
    index = commands.add_parser(
        "index",
        help="make a folder of recordings searchable",
        description="Index every recording and video in a folder and its subfolders. The same command given again adds "
        "only new and changed files, also after an interruption.",
    )
    index.add_argument("folder", metavar="FOLDER", help="folder of recordings")
    add_flag(index, "--output", "an index that exists is updated", required=True, metavar="INDEX")
    add_flag(index, "--retrieval-model")
    index.add_argument(
        "--window", type=float, action="append", metavar="SECONDS", help="length of windows; repeatable (default: 3, 9)"
    )
    index.add_argument("--rebuild", action="store_true", help="replace the index that exists")
    index.set_defaults(run=_index)

    search = commands.add_parser("search", help="find moments in indexed recordings by a sentence")
    search.add_argument("text", metavar="TEXT", help='sentence such as "someone waves with the left hand"')
    add_flag(search, "--index", required=True)
    search.add_argument("-k", type=int, default=10, metavar="N", help="number of hits (default: %(default)s)")
    add_flag(search, "--retrieval-model", "it must be the one that made the index")
    add_flag(search, "--json", "one object per hit")
    search.set_defaults(run=_search)


def _index(args: argparse.Namespace) -> int:
    from vimonet.retrieval import Index

    index = Index.build(
        args.folder, args.output, encoder=args.retrieval_model, windows=args.window, rebuild=args.rebuild, progress=True
    )
    failed = f", {len(index.failed)} could not be read" if index.failed else ""
    print(f"wrote {args.output}: {len(index.entries)} recordings, {len(index)} windows{failed}", file=sys.stderr)
    return list_failed(index.failed, "recordings")


def _search(args: argparse.Namespace) -> int:
    if args.k < 1:
        raise InputError(f"-k is {args.k}; give 1 or more.")
    from vimonet.retrieval import Index

    index = Index.open(args.index)
    if not args.text.strip():
        raise InputError("an empty text describes no movement; give a sentence such as 'someone waves'.")
    if args.own_process:
        from vimonet.cli.fast_start import quick_imports

        quick_imports()
    index.encoder(args.retrieval_model)
    if not index.complete:
        print(dim("this index is not finished; give its 'vimonet index' command again"), file=sys.stderr)
    for number, hit in enumerate(index.search(args.text, args.k), start=1):
        if args.json:
            print_json({"rank": number, **hit.to_dict()})
        else:
            print(
                f"{number:>3}  {hit.score:5.2f}  {printable(hit.path)}  {dim(f'{hit.start:.1f}-{hit.end:.1f} s')}",
                flush=True,
            )
    return 0
