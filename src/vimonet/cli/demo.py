"""`vimonet demo`: a first look, with nothing but the package."""

from __future__ import annotations

import argparse

from vimonet.cli import shared


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    demo = commands.add_parser("demo", help="questions and answers about embedded recordings, and a picture")
    demo.add_argument("-m", "--model", help=shared.MODEL_HELP)
    demo.add_argument("-o", "--output", default="vimonet-demo.png", metavar="OUT.png", help="default: %(default)s")
    demo.add_argument("--list", action="store_true", help="list the embedded recordings and stop")
    demo.set_defaults(run=_demo)


def _demo(args: argparse.Namespace) -> int:
    from vimonet.demo import list_samples, run

    if args.list:
        print("\n".join(list_samples()))
        return 0
    return run(shared.assistant(args), args.output)
