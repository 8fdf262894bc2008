"""Implement `vimonet pose`: track a person through a video and write the keypoints."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from vimonet.cli.shared import EVERYONE, add_flag, print_json
from vimonet.utils.errors import InputError
from vimonet.utils.files import whole_file


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    pose = commands.add_parser(
        "pose",
        help="estimate the keypoints of people in a video",
        description="Track one person, or everyone, through a video and write the keypoints as JSON, which every "
        "command reads as a recording. Other commands do the same when they get a video. The user's cache folder keeps "
        "estimates for 30 days.",
    )
    pose.add_argument("video", metavar="VIDEO", help="MP4, MOV, MKV, WebM, AVI, GIF ...")
    add_flag(pose, "--output", "default: VIDEO's name with .json", metavar="OUT.json")
    add_flag(pose, "--person", default=1)
    pose.add_argument(
        "--estimator",
        metavar="NAME",
        help="mediapipe, or vitpose:MODEL[,DETECTOR] with folders or hub ids (default: $VIMONET_POSE, else mediapipe)",
    )
    pose.add_argument(
        "--max-rate", type=float, default=30.0, metavar="R", help="most frames read per second (default: 30)"
    )
    pose.add_argument("--no-cache", action="store_true", help="neither read nor write the cache")
    add_flag(pose, "--json", "a summary")
    pose.set_defaults(run=_pose)


def _pose(args: argparse.Namespace) -> int:
    from vimonet.motion.pose import estimate_people_cached, everyone_json, person_of

    output = _output(args)
    people = estimate_people_cached(
        args.video, args.estimator, max_rate=args.max_rate, remember=not args.no_cache, progress=True
    )
    everyone = args.person == EVERYONE
    chosen = dict(enumerate(people, start=1)) if everyone else {args.person: person_of(people, args.person, args.video)}
    with whole_file(output) as part:
        part.write_text(everyone_json(people) if everyone else chosen[args.person].to_json(), encoding="utf-8")
    for person, poses in chosen.items():
        frames, summary = len(poses.points), poses.summary()
        if args.json:
            print_json({"file": args.video, "output": str(output), "person": person, "frames": frames, **summary})
            continue
        print(
            f"{frames} frames at {summary['fps']:g} frames/s, person {person} of {poses.people} "
            f"seen in {100 * summary['seen']:.0f} %"
        )
        for note in poses.notes:
            print(f"  {note}")
    print(f"wrote {output}", file=sys.stderr)
    return 0


def _output(args: argparse.Namespace) -> Path:
    """Choose the output file; refuse one that cannot be written before any work."""
    output = Path(args.output) if args.output else Path(args.video).with_suffix(".json")
    if output.suffix.lower() != ".json":
        raise InputError(f"{output}: keypoints are written as JSON; give a name that ends in .json.")
    if output.is_dir() or not output.parent.is_dir():
        raise InputError(f"{output}: it cannot be written; give a file in a folder that exists.")
    if not args.output and output.exists():
        raise InputError(f"{output}: it exists already; give -o to say where to write.")
    return output
