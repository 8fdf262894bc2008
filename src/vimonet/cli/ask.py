"""`vimonet ask`: answer questions about recordings."""

from __future__ import annotations

import argparse
import contextlib
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from vimonet.cli import shared
from vimonet.cli.terminal import one_line, print_json
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.inference.assistant import Assistant
    from vimonet.llm.remote_assistant import RemoteAssistant
    from vimonet.motion import Motion


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    ask = commands.add_parser(
        "ask",
        help="answer a question about a recording",
        usage="%(prog)s [options] RECORDING [RECORDING ...] QUESTION [QUESTION ...]",
        description="Answer questions about a recording, or about several at once. Recordings come first: what names a "
        "file, 'sample:NAME' or '-' is one. A video beside a motion is the same scene, with the same clock. A video "
        "alone is read as pictures by a model that sees, and as the movement of the person in it.",
    )
    ask.add_argument("recording", metavar="RECORDING", help="motion or video file, '-' for standard input, sample:NAME")
    ask.add_argument("questions", nargs="+", metavar="QUESTION", help="further recordings, then one or more questions")
    ask.add_argument("--frames", type=int, metavar="N", help="key frames of a video (default: the model's own number)")
    ask.add_argument("--show", metavar="OUT.png", help="also draw it with question and answer (.png, .gif, .mp4)")
    ask.add_argument("--explain", metavar="OUT.png", help="also draw which moments the (last) answer looked at")
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
    ask.add_argument("--facts", action="store_true", help="also print what was measured on the recording")
    ask.add_argument(
        "--evidence",
        action="store_true",
        help="also print the measured facts that bear on the question, and whether they agree with the answer; "
        "--show marks them in the picture",
    )
    shared.add_common(ask, "one JSON object per question on standard output")
    ask.set_defaults(run=_ask)


def _ask(args: argparse.Namespace) -> int:
    show, explain = _pictures(args)
    recordings, questions = _split([args.recording, *args.questions])
    clips = _read(args, recordings)
    if show is not None and len(clips.motions) != 1:
        raise InputError(f"--show draws one movement, and here are {len(clips.motions)}; leave it out.")
    motion = clips.motions[0] if len(clips.motions) == 1 else clips.motions or None
    options: dict[str, Any] = {}
    if clips.videos:
        options["video"] = clips.videos[0] if len(clips.videos) == 1 else clips.videos
        options |= {} if args.frames is None else {"frames": args.frames}
    # A model of another kind need not know evidence unless it is asked for.
    evidence = {"evidence": True} if args.evidence else {}
    named: Any = recordings[0] if len(recordings) == 1 else recordings
    for question in questions:
        answer = clips.assistant.ask(question, motion, **options, **evidence)
        if args.json:
            print_json({"file": named, "question": question, **answer.to_dict()})
        else:
            shared.print_answer(answer)
    for note in clips.notes:
        print(f"vimonet: {one_line(note)}", file=sys.stderr)
    if args.facts:
        for item in clips.motions:
            shared.print_facts(item, to_stderr=args.json)
        if not clips.motions:
            print("nothing was measured: there is no movement", file=sys.stderr)
    # Several questions: a picture carries the last one.
    below = f"{answer.text}  ({shared.detail(answer)})"
    if show is not None:
        if answer.evidence is not None:
            from vimonet.evidence.drawing import draw

            draw(clips.motions[0], show, question, below, answer.evidence, progress=True)
        else:
            from vimonet.motion.render import render

            window = (answer.start, answer.end)
            render(clips.motions[0], show, title=question, subtitle=below, window=window, progress=True)
        print(f"wrote {show}", file=sys.stderr)
    if explain is not None:
        from vimonet.inference.attention import draw_moments

        draw_moments(clips.assistant.moments(question, motion, **options), explain, title=question, subtitle=below)
        print(f"wrote {explain}", file=sys.stderr)
    return 0


class _Clips(NamedTuple):
    """What the questions are about, and who is asked; notes say what could not be read of it."""

    assistant: Any
    motions: list[Motion]
    videos: list[str]
    notes: list[str]


