"""Implement `vimonet train`: train one stage from a config file with overrides."""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import sys
from typing import NoReturn

from vimonet.cli.shared import add_flag

OLD_NAMES = {
    "language": "pretrain-lm",
    "tokenizer": "motion-tokenizer",
    "lift": "lift-keypoints",
    "evaluator": "text-motion-retrieval",
}
"""Stage names before 0.2, accepted for one release."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command; the files of `vimonet.training.stages` are its stages."""
    train = commands.add_parser(
        "train",
        help="train a stage from a config file",
        usage="vimonet train STAGE --config FILE.yaml [KEY=VALUE ...]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("stage", metavar="STAGE", help="one of the stages below")
    add_flag(train, "--config")
    train.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="dotted keys of the config")
    train.add_argument("--help-config", action="store_true", help="list the keys that STAGE reads, and exit")
    train.format_help = lambda: _help(train)  # type: ignore[method-assign]
    train.set_defaults(run=_train, parser=train)


def stage_of(name: str) -> str:
    """Return the current name of a stage, and print a notice for an old one."""
    if name in OLD_NAMES:
        print(
            f"vimonet: stage '{name}' is called '{OLD_NAMES[name]}' now; the old name goes with 0.3.", file=sys.stderr
        )
    return OLD_NAMES.get(name, name)


def _help(parser: argparse.ArgumentParser) -> str:
    """Format the help; the stages are imported only when it is printed."""
    from vimonet.training.stages import stage_summaries

    stages = "".join(f"  {name:22} {text}\n" for name, text in stage_summaries().items())
    parser.epilog = f"stages:\n{stages}\nvimonet train STAGE --help-config lists the keys that a stage reads."
    return argparse.ArgumentParser.format_help(parser)


def _train(args: argparse.Namespace) -> int:
    if args.help_config:
        from vimonet.training.config import describe_keys

        print(describe_keys(stage_of(args.stage)))
        return 0
    if args.config is None:
        args.parser.error("the following arguments are required: --config")
    from vimonet.training import main as train

    train(stage_of(args.stage), args.config, args.overrides)
    if _leave_group() and args.own_process:
        end_process(0)
    return 0


def _leave_group() -> bool:
    """Leave the process group, if this process is in one, and tell whether it was.

    Call it only after success: a failed process must not wait for the others.
    """
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()):
        return False
    gc.collect()  # what still holds the group (trainer, wrapped model) lies in reference cycles
    dist.destroy_process_group()
    return True


def end_process(status: int) -> NoReturn:
    """End a process that was in a group: exit functions run and streams are flushed, Python is not torn down.

    Threads of gloo and autograd outlive the group. One that asks for Python's lock while the interpreter finalises is
    ended inside C++ code that may not be unwound, and aborts the process ("terminate called without an active
    exception") after all its work is done and written.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
