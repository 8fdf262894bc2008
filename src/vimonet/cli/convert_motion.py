"""Implement `vimonet convert-motion`: write a recording in the format of another program."""

from __future__ import annotations

import argparse
import sys

from vimonet.cli import shared
from vimonet.cli.shared import one_line
from vimonet.utils.errors import InputError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "convert-motion",
        help="write a recording as .bvh, .npy, .npz, .csv, .trc or .json",
        description="Write the 22 joints of any recording in another format: BVH for Blender and other programs, CSV "
        "of joint angles and positions, TRC for OpenSim, JSON, NumPy arrays. What the format does not hold is said.",
    )
    parser.add_argument("recording", metavar="IN", help="file, '-', or sample:NAME")
    parser.add_argument(
        "target", metavar="OUT", help="file to write; its suffix chooses the format; of --person all a file per person"
    )
    parser.add_argument("--out-fps", type=float, metavar="R", help="frames per second of OUT (default: those of IN)")
    parser.add_argument("--out-up", default="y", choices=("y", "z"), help="axis that points up in OUT (default: y)")
    parser.add_argument("--out-unit", metavar="UNIT", help="unit of OUT (default: cm in .bvh, mm in .trc, else m)")
    parser.add_argument(
        "--rigid", action="store_true", help="a .bvh of constant bone lengths, without position channels on joints"
    )
    shared.add_loading(parser)
    parser.set_defaults(run=_convert_motion)


def _convert_motion(args: argparse.Namespace) -> int:
    from vimonet.motion.io.motion_writer import check_target, write_motion

    target = check_target(args.target, args.out_up, args.out_unit)
    if args.rigid and target.suffix.lower() != ".bvh":
        raise InputError(f"{target}: --rigid is about the bones of a .bvh; leave it out.")
    people = shared.load_people(args, args.recording, target_fps=args.out_fps)
    for motion in people:
        path, whose = target, ""
        if args.person == shared.EVERYONE:
            person = motion.details.get("person", 1)
            path, whose = target.with_stem(f"{target.stem}-person-{person}"), f"person {person}: "
        written = write_motion(motion, path, up=args.out_up, unit=args.out_unit, rigid=args.rigid)
        print(f"{whose}{motion.frames} frames, {motion.duration:.2f} s")
        for note in (*motion.notes, *written.notes):
            print(f"  {one_line(note)}")
        print(f"wrote {written.path}", file=sys.stderr)
    return 0