def _pictures(args: argparse.Namespace) -> tuple[Path | None, Path | None]:
    """Where --show and --explain write, checked before any work."""
    if args.show is None and args.explain is None:
        return None, None
    from vimonet.motion.render import check_output

    show, explain = (None if path is None else check_output(path) for path in (args.show, args.explain))
    if explain is not None and explain.suffix.lower() != ".png":
        raise InputError(f"{explain}: the moments are drawn as .png; give such a name.")
    if explain is not None and args.via:
        raise InputError("--explain needs a model on this machine: an endpoint does not say where it looked.")
    return show, explain


def _split(given: list[str]) -> tuple[list[str], list[str]]:
    """Recordings and questions: the first is a recording, and so is what names a file until the first that does
    not.
    """
    count = 1
    while count < len(given) and (given[count] == "-" or given[count].startswith("sample:") or _is_file(given[count])):
        count += 1
    recordings, questions = given[:count], given[count:]
    if not questions:
        raise InputError(f"there is no question after {recordings[-1]}; give one, in quotation marks.")
    from vimonet.motion.io.locations import names_a_file

    if names_a_file(questions[0]):
        raise InputError(f"{questions[0]}: no such file; questions follow the recordings.")
    if recordings.count("-") > 1:
        raise InputError("standard input holds one recording; give '-' once.")
    return recordings, questions


def _read(args: argparse.Namespace, recordings: list[str]) -> _Clips:
    """Recordings as the model wants them: a video as pictures where it sees, as movement where nothing else gives it.

    Raises:
        InputError: a recording that cannot be read.
    """
    from vimonet.motion.io.locations import path_of
    from vimonet.video import is_video, probe

    films = [name for name in recordings if is_video(Path(path_of(name)))]
    motions = [shared.load_motion(args, name) for name in recordings if name not in films]
    if args.via and len(recordings) - len(films) > 1:
        raise InputError("an endpoint is told one movement; give one recording.")
    # Following somebody takes as long as loading torch and the model: both at once, where it is needed anyhow.
    early = args.own_process and films and not motions and shared.sees_nothing(args)
    with ProcessPoolExecutor(1, get_context("spawn")) if early else contextlib.nullcontext() as pool:
        tracked = [] if pool is None else [pool.submit(shared.load_motion, args, name) for name in films]
        assistant = _asked(args)
        if tracked:
            import scipy.signal  # noqa: F401 - measuring needs it: a second, better spent while the other process works
        followed = [one.result() for one in tracked]
    config = getattr(assistant, "config", None)
    sees = getattr(config, "video_config", None) is not None
    notes: list[str] = []
    if sees and (motions or getattr(config, "keypoint_config", None) is None):
        notes += [f"{film}: {note}." for film in films for note in probe(path_of(film)).notes()]  # nobody is followed
    if films and motions and not sees:
        notes.append(f"{films[0]}: this model sees no video; it answered from the movement alone.")
    elif films and not motions:
        if not sees:
            motions = followed or [shared.load_motion(args, name) for name in films]
            notes += _unseen(films, motions)
        elif getattr(config, "keypoint_config", None) is not None:
            for name in films:
                try:
                    motions.append(shared.load_motion(args, name))
                    notes += _unseen([name], motions[-1:])
                except InputError as error:
                    notes.append(f"{str(error).rstrip('.')}; answered from its pictures alone.")
    return _Clips(assistant, motions, [path_of(name) for name in films] if sees else [], notes)


def _unseen(films: list[str], motions: list[Motion]) -> list[str]:
    """What of some films could not be seen of the people followed in them."""
    from vimonet.motion.pose import unseen

    return [f"{film}: {note}." for film, one in zip(films, motions, strict=True) for note in unseen(one.notes)]


def _asked(args: argparse.Namespace) -> Assistant | RemoteAssistant:
    """The model of this machine, or the one behind --via."""
    if not args.via and not args.llm:
        return shared.assistant(args)
    if not (args.via and args.llm):
        raise InputError("--via and --llm belong together: the endpoint's address and the model's name there.")
    from vimonet.llm.endpoint import Endpoint, Settings, default_cache
    from vimonet.llm.remote_assistant import RemoteAssistant

    endpoint = Endpoint(Settings(args.via, args.llm, key_env=args.key_env, cache=default_cache()))
    return RemoteAssistant(endpoint, level=args.level)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # a question too long, or with characters no file name has
        return False
