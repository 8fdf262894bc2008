"""Implement `vimonet watch`: events of a camera or of a stream of poses, as they happen."""

from __future__ import annotations

import argparse
import functools
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from vimonet.cli.shared import add_flag, dim, print_json, printable
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.watch.loop import Watch
    from vimonet.watch.stream import Event

_SOURCES = """\
SOURCE is a camera's number (0, 1 ...), rtsp://, udp://, http:// of a network camera, a film (finished or growing), a
recording (.bvh ...) or sample:NAME, JSON lines in a file or on standard input (-), a folder with a keypoint JSON per
frame, zmq://HOST:PORT, or vmc://:39539 (an avatar by the VMC protocol). docs/watch.md describes the JSON."""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    watch = commands.add_parser(
        "watch",
        help="watch a camera, a film or a stream of poses, and report events as they happen",
        description="Watch a camera, a film or a stream of poses, and report what happens: falls, people who lie "
        "still, raised and waving hands, who comes and goes, and a camera that is lost, frozen or black. No picture is "
        "stored or sent unless --keep-clips says so. Ctrl-C ends with a summary.",
        epilog=_SOURCES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    watch.add_argument("source", metavar="SOURCE", help="what to watch")
    add_flag(watch, "--json", "an event a line")
    watch.add_argument("--rules", metavar="FILE.yaml", help="what raises an alarm, and who is told (docs/watch.md)")
    watch.add_argument("--once", action="store_true", help="end where a growing file or folder ends now")
    watch.add_argument(
        "--speed", type=float, metavar="X", help="play a film at X times its speed, dropping frames as a camera would "
        "(default: every frame, as fast as this machine can)",
    )  # fmt: skip
    watch.add_argument("--wait", action="store_true", help="wait for a source that is not there yet")
    watch.add_argument("--stall", type=float, default=3.0, metavar="S", help="seconds of silence after which a camera "
                       "or stream counts as lost (default: 3)")  # fmt: skip
    watch.add_argument("--estimator", metavar="NAME", help="mediapipe, or vitpose:MODEL[,DETECTOR] with folders or "
                       "hub ids (default: $VIMONET_POSE, else mediapipe)")  # fmt: skip
    watch.add_argument("--keep-clips", type=Path, metavar="DIR", help="write a short film of every event that concerns "
                       "a person into this folder; without it no picture is stored")  # fmt: skip
    watch.add_argument("--page", type=int, nargs="?", const=8010, metavar="PORT", help="show live skeletons, the "
                       "source's health and events on a page of this machine, where alarms are acknowledged "
                       "(port: 8010; 0 for a free one)")  # fmt: skip
    group = watch.add_argument_group("poses", "of a source of poses; found out by default")
    group.add_argument("--fps", type=float, help="frames per second of a recording whose file does not say")
    group.add_argument("--up", metavar="AXIS", help="axis that points up: y, z, x, or --up=-y ...")
    group.add_argument("--unit", help="unit of length: m, cm, mm, inch, or metres per unit")
    group.add_argument("--size", metavar="WxH", help="size of the picture, if coordinates are fractions of it")
    watch.set_defaults(run=_watch)


def _watch(args: argparse.Namespace) -> int:
    from vimonet.motion.io.units_and_axes import parse_size, parse_unit, parse_up
    from vimonet.motion.pose import estimator_of
    from vimonet.watch.alarms import Alarms
    from vimonet.watch.clips import ClipKeeper
    from vimonet.watch.detectors import detectors_for
    from vimonet.watch.loop import Watch
    from vimonet.watch.page_sink import page_of, with_page
    from vimonet.watch.readings import SourceOptions
    from vimonet.watch.rules import read_rules
    from vimonet.watch.sinks import build_sinks
    from vimonet.watch.source_health import KINDS as SOURCE_KINDS
    from vimonet.watch.sources import RecordingPoses, source_of

    for flag, value in (("--speed", args.speed), ("--stall", args.stall), ("--fps", args.fps)):
        if value is not None and not 0 < value < 1e6:
            raise InputError(f"{flag} is {value:g}; expected a positive number.")
    width, height = parse_size(args.size) if args.size else (0, 0)
    if args.unit is not None:
        parse_unit(args.unit)
    if args.up is not None:
        parse_up(args.up)
    size = (round(width), round(height)) if args.size else None
    options = SourceOptions(args.fps, size, args.unit, args.up, args.once)
    source = source_of(args.source, options)
    if args.keep_clips and not source.pictures:
        raise InputError(f"--keep-clips: {source.name} gives poses, no pictures; leave it out.")

    def say(text: str) -> None:
        print(dim(text), file=sys.stderr, flush=True)

    rules = read_rules(args.rules) if args.rules else None
    detectors = detectors_for(rules)
    if args.page is not None:
        rules = with_page(rules, args.page)
    clips = ClipKeeper(args.keep_clips, say) if args.keep_clips else None
    sinks = build_sinks(rules, say=say) if rules else {}
    page = page_of(sinks)
    alarms = Alarms(rules.rules if rules else (), sinks, live=source.live, say=say)
    watch = Watch(
        source,
        [*detectors, page] if page else detectors,
        on_frame=[alarms.frame],
        options=SourceOptions() if isinstance(source, RecordingPoses) else options,  # already used to load it
        estimator=functools.partial(estimator_of, args.estimator) if args.estimator else None,
        speed=args.speed,
        wait=args.wait,
        stall=args.stall,
        on_picture=[clips.picture] if clips else [],
        stay=page is not None,
        say=say,
    )
    if page:
        say(f"the page of this watch is at {page.start(watch)}")
    try:
        with _ending_cleanly(watch):
            for event in watch.events():
                if page:
                    page.event(event)
                alarms.event(event)
                if args.json:
                    print_json(event.to_dict())
                else:
                    print(line_of(event, source.live), flush=True)
                if clips and event.kind not in SOURCE_KINDS:
                    clips.keep(event)
    finally:
        alarms.close()
        if clips:
            clips.close()
    if clips:
        say(f"{clips.written} {'clip' if clips.written == 1 else 'clips'} in {args.keep_clips}")
    print(dim(f"{source.name}: {watch.summary}"), file=sys.stderr)
    return 0


def line_of(event: Event, live: bool) -> str:
    """Write an event for a person: when, and what."""
    import datetime

    at = event.time if event.end is None else event.end
    when = f"{datetime.datetime.fromtimestamp(at):%H:%M:%S}" if live and at > 1e8 else f"{at:8.2f} s"
    return f"{when}  {printable(event.text or event.kind)}"


@contextmanager
def _ending_cleanly(watch: Watch) -> Iterator[None]:
    """End the watch at Ctrl-C or SIGTERM; a second one ends the process."""
    caught = (signal.SIGINT, signal.SIGTERM)

    def end(number: int, frame: object) -> None:
        watch.stop()
        for one, handler in before.items():
            signal.signal(one, handler)

    try:
        before = {one: signal.signal(one, end) for one in caught}
    except ValueError:  # not the main thread
        yield
        return
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
