"""Score the fall detector on what it has not learned from: sensitivity, and false alarms per hour of other movement.

    python -m benchmarks.falls --root RECORDINGS --poses FILM_POSES [--json OUT.json]

Falls: acted mocap falls in 3D and through twelve random virtual cameras, UP-Fall's person 3, and the films of GMDCSA24,
each judged by weights that have seen neither this person nor the film. Other movement: the test splits of every corpus
in 3D and through a virtual camera, and every film in which nobody falls. Films and falls run frame by frame through the
detector of `vimonet watch`, which also gives the delay; the hours of other movement are judged whole. Intervals are
95 %: Clopper-Pearson for sensitivity (views of one fall are not independent: the interval is then too narrow, which the
table marks), Garwood's exact Poisson interval for false alarms.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from scipy.stats import beta, chi2

from research.falls import train
from research.falls.material import Sample, films, mocap_falls, ordinary, synthetic, upfall
from vimonet.motion.kinematics import falling
from vimonet.watch.body_events import BodyEvents
from vimonet.watch.stream import Event, PoseFrame


@dataclass(frozen=True)
class Sensitivity:
    """Falls of one source, those found, and the 95 % interval of their share."""

    source: str
    falls: int
    found: int
    low: float
    high: float


@dataclass(frozen=True)
class FalseAlarms:
    """Hours of one source without a fall, alarms in them, and the 95 % interval of their rate per hour."""

    source: str
    hours: float
    alarms: int
    low: float
    high: float


def sensitivity(source: str, hits: list[bool]) -> Sensitivity:
    n, k = len(hits), sum(hits)
    low = float(beta.ppf(0.025, k, n - k + 1)) if k else 0.0
    high = float(beta.ppf(0.975, k + 1, n - k)) if k < n else 1.0
    return Sensitivity(source, n, k, low, high)


def false_alarms(source: str, hours: float, alarms: int) -> FalseAlarms:
    low = float(chi2.ppf(0.025, 2 * alarms)) / 2 / hours if alarms else 0.0
    return FalseAlarms(source, hours, alarms, low, float(chi2.ppf(0.975, 2 * alarms + 2)) / 2 / hours)


def watched(sample: Sample) -> list[tuple[Event, float]]:
    """Run a movement through the detector of the watch; return events that begin, each with when it was told."""
    motion, detector = sample.motion, BodyEvents(("fall",))
    confidence = np.ones(motion.joints.shape[:2], np.float32) if motion.confidence is None else motion.confidence
    joints = motion.joints * (np.array([400, -400, 0], np.float32) if motion.dimensions == 2 else np.float32(1))
    found = []
    for i in range(motion.frames):
        if confidence[i].any():
            frame = PoseFrame(i / motion.fps, 1, joints[i], confidence[i], None, motion.dimensions)
            found += [(event, frame.time) for event in detector.push(frame) if event.end is None]
    found += [(event, motion.duration) for event in detector.gone(1, motion.duration) if event.end is None]
    return found


def hit(sample: Sample, events: Iterable[tuple[Event, float]]) -> float | None:
    """Return the delay, s, from the fall's start to its alarm; None if it is missed."""
    assert sample.fall is not None
    start, end = sample.fall
    return next((told - start for event, told in events if start - 1.0 <= event.time <= end + 0.5), None)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="recordings, laid out as research/vimos_open says")
    parser.add_argument(
        "--poses", type=Path, required=True, help="keypoints of the films (research.vimos_open.film_poses)"
    )
    parser.add_argument("--json", type=Path, help="write the scores here")
    args = parser.parse_args(argv)

    every_film = list(films(args.root, args.poses))
    taught = [*upfall(args.root)]
    teaching = [
        sample
        for sample in itertools.chain(taught, every_film, synthetic("train"), ordinary("train", args.root))
        if train.may_teach(sample)
    ]
    table = train.table(teaching)
    hits: dict[str, list[bool]] = defaultdict(list)
    delays: list[float] = []
    missed: list[str] = []
    hours: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    where: list[str] = []

    def score(sample: Sample) -> None:
        events = watched(sample)
        if sample.fall is None:
            hours["films"] += sample.motion.duration / 3600
            alarms["films"] += len(events)
            where.extend(f"{sample.name} ({sample.label})" for _ in events)
            return
        delay = hit(sample, events)
        hits[sample.source].append(delay is not None)
        if delay is None:
            missed.append(f"{sample.name} ({sample.label})")
        else:
            delays.append(delay)

    for sample in itertools.chain(mocap_falls(args.root), (s for s in taught if s.split == "test")):
        score(sample)
    for person in sorted({sample.group for sample in every_film if sample.source == "gmdcsa24"}):
        others = table.group != person
        held = train.Table(*(values[others] for values in (table.features, table.fall, table.source, table.group)))
        net = {key: np.array(value) for key, value in train.fit(held).items()}
        net |= {"sign": np.array(list(falling.FEATURES.values())), "threshold": np.array(falling.least_probability())}
        with mock.patch.object(falling, "_network", lambda net=net: net):
            for sample in (s for s in every_film if s.group == person):
                score(sample)
    for sample in (s for s in every_film if s.source != "gmdcsa24"):
        score(sample)
    for sample in ordinary("test", args.root):
        motion = sample.motion
        found = falling.find_falls(motion.joints, motion.confidence, motion.fps, motion.dimensions == 2)
        hours[sample.source] += motion.duration / 3600
        alarms[sample.source] += len(found)
        where += [f"{sample.name} ({sample.label})" for _ in found]

    rows = [sensitivity(source, found) for source, found in hits.items()]
    rows.append(sensitivity("all", [one for found in hits.values() for one in found]))
    rates = [false_alarms(source, hours[source], alarms[source]) for source in sorted(hours)]
    real = sum(hours[source] for source in hours if not source.endswith(">2d"))
    rates.append(false_alarms("all but virtual cameras", real, sum(alarms[s] for s in hours if not s.endswith(">2d"))))
    rates.append(false_alarms("all", sum(hours.values()), sum(alarms.values())))
    report(rows, rates, delays, missed, where)
    if args.json:
        out: dict[str, Any] = {
            "threshold": falling.least_probability(),
            "sensitivity": [asdict(row) for row in rows],
            "false_alarms": [asdict(row) for row in rates],
            "delays_s": delays,
            "missed": missed,
            "false": where,
        }
        args.json.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


def report(
    rows: list[Sensitivity], rates: list[FalseAlarms], delays: list[float], missed: list[str], where: list[str]
) -> None:
    print(f"{'falls':24}{'n':>5}{'found':>7}{'sensitivity':>13}   95 %")
    for row in rows:
        mark = "  (views of the same falls)" if row.source.endswith(">2d") else ""
        share = row.found / row.falls
        print(f"{row.source:24}{row.falls:5}{row.found:7}{share:13.2f}   {row.low:.2f}-{row.high:.2f}{mark}")
    print(f"\n{'other movement':24}{'hours':>7}{'alarms':>8}{'per hour':>10}   95 %")
    for rate in rates:
        print(
            f"{rate.source:24}{rate.hours:7.2f}{rate.alarms:8}{rate.alarms / rate.hours:10.2f}   "
            f"{rate.low:.2f}-{rate.high:.2f}"
        )
    if delays:
        middle, late = np.percentile(delays, [50, 95])
        print(f"\nfrom the start of a fall to its alarm: median {middle:.2f} s, 95 % within {late:.2f} s")
    print("\nmissed: " + "; ".join(missed))
    print("\nfalse alarms: " + "; ".join(where))


if __name__ == "__main__":
    sys.exit(main())
