"""The command line: parse, call the library, print. Nothing heavy is imported before a command needs it."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import vimonet
from vimonet.errors import InputError
from vimonet.terminal import bold, complain, dim, one_line, plain, print_json

if TYPE_CHECKING:
    from vimonet.assistant import Answer, Assistant
    from vimonet.motion import Motion

STAGES = ("language", "tokenizer", "align", "instruct")
_SPLIT = "one JSON object per recording on standard output"
_MODEL_HELP = "model directory or hub id (default: $VIMONET_MODEL, else the shipped nano)"
_EPILOG = """\
examples:
  vimonet demo
  vimonet ask walk.bvh "Which way does the person turn?"
  vimonet caption clips/ --json > captions.jsonl
  vimonet inspect walk.bvh
  vimonet render walk.bvh -o walk.mp4

Recordings: BVH, ASF/AMC, AMASS .npz, HumanML3D and joint .npy, keypoint .json; '-' reads standard input,
'sample:NAME' is a recording that comes with ViMoNet (vimonet demo --list)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code (0 done, 2 bad input, 130 interrupted)."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser()
    args, rest = parser.parse_known_args(arguments)
    if args.command in ("train", "eval"):
        # key=value may stand before or after the options, which argparse alone does not allow.
        args.overrides += [argument for argument in rest if _is_override(argument)]
        rest = [argument for argument in rest if not _is_override(argument)]
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    args.own_process = argv is None  # nothing else will be done with the libraries that are imported here
    _quiet_libraries()
    try:
        code = int(args.run(args))
        sys.stdout.flush()
        return code
    except InputError as error:
        return complain(str(error))
    except BrokenPipeError:
        # The reader (head, less) has gone: not an error, but Python would complain again when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        print("", file=sys.stderr)
        return 130
    except OSError as error:
        if error.filename is None and error.strerror is None:
            raise
        name = os.fspath(error.filename) if isinstance(error.filename, str | os.PathLike) else "file system"
        return complain(f"{name}: {error.strerror or error}.")


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command, with the help a user reads."""
    parser = argparse.ArgumentParser(
        prog="vimonet",
        description="Ask about how people move: answers, captions and measured facts from motion capture.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vimonet {vimonet.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    ask = commands.add_parser("ask", help="answer a question about a recording")
    ask.add_argument("recording", metavar="RECORDING", help="file, '-' for standard input, or sample:NAME")
    ask.add_argument("questions", nargs="+", metavar="QUESTION", help="one or more questions")
    ask.add_argument("--show", metavar="OUT.png", help="also draw it with question and answer (.png, .gif, .mp4)")
    ask.add_argument("--explain", action="store_true", help="also print what was measured on the recording")
    _add_common(ask, "one JSON object per question on standard output")
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
    _add_common(caption, _SPLIT)
    caption.set_defaults(run=_caption)

    inspect = commands.add_parser("inspect", help="print format, skeleton, frames, rate, duration and measured facts")
    inspect.add_argument("recordings", nargs="+", metavar="RECORDING", help="files, '-', or sample:NAME")
    _add_loading(inspect)
    inspect.add_argument("--json", action="store_true", help=_SPLIT)
    inspect.set_defaults(run=_inspect)

    render = commands.add_parser("render", help="draw a recording: .png strip of poses, .gif or .mp4")
    render.add_argument("recording", metavar="RECORDING", help="file, '-', or sample:NAME")
    render.add_argument("-o", "--output", required=True, metavar="OUT", help=".png (poses over time), .gif or .mp4")
    views = ("front", "side", "three-quarter", "top")
    render.add_argument("--view", default="three-quarter", choices=views, help="as seen from the first facing")
    render.add_argument("--poses", type=int, metavar="N", help="poses of a strip (default: about two a second)")
    render.add_argument("--width", type=int, metavar="PIXELS", help="width of the picture")
    render.add_argument("--title", help="first line (default: the recording's name)")
    render.add_argument("--start", type=float, default=0.0, metavar="S", help="first second to draw")
    render.add_argument("--end", type=float, metavar="S", help="last second to draw")
    render.add_argument("--no-facts", action="store_true", help="leave out the measured events")
    _add_loading(render)
    render.set_defaults(run=_render)

    train = commands.add_parser("train", help="train a stage from a config file")
    train.add_argument("stage", choices=STAGES, help="language model, motion tokenizer (VQ-VAE), stage 1, stage 2")
    train.set_defaults(run=_train)
    evaluate = commands.add_parser("eval", help="score on held-out questions, with intervals and the blind score")
    evaluate.set_defaults(run=_eval)
    for command in (train, evaluate):
        command.add_argument("--config", required=True, metavar="FILE.yaml", help="see configs/")
        command.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="dotted keys of the config")

    demo = commands.add_parser("demo", help="questions and answers about embedded recordings, and a picture")
    demo.add_argument("-m", "--model", help=_MODEL_HELP)
    demo.add_argument("-o", "--output", default="vimonet-demo.png", metavar="OUT.png", help="default: %(default)s")
    demo.add_argument("--list", action="store_true", help="list the embedded recordings and stop")
    demo.set_defaults(run=_demo)
    return parser


def _add_loading(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reading", "detected from the content when not given")
    group.add_argument("--fps", type=float, help="frames per second of the recording, where the file does not say")
    group.add_argument("--up", metavar="AXIS", help="axis that points up: y, z, x, or --up=-y ...")
    group.add_argument("--unit", help="unit of length: m, cm, mm, inch, or metres per unit")
    group.add_argument("--format", help="format, instead of detecting it")


def _add_common(parser: argparse.ArgumentParser, json_help: str) -> None:
    parser.add_argument("-m", "--model", help=_MODEL_HELP)
    parser.add_argument("--json", action="store_true", help=json_help)
    _add_loading(parser)


# --- commands ---


def _ask(args: argparse.Namespace) -> int:
    show = None
    if args.show is not None:
        from vimonet.motion.render import check_output

        show = check_output(args.show)
    motion = _load_motion(args, args.recording)
    assistant = _assistant(args)
    for question in args.questions:
        answer = assistant.ask(question, motion)
        if args.json:
            print_json({"file": args.recording, "question": question, **answer.to_dict()})
        else:
            _print_answer(answer)
    if args.explain:
        _print_facts(motion, to_stderr=args.json)
    if show is not None:
        from vimonet.motion.render import render

        # Several questions: the picture carries the last one.
        below = f"{answer.text}  ({_detail(answer)})"
        render(motion, show, title=question, subtitle=below, window=(answer.start, answer.end), progress=True)
        print(f"wrote {show}", file=sys.stderr)
    return 0


def _caption(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from vimonet.captioning import CaptionFile, Journal, find_recordings, model_fingerprint

    recordings = find_recordings(args.recordings)
    name = _model_name(args.model)
    fingerprint = model_fingerprint(name)
    loading = _loading(args)
    journal = Journal(None if args.no_resume else fingerprint, loading)
    output = CaptionFile(args.output, fingerprint, resume=not args.no_resume) if args.output else None
    waiting = [path for path in recordings if output is None or path not in output.done]
    assistant: Assistant | None = None
    failed = 0
    done = len(recordings) - len(waiting)
    with tqdm(total=len(recordings), initial=done, unit="clip", desc="caption", disable=None) as bar:
        for path in waiting:
            record = journal.get(_path(path))
            if record is None and assistant is None:
                assistant = _assistant(args)  # loaded late: a rerun that finds everything done needs no model
            try:
                if record is None:
                    assert assistant is not None
                    record = assistant.caption(_load_motion(args, path)).to_dict()
                    journal.put(_path(path), record)
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


def _inspect(args: argparse.Namespace) -> int:
    failed = 0
    for number, recording in enumerate(args.recordings):
        try:
            described, motion = _describe(args, recording)
        except InputError as error:
            if len(args.recordings) == 1:
                raise
            failed += 1
            complain(str(error))
            continue
        from vimonet.motion.kinematics import measure

        facts = measure(motion)
        if args.json:
            print_json({"file": recording, **described, "facts": facts.to_dict()})
            continue
        if number:
            print()
        print(bold(recording))
        width = max(len(key) for key in described) + 2
        for key, value in described.items():
            text = f"{len(value)} of 22" if key == "joints_found" else plain(value)
            print(f"  {(key.replace('_', ' ') + ':').ljust(width)} {text}")
        print(bold("measured"))
        for line in facts.lines():
            print(f"  {line}")
    return 2 if failed else 0


def _render(args: argparse.Namespace) -> int:
    from vimonet.motion.render import check_output, render

    path = check_output(args.output)
    motion = _load_motion(args, args.recording)
    if args.start or args.end is not None:
        start, end = args.start, motion.duration if args.end is None else args.end
        if not 0 <= start < end or start >= motion.duration:
            raise InputError(
                f"{args.recording}: {start:g}-{end:g} s is not in its {motion.duration:.1f} s; give 0 <= start < end."
            )
        first = min(round(start * motion.fps), motion.frames - 1)
        motion = motion.window(first, max(round(end * motion.fps), first + 1))
    render(
        motion,
        path,
        view=args.view,
        poses=args.poses,
        width=args.width,
        title=args.title,
        events=() if args.no_facts else None,
        progress=True,
    )
    print(f"wrote {path}", file=sys.stderr)
    return 0


def _train(args: argparse.Namespace) -> int:
    from vimonet.training import main as train

    train(args.stage, args.config, args.overrides)
    return 0


def _eval(args: argparse.Namespace) -> int:
    from vimonet.bench import main as evaluate

    evaluate(args.config, args.overrides)
    return 0


def _demo(args: argparse.Namespace) -> int:
    from vimonet.demo import list_samples, run

    if args.list:
        print("\n".join(list_samples()))
        return 0
    return run(_assistant(args), args.output)


# --- helpers ---


def _path(recording: str) -> str:
    """The file behind a recording's name; ``sample:NAME`` is one of the embedded ones."""
    if not recording.startswith("sample:"):
        return recording
    from vimonet.demo import sample_path

    return str(sample_path(recording.removeprefix("sample:")))


