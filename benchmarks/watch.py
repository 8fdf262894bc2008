"""Watch a 720p film as a camera would show it: frames/s, drops, delay from a frame to its events; and a whole day.

    python benchmarks/watch.py [--film FILE] [--seconds 60]     # needs the extra pose
    python benchmarks/watch.py --day [--hours 24] [--fps 10]    # needs no extra: poses, memory every hour

The film (default: the embedded sample) is repeated and scaled to 1280 x 720 at 25 frames/s. First every frame is
looked at as fast as the machine can: the ratio is frames/s of the watch to the 25 of the camera, beside pose estimation
alone on the same pictures. Then it is shown at its speed, where drops count. A day is replayed as fast as the machine
can, with people who come and go, a camera that fails every 20 minutes and a clock that is set back every 6 hours.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.pose import estimator_of
from vimonet.samples import SAMPLES
from vimonet.video import frames
from vimonet.watch.detectors import detectors_for
from vimonet.watch.loop import Watch
from vimonet.watch.readings import PoseReading, SeenPerson, SourceEnded, SourceOptions
from vimonet.watch.sources import source_of

WIDTH, HEIGHT, RATE = 1280, 720, 25


def detectors() -> list[Any]:
    """Build the detectors that `vimonet watch` runs without rules."""
    return list(detectors_for(None))


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


def run(path: Path, speed: float | None) -> dict[str, Any]:
    """Watch the film; say how fast, what was dropped, and how long events took."""
    watch = Watch(source_of(str(path), SourceOptions(once=True)), detectors(), speed=speed)
    begun = time.perf_counter()
    delays: dict[str, list[float]] = {}
    for event in watch.events():
        if watch.clock is not None and event.end is None:
            delays.setdefault(event.kind, []).append(watch.clock - event.time)
    seconds = time.perf_counter() - begun
    found = watch.summary.to_dict()
    found["frames_per_s"] = round(found["looked_at"] / seconds, 1)
    found["reported_after_s"] = {kind: round(max(late), 2) for kind, late in delays.items()}
    return found


class Day:
    """Give the poses of a day: people come, move, sit and go; the stream stops and its clock goes back at times."""

    live = pictures = endless = False
    name = "a day"

    def __init__(self, hours: float, fps: float) -> None:
        self.hours, self.fps = hours, fps
        self._readings: Iterator[PoseReading] = iter(())

    def open(self) -> None:
        """Begin the day."""
        self._readings = self._day()

    def read(self) -> PoseReading:
        """Give the next moment."""
        found = next(self._readings, None)
        if found is None:
            raise SourceEnded
        return found

    def close(self) -> None:
        """Do nothing."""

    def _day(self) -> Iterator[PoseReading]:
        rng = np.random.default_rng(0)
        body = np.array(
            [
                *((0.5, 0.05), (0.55, 0.0), (0.45, 0.0), (0.6, 0.05), (0.4, 0.05), (0.8, 0.2), (0.2, 0.2), (0.95, 0.4)),
                *((0.05, 0.4), (1.0, 0.55), (0.0, 0.55), (0.7, 0.55), (0.3, 0.55), (0.7, 0.78), (0.3, 0.78)),
                *((0.7, 1.0), (0.3, 1.0)),
            ]
        )
        set_back = 0.0
        for number in range(int(self.hours * 3600 * self.fps)):
            at = number / self.fps
            if number and at % 21600 < 1 / self.fps:
                set_back += 3600.0
            if at % 1200 < 8 and at > 8:  # the camera fails
                continue
            people = []
            for person in range(2):
                turn = (at + 150 * person) % 300  # 5 minutes: comes, stays, goes
                if turn < 200:
                    left = 1280 * turn / 20 if turn < 10 else 640 - 640 * (turn - 190) / 10 if turn > 190 else 640
                    high = 200 if 60 < turn < 120 else 360
                    points = body * (120, high) + (left - 60 + 20 * np.sin(at), 640 - high)
                    people.append(SeenPerson(np.column_stack([points + rng.normal(0, 1, (17, 2)), np.full(17, 0.9)])))
            yield PoseReading(at - set_back, tuple(people), {"names": LAYOUTS["coco17"], "size": (1280, 720)})


def day(hours: float, fps: float, detecting: bool) -> dict[str, Any]:
    """Replay a day and measure memory, threads and open files every hour."""
    watch = Watch(Day(hours, fps), detectors() if detecting else [])
    begun, rows, events = time.perf_counter(), [], 0
    stop = threading.Event()

    def look() -> None:
        following = 0.0
        while not stop.wait(0.2):
            clock = watch.clock
            if clock is not None and clock >= following:
                rows.append((clock / 3600, _memory(), threading.active_count(), _open_files()))
                hour, memory, threads, files = rows[-1]
                print(f"hour {hour:5.1f}: {memory:7.1f} MB, {threads} threads, {files} files", flush=True)
                following += 3600

    looker = threading.Thread(target=look, daemon=True)
    looker.start()
    for _ in watch.events():
        events += 1
    stop.set()
    looker.join()
    seconds = time.perf_counter() - begun
    assert watch.summary.events["source_lost"] and (hours <= 6 or watch.summary.events["clock_jumped"])
    settled = [memory for hour, memory, *_ in rows if hour >= min(1.0, hours / 4)]
    return {
        "hours": hours,
        "replayed_in_s": round(seconds, 1),
        "times_faster_than_life": round(3600 * hours / seconds, 1),
        "memory_mb": [round(memory, 1) for _, memory, *_ in rows],
        "growth_after_first_hour_mb": round(settled[-1] - settled[0], 1) if settled else None,
        "reports": events,
        **watch.summary.to_dict(),
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
    parser.add_argument("--fps", type=float, default=10.0, help="frames per second of the day (default: 10)")
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
            fast, camera = run(path, None), run(path, 1.0)
        found = {
            "pose_estimation_alone_frames_per_s": round(alone, 1),
            "watch_frames_per_s": fast["frames_per_s"],
            "watch_over_camera": round(fast["frames_per_s"] / RATE, 2),
            "watch_over_estimation_alone": round(fast["frames_per_s"] / alone, 2),
            "at_its_speed": camera,
        }
    print(json.dumps(found) if args.json else "\n".join(f"{key}: {value}" for key, value in found.items()))


if __name__ == "__main__":
    main()
