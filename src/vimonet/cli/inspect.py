"""Implement `vimonet inspect` and `vimonet render`: measure and draw a recording without a model."""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from vimonet.cli import shared
from vimonet.cli.shared import bold, plain, print_json
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.motion import Motion


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the two commands."""
    inspect = commands.add_parser("inspect", help="print format, skeleton, frames, rate, duration and measured facts")
    inspect.add_argument("recordings", nargs="+", metavar="RECORDING", help="files, folders, '-', or sample:NAME")
    shared.add_loading(inspect)
    shared.add_flag(inspect, "--json", shared.PER_RECORDING)
    shared.add_flag(inspect, "--csv", "a row per recording")
    inspect.set_defaults(run=_inspect)

    render = commands.add_parser("render", help="draw a recording: .png strip of poses, .gif or .mp4")
    render.add_argument("recording", metavar="RECORDING", help="file, '-', or sample:NAME")
    shared.add_flag(render, "--output", ".png (poses over time), .gif or .mp4", required=True, metavar="OUT.png")
    views = ("front", "side", "three-quarter", "top")
    render.add_argument(
        "--view", default="three-quarter", choices=views, help="camera relative to the first facing direction"
    )
    render.add_argument("--poses", type=int, metavar="N", help="poses in a strip (default: about two per second)")
    render.add_argument("--width", type=int, metavar="PIXELS", help="width of the image")
    render.add_argument("--title", help="title (default: the recording's name)")
    render.add_argument("--start", type=float, default=0.0, metavar="S", help="first second to draw")
    render.add_argument("--end", type=float, metavar="S", help="last second to draw")
    render.add_argument("--no-events", action="store_true", help="leave out the measured events")
    shared.add_loading(render)
    render.set_defaults(run=_render)


def _inspect(args: argparse.Namespace) -> int:
    from vimonet.motion.io.loading import find_recordings

    if args.csv and args.json:
        raise InputError("--csv and --json print different things; give one of them.")
    failed: list[tuple[str, str]] = []
    rows: list[dict[str, Any]] = []
    recordings = find_recordings(args.recordings)
    for number, recording in enumerate(recordings):
        try:
            people = shared.load_people(args, recording)  # read once: standard input cannot be read again
        except InputError as error:
            if len(recordings) == 1:
                raise
            failed.append((recording, str(error)))
            continue
        for k, motion in enumerate(people):
            if args.csv:
                rows.append(_row(recording, motion))
                continue
            if (number or k) and not args.json:
                print()
            _describe(args, recording, motion)
    if rows:
        columns = list(dict.fromkeys(column for row in rows for column in row))
        table = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return shared.list_failed(failed, "recordings")


def _row(recording: str, motion: Motion) -> dict[str, Any]:
    """Describe one motion in one row: what was read, then every measured fact."""
    from vimonet.motion import recording_info
    from vimonet.motion.kinematics import measure

    described = recording_info(motion)
    for key in ("people", "joints_found"):
        described[key] = len(described.get(key, ()) or (1,))
    described = {
        key: "; ".join(map(str, value)) if isinstance(value, list) else value for key, value in described.items()
    }
    row = {"file": recording, "person": described.pop("person", 1), **described, **measure(motion).to_dict()}
    return {column: shared.printable(str(value)) for column, value in _cells(row) if value is not None}


def _cells(record: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Name the cells of a nested record: ``knee_flexion.left``, ``path.half_speed.1``; of events their number."""
    for key, value in record.items():
        column = f"{above}{key}".replace(" ", "_")
        if isinstance(value, dict):
            yield from _cells(value, f"{column}.")
        elif isinstance(value, list | tuple):
            if value and all(isinstance(one, float) for one in value):
                yield from ((f"{column}.{k}", one) for k, one in enumerate(value, start=1))
            else:
                yield f"{column}.count", len(value)
        else:
            yield column, value


def _describe(args: argparse.Namespace, recording: str, motion: Motion) -> None:
    """Print format, skeleton, health and facts of one motion."""
    from vimonet.motion import recording_info
    from vimonet.motion.kinematics import measure

    described, facts = recording_info(motion), measure(motion)
    if args.json:
        print_json({"file": recording, **described, "facts": facts.to_dict()})
        return
    person = described.pop("person", None)
    print(bold(f"{recording}, person {person}" if args.person == shared.EVERYONE else recording))
    health, people = described.pop("health", []), described.pop("people", {})
    width = max(len(key) for key in described) + 2
    for key, value in described.items():
        text = f"{len(value)} of 22" if key == "joints_found" else plain(value)
        print(f"  {(key.replace('_', ' ') + ':').ljust(width)} {text}")
    if len(people) > 1:
        print(bold("people"))
        for line in shared.people_lines(motion):
            print(f"  {line}")
    print(bold("health"))
    for line in health:
        print(f"  {line}")
    print(bold("measured"))
    for line in facts.lines():
        print(f"  {line}")


def _render(args: argparse.Namespace) -> int:
    from vimonet.motion.render import check_output, render

    path = check_output(args.output)
    motion = shared.load_motion(args, args.recording)
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
        events=() if args.no_events else None,
        progress=True,
    )
    print(f"wrote {path}", file=sys.stderr)
    return 0
