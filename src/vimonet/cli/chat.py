"""Implement `vimonet chat`: ask about a recording in several turns."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, cast

from vimonet.cli import shared
from vimonet.cli.ask import read_clips
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.inference.assistant import Assistant


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    chat = commands.add_parser(
        "chat",
        help="ask about a recording in several turns",
        description="Ask about a recording in several turns: questions may refer to earlier ones. Questions come from "
        "standard input, one a line; an empty line or the end of the input ends the chat.",
    )
    chat.add_argument("recording", metavar="RECORDING", help="motion or video file, or sample:NAME")
    shared.add_flag(chat, "--frames", "default: the number in the model's config")
    shared.add_flag(chat, "--answer-policy")
    shared.add_common(chat, "one object per turn")
    chat.set_defaults(run=_chat, base_url=None, llm_model=None)


def _chat(args: argparse.Namespace) -> int:
    if args.recording == "-":
        raise InputError("standard input holds the questions; give the recording as a file or sample:NAME.")
    shared.loading(args)  # refuses --person all
    assistant, motions, videos, notes = read_clips(args, [args.recording])
    for note in notes:
        print(f"vimonet: {shared.one_line(note)}", file=sys.stderr)
    motion, video = next(iter(motions), None), next(iter(videos), None)
    chat = cast("Assistant", assistant).chat(motion, video, frames=args.frames, answer_policy=args.answer_policy)
    asking = sys.stdin.isatty()
    while True:
        if asking:
            print("> ", end="", file=sys.stderr, flush=True)
        line = sys.stdin.readline()
        if not line.strip():
            return 0
        try:
            answer = chat.ask(line.strip())
        except InputError as error:  # one bad question does not end the chat
            shared.complain(str(error))
            continue
        if args.json:
            shared.print_json({"file": args.recording, "question": line.strip(), **answer.to_dict()})
        else:
            shared.print_answer(answer)
