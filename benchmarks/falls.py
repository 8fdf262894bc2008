"""Score the fall detector on what its weights have not learned from: sensitivity, and false alarms per hour.

    python -m benchmarks.falls --root RECORDINGS --poses FILM_POSES [--json OUT.json]

Test: acted mocap falls in 3D and through twelve random virtual cameras, UP-Fall's person 3, the test splits of every
corpus in 3D and through a virtual camera, and every film that taught nothing. Folds: UP-Fall's people 1 and 10, the
films of GMDCSA24, the films that taught, and the rest of Bandai-Namco are judged by the weights of a fold that has not
seen the person, film or recording; they chose the threshold all the same, so they are counted apart. Falls and films
run frame by frame through the detector of `vimonet watch`, which also gives the delay; other recordings are judged
whole. Films of fights count neither way: people lie and are thrown to the floor in some, and no label says when.
Intervals are 95 %: Clopper-Pearson for sensitivity (views of one fall are not independent: the interval is then
too narrow, which the table marks), Garwood's exact Poisson interval for false alarms.
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


TEST, FOLDS = "test", "folds"


def _plain(weights: dict[str, Any]) -> dict[str, np.ndarray]:
    return {key: np.array(value) for key, value in weights.items()} | {
        "sign": np.array(list(falling.FEATURES.values()))
    }


def _sums(hours: Counter[str], alarms: Counter[str], names: list[str]) -> tuple[float, int]:
    return sum(hours[name] for name in names), sum(alarms[name] for name in names)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="recordings, laid out as research/vimos_open says")
    parser.add_argument(
        "--poses", type=Path, required=True, help="keypoints of the films (research.vimos_open.film_poses)"
    )
    parser.add_argument("--json", type=Path, help="write the scores here")
    args = parser.parse_args(argv)

    every_film = list(films(args.root, args.poses))
    acted = [*upfall(args.root)]
    ordinary_train = list(ordinary("train", args.root))
    teaching = [s for s in (*acted, *every_film, *synthetic("train"), *ordinary_train) if train.may_teach(s)]
    taught = {sample.group for sample in teaching}
    nets = train.without_folds(train.table(teaching))
    final = falling._network()
    hits: dict[str, list[bool]] = defaultdict(list)
    delays: list[float] = []
    missed: list[str] = []
    hours: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    where: list[str] = []
    fights: list[str] = []

    def score(sample: Sample, part: str, by_frame: bool) -> None:
        net = final if part == TEST else {**_plain(nets[train.fold_of(sample.group)]), "threshold": final["threshold"]}
        with mock.patch.object(falling, "_network", lambda: net):
            if by_frame:
                events = watched(sample)
            else:
                motion = sample.motion
                flat = motion.dimensions == 2
                events = [
                    (drop, 0.0) for drop in falling.find_falls(motion.joints, motion.confidence, motion.fps, flat)
                ]
        if sample.fall is None and sample.label == "fight":
            fights.extend(sample.name for _ in events)
        elif sample.fall is None:
            name = f"{part}: {'film ' if sample.name.startswith('clips/') else ''}{sample.source}"
            hours[name] += sample.motion.duration / 3600
            alarms[name] += len(events)
            where.extend(f"{part}: {sample.name} ({sample.label})" for _ in events)
        if sample.fall is None:
            return
        delay = hit(sample, events)
        hits[f"{part}: {sample.source}"].append(delay is not None)
        if delay is None:
            missed.append(f"{part}: {sample.name} ({sample.label})")
        else:
            delays.append(delay)

    for sample in itertools.chain(mocap_falls(args.root), acted, every_film):
        score(sample, FOLDS if sample.group in taught else TEST, by_frame=True)
    for sample in itertools.chain(ordinary("test", args.root), (s for s in ordinary_train if s.source == "bnr")):
        score(sample, FOLDS if sample.group in taught else TEST, by_frame=False)

    def total(part: str) -> tuple[Sensitivity, FalseAlarms]:
        found = [one for name, some in hits.items() if name.startswith(part) for one in some]
        names = [name for name in hours if name.startswith(part)]
        return (
            sensitivity(f"{part}: all", found),
            false_alarms(f"{part}: all", sum(hours[n] for n in names), sum(alarms[n] for n in names)),
        )

    rows = [sensitivity(source, found) for source, found in hits.items()]
    rows += [total(part)[0] for part in (TEST, FOLDS)]
    rates = [false_alarms(source, hours[source], alarms[source]) for source in sorted(hours)]
    seen = [name for name in hours if not name.endswith(">2d")]
    rates.append(false_alarms("all films", *_sums(hours, alarms, [name for name in seen if "film " in name])))
    rates.append(false_alarms("all but virtual cameras", *_sums(hours, alarms, seen)))
    rates += [total(part)[1] for part in (TEST, FOLDS)]
    report(rows, rates, delays, missed, where)
    print("\nalarms in films of fights, in which people are thrown to the floor (not counted): " + "; ".join(fights))
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
    print(f"{'falls':30}{'n':>5}{'found':>7}{'sensitivity':>13}   95 %")
    for row in rows:
        mark = "  (views of the same falls)" if row.source.endswith(">2d") else ""
        share = row.found / row.falls
        print(f"{row.source:30}{row.falls:5}{row.found:7}{share:13.2f}   {row.low:.2f}-{row.high:.2f}{mark}")
    print(f"\n{'other movement':30}{'hours':>7}{'alarms':>8}{'per hour':>10}   95 %")
    for rate in rates:
        print(
            f"{rate.source:30}{rate.hours:7.2f}{rate.alarms:8}{rate.alarms / rate.hours:10.2f}   "
            f"{rate.low:.2f}-{rate.high:.2f}"
        )
    if delays:
        middle, late = np.percentile(delays, [50, 95])
        print(f"\nfrom the start of a fall to its alarm: median {middle:.2f} s, 95 % within {late:.2f} s")
    print("\nmissed: " + "; ".join(missed))
    print("\nfalse alarms: " + "; ".join(where))


if __name__ == "__main__":
    sys.exit(main())
