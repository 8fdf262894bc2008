"""Implement `vimonet view`: write a recording as one HTML file with its skeleton, time line, plots and answers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from vimonet.cli import shared
from vimonet.utils.errors import InputError

_MOST = 50


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    view = commands.add_parser(
        "view",
        help="write a recording as one HTML page: skeleton, time line, plots, answers",
        description="Write recordings as one HTML file that needs no server and no network: the skeleton in space, "
        "the film, one time line with what is measured, plots, and the answers to the questions of --ask.",
    )
    view.add_argument(
        "recordings", nargs="+", metavar="RECORDING", help="files or sample:NAME; two side by side, more by choice"
    )
    shared.add_flag(view, "--output", "default: the recording's name with .html", metavar="OUT.html")
    view.add_argument(
        "--ask", action="append", default=[], metavar="QUESTION", help="question to answer on the page; repeatable"
    )
    shared.add_flag(view, "--answer-policy")
    shared.add_common(view, "one document per recording, and no page without --output")
    view.set_defaults(run=_view)


def _view(args: argparse.Namespace) -> int:
    from vimonet.motion.io.loading import is_address, path_of
    from vimonet.page.document import write_document
    from vimonet.page.film import embed_film
    from vimonet.page.html import check_page_path, write_page

    if len(args.recordings) > _MOST:
        raise InputError(f"{len(args.recordings)} recordings are given; a page shows at most {_MOST}.")
    output = None
    if args.output or not args.json:
        output = check_page_path(args.output or f"{Path(args.recordings[0].removeprefix('sample:')).stem}.html")
    motions = [shared.load_motion(args, name) for name in args.recordings]
    assistant = shared.assistant(args) if args.ask or args.model else None
    documents = []
    for name, motion in zip(args.recordings, motions, strict=True):
        known: dict[str, Any] = {}
        if assistant is not None:
            known = {"actions": assistant.actions(motion), "model": assistant.name}
        if assistant is not None and args.ask:
            chat = assistant.chat(motion, evidence=True, answer_policy=args.answer_policy)
            known["answers"] = [{"question": question, **chat.ask(question).to_dict()} for question in args.ask]
        document = write_document(motion, **known)
        if args.json:
            shared.print_json({"file": name, **document})
        documents.append(document if is_address(name) or name == "-" else embed_film(document, Path(path_of(name))))
    if output is not None:
        write_page(output, documents, motions[0].name if len(motions) == 1 else f"{len(motions)} recordings")
        print(f"wrote {output}", file=sys.stderr)
    return 0
