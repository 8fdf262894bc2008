"""Score the fall detector on what its weights have not learned from: sensitivity, and false alarms per hour.

    python -m benchmarks.falls --root RECORDINGS [--poses FILM_POSES] [--json OUT.json]

Test: acted mocap falls in 3D and through twelve random virtual cameras, UP-Fall's person 3, the test splits of every
corpus in 3D and through a virtual camera, and every film that taught nothing. Folds: UP-Fall's people 1 and 10, the
films of GMDCSA24, the films that taught, and the rest of Bandai-Namco are judged by the weights of a fold that has not
seen the person, film or recording; they chose the threshold all the same, so they are counted apart. Falls and films
run frame by frame through the detector of `vimonet watch`, which also gives the delay; other recordings are judged
whole. Films of fights count neither way: people lie and are thrown to the floor in some, and no label says when.
Without ``--poses`` nothing is learned: the test material is scored, without films and without folds. What users of
other fall alarms complain of is counted by name, on the test clips that carry such a label.
Intervals are 95 %: Clopper-Pearson for sensitivity (views of one fall are not independent: the interval is then
too narrow, which the table marks), Garwood's exact Poisson interval for false alarms.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
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

COMPLAINTS = {
    "tying shoes": r"\bshoe",
    "kneeling": r"\bkneel",
    "sitting down": r"\bsit down|\bsit on",
    "lying down on purpose": r"\blie\b|\blying\b",
    "picking something up": r"\bpick\b.*\bup\b",
    "push-ups": r"\bpush-up",
    "yoga": r"\byoga",
    "a second person in view": r"^sbu_interaction\b",
    "leaving at the picture's edge": r"\bleave",
    "squats and lunges": r"\bsquat|\blunge",
    "bowing, touching the toes": r"\bbow\b|\btouch the toes|\bbend down",
    "lying exercises (sit-ups, bench press)": r"\bsit-up|\bbench press",
}
"""Named activity -> pattern that "source: label" of its clips matches."""
LATEST = 1.5
"""Seconds within which a fall should be told."""


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
    """Return when, s, the fall is told; None if it is missed."""
    assert sample.fall is not None
    start, end = sample.fall
    return next((told for event, told in events if start - 1.0 <= event.time <= end + 0.5), None)


def waits(sample: Sample, told: float) -> dict[str, float]:
    """Measure the time, s, from moments of a fall until it is told; its fastest moment is that of its largest drop."""
    assert sample.fall is not None
    drop = train.the_fall(sample)
    fastest = {} if drop is None else {"fastest moment": told - drop.frame / sample.motion.fps}
    return {"start": told - sample.fall[0], **fastest, "end": told - sample.fall[1]}


def complaints(clips: Iterable[tuple[Sample, int]]) -> dict[str, dict[str, float]]:
    """Count, by named activity, clips and alarms as recorded and through a virtual camera, and the minutes recorded."""
    rows = {name: dict.fromkeys(("clips", "minutes", "alarms", "views", "view_alarms"), 0.0) for name in COMPLAINTS}
    for sample, alarms in clips:
        view = sample.source.endswith(">2d")
        for name, pattern in COMPLAINTS.items():
            if re.search(pattern, f"{sample.source}: {sample.label}"):
                row = rows[name]
                row["views" if view else "clips"] += 1
                row["view_alarms" if view else "alarms"] += alarms
                row["minutes"] += 0.0 if view else sample.motion.duration / 60
    return rows


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
    parser.add_argument("--poses", type=Path, help="keypoints of the films (research.vimos_open.film_poses)")
    parser.add_argument("--json", type=Path, help="write the scores here")
    args = parser.parse_args(argv)

    every_film = list(films(args.root, args.poses)) if args.poses else []
    acted = [*upfall(args.root)]
    ordinary_train = list(ordinary("train", args.root))
    teaching = [s for s in (*acted, *every_film, *synthetic("train"), *ordinary_train) if train.may_teach(s)]
    taught = {sample.group for sample in teaching}
    nets = train.without_folds(train.table(teaching)) if args.poses else None
    final = falling._network()
    hits: dict[str, list[bool]] = defaultdict(list)
    delays: dict[str, list[float]] = defaultdict(list)
    named: list[tuple[Sample, int]] = []
    missed: list[str] = []
    hours: Counter[str] = Counter()
    alarms: Counter[str] = Counter()
    where: list[str] = []
    fights: list[str] = []

    def score(sample: Sample, by_frame: bool) -> None:
        part, net = FOLDS if sample.group in taught else TEST, final
        if part == FOLDS:
            if nets is None:
                return
            net = {**_plain(nets[train.fold_of(sample.group)]), "threshold": final["threshold"]}
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
            if part == TEST:
                named.append((sample, len(events)))
        if sample.fall is None:
            return
        told = hit(sample, events)
        hits[f"{part}: {sample.source}"].append(told is not None)
        if told is None:
            missed.append(f"{part}: {sample.name} ({sample.label})")
        else:
            for moment, wait in waits(sample, told).items():
                delays[moment].append(wait)

    for sample in itertools.chain(mocap_falls(args.root), acted, every_film):
        score(sample, by_frame=True)
    for sample in itertools.chain(ordinary("test", args.root), (s for s in ordinary_train if s.source == "bnr")):
        score(sample, by_frame=False)

    def total(part: str) -> tuple[Sensitivity, FalseAlarms]:
        found = [one for name, some in hits.items() if name.startswith(part) for one in some]
        names = [name for name in hours if name.startswith(part)]
        return (
            sensitivity(f"{part}: all", found),
            false_alarms(f"{part}: all", sum(hours[n] for n in names), sum(alarms[n] for n in names)),
        )

    rows = [sensitivity(source, found) for source, found in hits.items()]
    parts = (TEST, FOLDS) if nets else (TEST,)
    rows += [total(part)[0] for part in parts]
    rates = [false_alarms(source, hours[source], alarms[source]) for source in sorted(hours)]
    seen = [name for name in hours if not name.endswith(">2d")]
    if nets:
        rates.append(false_alarms("all films", *_sums(hours, alarms, [name for name in seen if "film " in name])))
    rates.append(false_alarms("all but virtual cameras", *_sums(hours, alarms, seen)))
    rates += [total(part)[1] for part in parts]
    report(rows, rates, delays, missed, where)
    by_name = complaints(named)
    print(f"\n{'what users complain of':40}{'clips':>7}{'minutes':>9}{'alarms':>8}{'views':>7}{'alarms':>8}")
    for name, row in by_name.items():
        numbers = f"{row['clips']:7.0f}{row['minutes']:9.1f}{row['alarms']:8.0f}{row['views']:7.0f}"
        print(f"{name:40}{numbers}{row['view_alarms']:8.0f}")
    print("\nalarms in films of fights, in which people are thrown to the floor (not counted): " + "; ".join(fights))
    if args.json:
        out: dict[str, Any] = {
            "threshold": falling.least_probability(),
            "sensitivity": [asdict(row) for row in rows],
            "false_alarms": [asdict(row) for row in rates],
            "delays_s": delays,
            "complaints": by_name,
            "missed": missed,
            "false": where,
        }
        args.json.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


def report(
    rows: list[Sensitivity],
    rates: list[FalseAlarms],
    delays: dict[str, list[float]],
    missed: list[str],
    where: list[str],
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
    for moment, times in delays.items():
        middle, late = np.percentile(times, [50, 95])
        share = f"{np.mean(np.array(times) < LATEST):.2f} of {len(times)} below {LATEST} s"
        print(f"\nfrom the {moment} of a fall to its alarm: median {middle:.2f} s, 95 % within {late:.2f} s, {share}")
    print("\nmissed: " + "; ".join(missed))
    print("\nfalse alarms: " + "; ".join(where))


if __name__ == "__main__":
    sys.exit(main())