def _loading(args: argparse.Namespace) -> dict[str, Any]:
    return {"fps": args.fps, "up": args.up, "unit": args.unit, "format": args.format}


def _load_motion(args: argparse.Namespace, recording: str) -> Motion:
    from vimonet.motion import load

    path = _path(recording)
    try:
        return load(path, **_loading(args))
    except InputError as error:
        # The library names the file; among many, the same name may occur in several folders.
        text, name = str(error), os.path.basename(path)
        if recording in text or path == "-" or not text.startswith(name):
            raise
        raise InputError(recording + text.removeprefix(name)) from None


def _describe(args: argparse.Namespace, recording: str) -> tuple[dict[str, Any], Motion]:
    from vimonet.motion import describe

    motion = _load_motion(args, recording)  # read once: standard input cannot be read again
    return describe(motion), motion


def _model_name(model: str | None) -> str:
    return model or os.environ.get("VIMONET_MODEL") or str(Path(vimonet.__file__).parent / "weights" / "nano")


def _assistant(args: argparse.Namespace) -> Assistant:
    if args.own_process:
        from vimonet.startup import quick_imports

        quick_imports()
    from vimonet.assistant import load

    return load(args.model)


def _detail(answer: Answer) -> str:
    return f"confidence {answer.confidence:.2f}, looked at {answer.start:.1f}-{answer.end:.1f} s"


def _print_answer(answer: Answer) -> None:
    if answer.windows:
        for part in answer.windows:
            when = f"{part.start:.1f}-{part.end:.1f} s"
            print(f"{when:>14}  {part.text}  {dim(f'confidence {part.confidence:.2f}')}", flush=True)
        return
    print(answer.text)
    print(dim(f"  {_detail(answer)}"), flush=True)


def _print_facts(motion: Motion, *, to_stderr: bool) -> None:
    from vimonet.motion.kinematics import measure

    stream = sys.stderr if to_stderr else sys.stdout
    print("measured on the recording:", file=stream)
    for line in measure(motion).lines():
        print(f"  {line}", file=stream)


def _is_override(argument: str) -> bool:
    return "=" in argument and not argument.startswith("-")


def _quiet_libraries() -> None:
    """Before they are imported: an answer is not the place for their notices. A user's own setting stands."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


if __name__ == "__main__":
    sys.exit(main())
