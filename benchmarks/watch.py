"""Watch a 720p film as a camera would show it: frames/s, drops, delay from a frame to its events; and a whole day.

    python -m benchmarks.watch [--film FILE] [--seconds 60]     # needs the extra pose
    python -m benchmarks.watch --day [--hours 24] [--fps 5]     # needs no extra: poses, memory every hour

The film (default: the embedded sample) is repeated and scaled to 1280 x 720 at 25 frames/s. First every frame is
looked at as fast as the machine can: the ratio is frames/s of the watch to the 25 of the camera, beside pose estimation
alone on the same pictures; then with the poses of a camera, fewer than its frames. Processor
time per second of film hardly depends on what else the machine does: below the number of cores, the watch can keep up.
Then it is shown at its speed, where drops count. A day is replayed as fast as the machine can through the detectors,
rules and a log: every 150 s somebody comes for 30 s, walks, falls, waves, squats, lies down ..., the camera fails every
20 minutes, and its clock is set back every 6 hours.
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.generated_poses import GeneratedPoses
from vimonet.motion import Motion
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.pose import estimator_of
from vimonet.motion.projection import project
from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.samples import SAMPLES
from vimonet.video import frames
from vimonet.watch.alarms import Alarms
from vimonet.watch.detectors import detectors_for
from vimonet.watch.loop import POSE_EVERY, Summary, Watch
from vimonet.watch.readings import PoseReading, SeenPerson, SourceOptions
from vimonet.watch.rules import parse_rules
from vimonet.watch.sinks import build_sinks
from vimonet.watch.sources import source_of

WIDTH, HEIGHT, RATE = 1280, 720, 25


def detectors() -> list[Any]:
    """Build the detectors that `vimonet watch` runs without rules."""
    return list(detectors_for(None))


def counts_of(done: Summary) -> dict[str, Any]:
    """Write what a watch did as JSON-ready numbers."""
    return {
        "frames": done.given,
        "looked_at": done.looked_at,
        "estimated": done.estimated,
        "dropped": done.dropped,
        "late": done.late,
        "unreadable": done.unreadable,
        "people": done.people,
        "seconds": round(done.seconds, 3),
        "events": dict(done.events),
        "lag_median_s": round(float(np.median(done.lags)), 4) if done.lags else None,
        "lag_p95_s": round(float(np.percentile(done.lags, 95)), 4) if done.lags else None,
    }


def make(film: Path, path: Path, seconds: float) -> None:
    """Repeat a film forwards and backwards, at 720p and 25 frames/s, for some seconds."""
    shots = [shot.image for shot in frames(film, max_side=WIDTH)]
    order = [*range(len(shots)), *range(len(shots) - 2, 0, -1)]
    with av.open(str(path), "w") as file:
        stream = file.add_stream("libx264", rate=RATE, options={"preset": "veryfast", "crf": "23"})
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = WIDTH, HEIGHT, "yuv420p", 2 * RATE
        for number in range(round(seconds * RATE)):
            frame = av.VideoFrame.from_ndarray(_letterboxed(shots[order[number % len(order)]]), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, RATE)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def _letterboxed(image: np.ndarray) -> np.ndarray:
    scale = min(WIDTH / image.shape[1], HEIGHT / image.shape[0])
    width, height = int(image.shape[1] * scale) // 2 * 2, int(image.shape[0] * scale) // 2 * 2
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(width=width, height=height)
    whole = np.full((HEIGHT, WIDTH, 3), 40, np.uint8)
    top, left = (HEIGHT - height) // 2, (WIDTH - width) // 2
    whole[top : top + height, left : left + width] = frame.to_ndarray(format="rgb24")
    return whole


def estimation_alone(path: Path) -> float:
    """Measure frames/s of decoding and pose estimation without a watch."""
    estimator = estimator_of()
    begun, count = time.perf_counter(), 0
    for shot in frames(path):
        estimator.people(shot.image)
        count += 1
    estimator.close()
    return count / (time.perf_counter() - begun)


def run(path: Path, speed: float | None, pose_every: float | None = None) -> dict[str, Any]:
    """Watch the film; say how fast, what was dropped, how long events took, and the processor time of a second."""
    watch = Watch(source_of(str(path), SourceOptions(once=True)), detectors(), speed=speed, pose_every=pose_every)
    begun, worked = time.perf_counter(), time.process_time()
    delays: dict[str, list[float]] = {}
    for event in watch.events():
        if watch.clock is not None and event.end is None:
            delays.setdefault(event.kind, []).append(watch.clock - event.time)
    seconds = time.perf_counter() - begun
    found = counts_of(watch.summary)
    found["processor_s_per_film_s"] = round((time.process_time() - worked) / max(found["seconds"], 1e-6), 3)
    found["frames_per_s"] = round(found["looked_at"] / seconds, 1)
    found["reported_after_s"] = {kind: round(max(late), 2) for kind, late in delays.items()}
    return found


ACTS = ("walk", "fall get_up", "wave", "raise_hand", "squats", "sit_down", "lie_down", "bow bow", "crouch", "walk walk")
"""What the visitors of a day do, one after the other; some are seen through another virtual camera each time."""
VISIT, EVERY = 30.0, 150.0  # s that a visitor stays, s from one to the next


def keypoints(acts: str, seed: int) -> tuple[np.ndarray, float]:
    """Generate what a visitor does, as COCO keypoints [T, 17, 3] in a picture of 1280 x 720, and frames/s."""
    from research.vimos_open.synthesis import generate

    parts: list[np.ndarray] = []
    for action in acts.split():
        joints = generate(action, seed=seed)[0].joints
        if parts:
            joints = joints + (parts[-1][-1, 0] - joints[0, 0]) * np.array([1, 0, 1], np.float32)
        parts.append(joints)
    flat = project(Motion(np.concatenate(parts), fps=20.0), float(37 * seed % 360), 10.0, 5.0)
    names = [name if name in JOINT_NAMES else "head" for name in LAYOUTS["coco17"]]
    points = flat.joints[:, [JOINT_NAMES.index(name) for name in names], :2] * (200.0, -200.0) + (640.0, 500.0)
    return np.concatenate([points, np.full((*points.shape[:2], 1), 0.9)], axis=2), flat.fps


class Day(GeneratedPoses):
    """Give the poses of a day: visitors come, act and go; the stream stops and its clock goes back at times."""

    live = False
    name = "a day"

    def __init__(self, hours: float, fps: float) -> None:
        super().__init__()
        self.hours, self.fps = hours, fps
        self._clips = [keypoints(acts, seed) for seed in (1, 2) for acts in ACTS]

    def readings(self) -> Iterator[PoseReading]:
        """Give the visits of the day."""
        rng = np.random.default_rng(0)
        set_back = 0.0
        for number in range(int(self.hours * 3600 * self.fps)):
            at = number / self.fps
            if number and at % 21600 < 1 / self.fps:
                set_back += 3600.0
            if at % 1200 < 8 and at > 8:  # the camera fails
                continue
            people = []
            visit, since = divmod(at, EVERY)
            for second in range(1 + (int(visit) % 4 == 0)):  # every fourth visitor has company
                if since < VISIT:
                    points, rate = self._clips[(int(visit) + 7 * second) % len(self._clips)]
                    now = points[int(since * rate) % len(points)] + (300.0 * second, 0.0, 0.0)
                    people.append(SeenPerson(now + rng.normal(0, 1, (17, 3)) * (1.0, 1.0, 0.0)))
            yield PoseReading(at - set_back, tuple(people), {"names": LAYOUTS["coco17"], "size": (1280, 720)})


RULES = """
rules:
  - {event: fall}
  - {event: lying_still}
  - {event: not_moving, duration: 5}
  - {event: out_of_bed, zone: [0.3, 0.3, 0.6, 1.0]}
  - {event: raised_hand}
  - {event: waving}
  - {event: repetition, exercise: squat, cool_down: 0}
