"""Implement `vimonet view`: write a recording as one HTML file with its skeleton, time line, plots and answers."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vimonet.cli import shared
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.inference.assistant import Assistant

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
    from vimonet.page.film import embed_film
    from vimonet.page.html import check_page_path, write_page

    if len(args.recordings) > _MOST:
        raise InputError(f"{len(args.recordings)} recordings are given; a page shows at most {_MOST}.")
    output = None
    if args.output or not args.json:
        output = check_page_path(args.output or f"{Path(args.recordings[0].removeprefix('sample:')).stem}.html")
    assistant = shared.assistant(args) if args.ask or args.model else None
    documents = []
    for name in args.recordings:
        document = _document(args, name, assistant)
        if args.json:
            shared.print_json({"file": name, **document})
        documents.append(document if is_address(name) or name == "-" else embed_film(document, Path(path_of(name))))
    if output is not None:
        title = documents[0]["name"] if len(documents) == 1 else f"{len(documents)} recordings"
        write_page(output, documents, title)
        print(f"wrote {output}", file=sys.stderr)
    return 0


def _document(args: argparse.Namespace, name: str, assistant: Assistant | None) -> dict[str, Any]:
    """Write the document of a recording; of a video without a readable movement, that of the film alone."""
    from vimonet.motion.io.loading import is_address, path_of
    from vimonet.page.document import film_document, write_document
    from vimonet.video import is_video, probe

    film = path_of(name) if not is_address(name) and name != "-" and is_video(Path(path_of(name))) else None
    seen = film if assistant is not None and assistant.config.video_config is not None else None
    try:
        motion = shared.load_motion(args, name)
    except InputError as error:
        if film is None or (args.ask and seen is None):
            raise
        motion = None
        print(f"vimonet: {shared.one_line(str(error))}; the page shows the film alone.", file=sys.stderr)
    known: dict[str, Any] = {}
    if assistant is not None:
        chat = assistant.chat(motion, seen, evidence=True, answer_policy=args.answer_policy)
        known["answers"] = [{"question": question, **chat.ask(question).to_dict()} for question in args.ask]
        known["model"] = assistant.name
    if motion is None:
        assert film is not None
        return film_document(Path(film).stem, probe(film).duration) | known
    actions = assistant.actions(motion) if assistant is not None else ()
    return write_document(motion, actions=actions, **known)
