"""Run the command line: parse, call the library, print. No heavy import happens before a command needs it.

Each file in this folder holds a group of commands and has ``add(commands)`` for their parsers. `vimonet.cli.shared`
holds the table of the flags that several commands have.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import os
import shlex
import sys
from collections.abc import Sequence

import vimonet
from vimonet.cli.shared import complain
from vimonet.cli.streams import abandon, prepare_streams
from vimonet.utils.errors import InputError

_EPILOG = """\
examples:
  vimonet demo
  vimonet ask walk.bvh "Which way does the person turn?" --evidence
  vimonet caption clips/ --json > captions.jsonl
  vimonet inspect walk.bvh
  vimonet count squats.mp4 --exercise squat
  vimonet render walk.bvh -o walk.mp4
  vimonet view walk.bvh --ask "Which way does the person turn?"
  vimonet convert-motion walk.glb walk.bvh
  vimonet index clips/ -o clips.index
  vimonet search "someone waves with the left hand" --index clips.index
  vimonet data build folder --root clips/ -o my-vimos
  vimonet bench run --dataset my-vimos -o runs/bench
  vimonet serve
  vimonet watch rtsp://camera/stream --rules rules.yaml

Recordings: BVH (.bvh), glTF (.glb), ASF/AMC (.amc), AMASS, HumanML3D, SMPL and joint arrays (.npz, .npy, .pt),
keypoints (.json, .jsonl, .csv), markers (.c3d, .trc), Xsens (.mvnx), NTU RGB+D (.skeleton), video (.mp4, .mov, .mkv
...: the movement of the person in it), folders of these, addresses (s3://bucket/walk.bvh);
'-' reads standard input, 'sample:NAME' is a recording that comes with ViMoNet (vimonet demo --list)."""


_COMMANDS = {
    **{name: name for name in ("ask", "chat", "caption", "pose", "inspect", "count")},
    **{"render": "inspect", "view": "view", "convert-motion": "convert_motion", "index": "search", "search": "search"},
    **{name: name for name in ("data", "train", "plan", "bench", "compose", "convert", "fetch")},
    **{name: name for name in ("serve", "watch", "demo")},
}
"""Command -> the file here that adds it, in the order of the help."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (0 done, 2 bad input, 130 interrupted)."""
    if argv is None:
        prepare_streams()
    _quiet_libraries()
    try:
        return _run(list(sys.argv[1:] if argv is None else argv), own_process=argv is None)
    except InputError as error:
        return complain(str(error))
    except BrokenPipeError:
        abandon(sys.stdout)  # the reader (head, less) closed the pipe
        return 141
    except KeyboardInterrupt:
        print("", file=sys.stderr)
        return 130
    except OSError as error:
        if error.filename == getattr(sys.stdout, "label", ""):
            abandon(sys.stdout)
        if error.filename is None and error.strerror is None:
            raise
        name = os.fspath(error.filename) if isinstance(error.filename, str | os.PathLike) else "file system"
        return complain(f"{name}: {error.strerror or error}.")
    finally:
        if argv is None:
            gc.freeze()  # the process ends: a last collection over all of torch would take half a second for nothing


def _run(arguments: list[str], *, own_process: bool) -> int:
    """Parse, run the command, and hand over all of its output."""
    try:
        parser = build_parser(arguments[0] if arguments else None)
        args, rest = parser.parse_known_args(arguments)
        if hasattr(args, "overrides"):
            # key=value may stand before or after the options, which argparse alone does not allow.
            args.overrides += [argument for argument in rest if _is_override(argument)]
            rest = [argument for argument in rest if not _is_override(argument)]
        if rest:
            parser.error(f"unrecognized arguments: {' '.join(rest)}")
    except SystemExit:  # of --help and of mistakes
        sys.stdout.flush()
        raise
    args.command_line = shlex.join(["vimonet", *arguments])
    args.own_process = own_process  # fast_start may leave imports out, because the process ends with the command
    code = int(args.run(args))
    sys.stdout.flush()
    return code


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Build the parser of one command, or of every command for any other first word."""
    parser = argparse.ArgumentParser(
        prog="vimonet",
        description="Ask about how people move: answers, captions and measured facts from motion capture.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"vimonet {vimonet.__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    chosen = [_COMMANDS[command]] if command in _COMMANDS else list(dict.fromkeys(_COMMANDS.values()))
    for name in chosen:  # importing the other commands would only cost time
        importlib.import_module(f"vimonet.cli.{name}").add(commands)
    return parser


def _is_override(argument: str) -> bool:
    return "=" in argument and not argument.startswith("-")


def _quiet_libraries() -> None:
    """Silence library notices before the imports, so that standard error stays ours; keep the user's own settings."""
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