sinks:
  log: {kind: jsonl, path: PATH}
"""


@dataclass
class Hour:
    """Hold what a process holds at an hour of the source's clock."""

    hour: float
    memory_mb: float
    threads: int
    files: int
    objects: int
    people: int  # whose windows the detectors keep
    open_events: int


def day(hours: float, fps: float, detecting: bool, every: float = 3600.0) -> dict[str, Any]:
    """Replay a day and measure memory, threads, open files, objects and kept people every hour."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "alarms.jsonl"
        rules = parse_rules(RULES.replace("PATH", str(log)))
        working = detectors_for(rules) if detecting else []
        alarms = Alarms(rules.rules, build_sinks(rules), live=False)
        watch = Watch(Day(hours, fps), working, on_frame=[alarms.frame])
        begun, rows, reports, following = time.perf_counter(), [], 0, every / 2
        latest = 0.0

        def look(at: float) -> None:
            gc.collect()
            kept = sum(len(getattr(detector, "_people", ())) for detector in working)
            row = Hour(at / 3600, _memory(), threading.active_count(), _open_files(), len(gc.get_objects()), kept, 0)
            row.open_events = len(alarms._open)
            rows.append(row)
            print(" ".join(f"{key} {round(value, 2)}" for key, value in asdict(row).items()), flush=True)

        for event in watch.events():
            alarms.event(event)
            reports += 1
            latest = max(latest, watch.clock or 0.0)
            if latest >= following:
                look(latest)
                following += every
        alarms.close()
        raised = len(log.read_text().splitlines()) if log.exists() else 0
    seconds = time.perf_counter() - begun
    assert hours < 0.5 or (watch.summary.events["source_lost"] and watch.summary.events["fall"])
    assert hours <= 6 or watch.summary.events["clock_jumped"]
    return {
        "hours": hours,
        "replayed_in_s": round(seconds, 1),
        "times_faster_than_life": round(3600 * hours / seconds, 1),
        "every_hour": [asdict(row) for row in rows],
        "growth_after_first_hour": {
            key: round(getattr(rows[-1], key) - getattr(rows[min(1, len(rows) - 1)], key), 1)
            for key in ("memory_mb", "threads", "files", "objects", "people", "open_events")
        }
        if rows
        else None,
        "reports": reports,
        "lines_of_the_log": raised,
        **counts_of(watch.summary),
    }


def _memory() -> float:
    """Measure the memory that this process holds now, MB."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def _open_files() -> int:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.is_dir() else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--film", type=Path, help="a film with one person (default: the embedded sample)")
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the repeated film (default: 60)")
    parser.add_argument("--day", action="store_true", help="replay a day of poses instead")
    parser.add_argument("--hours", type=float, default=24.0, help="length of the day (default: 24)")
    parser.add_argument("--fps", type=float, default=5.0, help="frames per second of the day (default: 5)")
    parser.add_argument("--no-detectors", action="store_true", help="a day of the source, people and health alone")
    parser.add_argument("--json", action="store_true", help="print JSON")
    args = parser.parse_args()
    if args.day:
        found = day(args.hours, args.fps, not args.no_detectors)
    else:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "camera.mp4"
            make(args.film or SAMPLES / "wave_right.mp4", path, args.seconds)
            alone = estimation_alone(path)
            fast, spaced, camera = run(path, None), run(path, None, POSE_EVERY), run(path, 1.0)
        found = {
            "pose_estimation_alone_frames_per_s": round(alone, 1),
            "watch_frames_per_s": fast["frames_per_s"],
            "watch_frames_per_s_with_the_poses_of_a_camera": spaced["frames_per_s"],
            "processor_s_per_film_s": {
                "a pose in every frame": fast["processor_s_per_film_s"],
                "the poses of a camera": spaced["processor_s_per_film_s"],
            },
            "watch_over_camera": round(fast["frames_per_s"] / RATE, 2),
            "watch_over_estimation_alone": round(fast["frames_per_s"] / alone, 2),
            "at_its_speed": camera,
        }
    print(json.dumps(found) if args.json else "\n".join(f"{key}: {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
