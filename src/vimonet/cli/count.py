"""Implement `vimonet count`: repetitions of an exercise, with times, depth and tempo, without a model."""

from __future__ import annotations

import argparse
import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vimonet.cli import shared
from vimonet.cli.shared import bold, print_json, printable
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.motion.kinematics.exercises import Count

_COLUMNS = ("recording", "exercise", "repetition", "start_s", "end_s", "time_s", "depth", "unit", "tempo_per_minute")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    count = commands.add_parser("count", help="count the repetitions of an exercise: times, depth, tempo")
    count.add_argument("recordings", nargs="+", metavar="RECORDING", help="recordings, videos, '-', or sample:NAME")
    count.add_argument(
        "--exercise",
        metavar="NAME",
        help="squat, lunge, push-up, sit-up, jumping jack, press, curl, kick, jump, step or any (default: any)",
    )
    shared.add_loading(count)
    how = count.add_mutually_exclusive_group()
    shared.add_flag(how, "--json", shared.PER_RECORDING)
    shared.add_flag(how, "--csv", "a row per repetition")
    count.set_defaults(run=_count)


def _count(args: argparse.Namespace) -> int:
    from vimonet.motion import recording_info
    from vimonet.motion.kinematics.exercises import canonical, count_exercise
    from vimonet.watch.sources import CAMERA_SCHEMES

    canonical(args.exercise)  # a misspelt name is told before a video is read
    for scheme in (recording.partition("://")[0] for recording in args.recordings):
        if scheme.lower() in CAMERA_SCHEMES or (scheme.isdecimal() and not Path(scheme).exists()):
            way = "use a rule with the event 'repetition': vimonet watch CAMERA --rules FILE.yaml (docs/watch.md)"
            raise InputError(f"{scheme}: count reads recordings, not cameras; {way}.")
    table = csv.writer(sys.stdout, lineterminator="\n") if args.csv else None
    if table:
        table.writerow(_COLUMNS)
    failed: list[tuple[str, str]] = []
    for recording in args.recordings:
        try:
            for motion in shared.load_people(args, recording):
                counted = count_exercise(motion, args.exercise)
                person = recording_info(motion).get("person")
                name = f"{recording}, person {person}" if args.person == shared.EVERYONE else recording
                if args.json:
                    print_json({"file": name, **counted.to_dict()})
                elif table:
                    table.writerows(_rows(name, counted))
                else:
                    _tell(name, counted)
        except InputError as error:
            if len(args.recordings) == 1:
                raise
            failed.append((recording, str(error)))
    return shared.list_failed(failed, "recordings")


def _rows(name: str, counted: Count) -> list[list[str]]:
    return [
        [
            name,
            counted.exercise,
            str(number),
            *(f"{value:.2f}" for value in (one.start, one.end, one.time)),
            "" if one.depth is None else f"{one.depth:.2f}",
            counted.unit,
            "" if (tempo := counted.tempo_at(number - 1)) is None else f"{tempo:.1f}",
        ]
        for number, one in enumerate(counted.repetitions, 1)
    ]


def _tell(name: str, counted: Count) -> None:
    times = len(counted.repetitions)
    exercise = "repetition" if counted.exercise == "any" else counted.exercise
    if times != 1:
        exercise += "es" if exercise.endswith("s") else "s"
    tempo = "" if counted.tempo is None else f", {counted.tempo:.0f} a minute"
    print(f"{bold(printable(name))}: {times} {exercise} ({counted.what}){tempo}")
    for number, one in enumerate(counted.repetitions, 1):
        depth = "" if one.depth is None else f", {one.depth:.{2 if one.depth < 10 else 0}f} {counted.unit}"
        print(f"  {number:3d}  {one.start:.1f}-{one.end:.1f} s{depth}")
