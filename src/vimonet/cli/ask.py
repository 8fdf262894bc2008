"""`vimonet ask` and `vimonet caption`: a model's words about recordings."""

from __future__ import annotations

import argparse
import json
import sys
from typing import TYPE_CHECKING

from vimonet.cli import shared
from vimonet.errors import InputError
from vimonet.terminal import one_line, print_json

if TYPE_CHECKING:
    from vimonet.assistant import Assistant
    from vimonet.remote import RemoteAssistant


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the two commands."""
    ask = commands.add_parser("ask", help="answer a question about a recording")
    ask.add_argument("recording", metavar="RECORDING", help="file, '-' for standard input, or sample:NAME")
    ask.add_argument("questions", nargs="+", metavar="QUESTION", help="one or more questions")
    ask.add_argument("--show", metavar="OUT.png", help="also draw it with question and answer (.png, .gif, .mp4)")
    ask.add_argument(
        "--via",
        metavar="URL",
        help="ask a language model behind an OpenAI-compatible endpoint (address up to /v1): it reads motion as text",
    )
    ask.add_argument("--llm", metavar="NAME", help="its name there")
    ask.add_argument(
        "--key-env", default="OPENAI_API_KEY", metavar="VAR", help="environment variable with the key (%(default)s)"
    )
    ask.add_argument(
        "--as",
        dest="level",
        choices=("series", "facts"),
        default="series",
        help="what it is told: measured facts with joint angles over time (default), or facts alone",
    )
    ask.add_argument("--explain", action="store_true", help="also print what was measured on the recording")
    ask.add_argument(
        "--evidence",
        action="store_true",
        help="also print the measured facts that bear on the question, and whether they agree with the answer; "
        "--show marks them in the picture",
    )
    shared.add_common(ask, "one JSON object per question on standard output")
    ask.set_defaults(run=_ask)

    caption = commands.add_parser(
        "caption",
        help="describe recordings in a sentence each",
        description="Describe each recording in a sentence. Finished captions are remembered for 30 days in the user's "
        "cache folder, so an interrupted run continues where it stopped when the same command is given again, also "
        "with '> file'. With -o the file itself tells what is done and only the rest is appended.",
    )
    caption.add_argument("recordings", nargs="+", metavar="RECORDING", help="files, folders, '-', or sample:NAME")
    caption.add_argument(
        "-o", "--output", metavar="FILE.jsonl", help="append JSON lines, skipping recordings already there"
    )
    caption.add_argument("--no-resume", action="store_true", help="do everything anew, remember nothing, replace -o")
    shared.add_common(caption, shared.PER_RECORDING)
    caption.set_defaults(run=_caption)


def _ask(args: argparse.Namespace) -> int:
    show = None
    if args.show is not None:
        from vimonet.motion.render import check_output

        show = check_output(args.show)
    motion = shared.load_motion(args, args.recording)
    assistant = _asked(args)
    for question in args.questions:
        # A model of another kind need not know evidence unless it is asked for.
        answer = assistant.ask(question, motion, evidence=True) if args.evidence else assistant.ask(question, motion)
        if args.json:
            print_json({"file": args.recording, "question": question, **answer.to_dict()})
        else:
            shared.print_answer(answer)
    if args.explain:
        shared.print_facts(motion, to_stderr=args.json)
    if show is not None:
        # Several questions: the picture carries the last one.
        below = f"{answer.text}  ({shared.detail(answer)})"
        if answer.evidence is not None:
            from vimonet.evidence.picture import draw

            draw(motion, show, question, below, answer.evidence, progress=True)
        else:
            from vimonet.motion.render import render

            render(motion, show, title=question, subtitle=below, window=(answer.start, answer.end), progress=True)
        print(f"wrote {show}", file=sys.stderr)
    return 0


def _asked(args: argparse.Namespace) -> Assistant | RemoteAssistant:
    """The model of this machine, or the one behind --via."""
    if not args.via and not args.llm:
        return shared.assistant(args)
    if not (args.via and args.llm):
        raise InputError("--via and --llm belong together: the endpoint's address and the model's name there.")
    from vimonet.endpoint import Endpoint, Settings, default_cache
    from vimonet.remote import RemoteAssistant

    endpoint = Endpoint(Settings(args.via, args.llm, key_env=args.key_env, cache=default_cache()))
    return RemoteAssistant(endpoint, level=args.level)


def _caption(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from vimonet.captioning import CaptionFile, Journal, find_recordings, model_fingerprint

    recordings = find_recordings(args.recordings)
    name = shared.model_name(args.model)
    fingerprint = model_fingerprint(name)
    loading = shared.loading(args)
    journal = Journal(None if args.no_resume else fingerprint, loading)
    output = CaptionFile(args.output, fingerprint, resume=not args.no_resume) if args.output else None
    waiting = [path for path in recordings if output is None or path not in output.done]
    assistant: Assistant | None = None
    failed = 0
    done = len(recordings) - len(waiting)
    with tqdm(total=len(recordings), initial=done, unit="clip", desc="caption", disable=None) as bar:
        for path in waiting:
            record = journal.get(shared.path_of(path))
            if record is None and assistant is None:
                assistant = shared.assistant(args)  # loaded late: a rerun that finds everything done needs no model
            try:
                if record is None:
                    assert assistant is not None
                    record = assistant.caption(shared.load_motion(args, path)).to_dict()
                    journal.put(shared.path_of(path), record)
            except InputError as error:
                failed += 1
                bar.write(f"vimonet: {one_line(str(error))}", file=sys.stderr)
            else:
                line = {"file": path, **record, "model": fingerprint or name}
                if output is not None:
                    output.write(line)
                if output is None:
                    text = f"{path}\t{record['text']}" if len(recordings) > 1 else record["text"]
                    bar.write(json.dumps(line, ensure_ascii=False) if args.json else text, file=sys.stdout)
                    sys.stdout.flush()
            bar.update()
    journal.close()
    if output is not None:
        output.close()
    return 2 if failed else 0
