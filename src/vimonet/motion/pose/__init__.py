"""Estimate the keypoints of a person in a video.

    poses = estimate("clip.mp4")             # 2D keypoints of the most prominent person
    motion = vimonet.motion.load("clip.mp4")  # the same as a Motion at 20 frames/s

Importing it loads no estimator.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.pose.tracking import Person, PoseEstimator, Track, Tracker, follow, smooth, to_even_times
from vimonet.utils.errors import InputError
from vimonet.utils.files import cache_folder, whole_file
from vimonet.utils.locks import turn_of
from vimonet.video import Damage, Source, VideoInfo, frames, probe

__all__ = [
    "MAX_RATE",
    "Person",
    "PoseEstimator",
    "Poses",
    "estimate",
    "estimate_people",
    "estimate_people_cached",
    "estimator_of",
    "everyone_json",
    "person_of",
    "unseen",
]

MAX_RATE: Final = 30.0
"""Most frames per second that are read; video hardly shows faster movement of a body."""

_MAX_SIDE = 1280
_SMOOTHING = 0.04  # seconds
_CACHE_VERSION = 5  # version of estimation and cache format; cached poses of other versions are ignored
_KEEP_DAYS = 30
_BRIEFEST = 0.5  # s in view; a briefer detection is no person
_HOLE = 0.5  # s between two pictures, from which the time between them is a gap


@dataclass(frozen=True)
class Poses:
    """Hold the keypoints of one person in a video.

    Attributes:
        points: float64 [T, K, 2], pixels to a tenth, y down; NaN in frames where the person is not seen.
        confidence: float64 [T, K] in 0..1, to a thousandth; 0 for a joint that is not seen.
        fps: frames/s, even in time.
        layout: a key of ``joint_names.LAYOUTS``.
        size: width and height of the frame the pixels belong to.
        people: number of people that were tracked.
        gaps: (start, end) of spans without the person, s.
        estimator: name and settings of the estimator.
        notes: phrases about gaps, other people and damage.
    """

    points: NDArray[np.float64]
    confidence: NDArray[np.float64]
    fps: float
    layout: str
    size: tuple[int, int]
    people: int
    gaps: tuple[tuple[float, float], ...]
    estimator: str
    notes: tuple[str, ...]

    @property
    def seen(self) -> float:
        """Share of the frames that show the person."""
        return float((self.confidence > 0).any(axis=1).mean())

    def summary(self) -> dict[str, Any]:
        """Summarise everything but the keypoints, JSON-ready."""
        return {
            "fps": round(self.fps, 6),
            "width": self.size[0],
            "height": self.size[1],
            "people": self.people,
            "seen": round(self.seen, 3),
            "gaps": [[round(start, 3), round(end, 3)] for start, end in self.gaps],
            "estimator": self.estimator,
            "notes": list(self.notes),
        }

    def to_json(self) -> str:
        """Write keypoint JSON, which `vimonet.motion.load` reads."""
        rows = np.concatenate([self.points, self.confidence[..., None]], axis=2)
        lost = ~np.isfinite(rows).all(axis=(1, 2))
        frames = [None if gone else row for gone, row in zip(lost, rows.tolist(), strict=True)]
        names = list(LAYOUTS[self.layout])
        record = {"format": self.layout, "dimensions": 2, **self.summary(), "names": names, "frames": frames}
        return json.dumps(record) + "\n"

    def save(self, path: Path) -> None:
        """Write a .npz file of the arrays and their description."""
        about = {key: value for key, value in asdict(self).items() if key not in ("points", "confidence")}
        with whole_file(path) as part:
            np.savez_compressed(part, points=self.points, confidence=self.confidence, about=json.dumps(about))

    @classmethod
    def open(cls, path: Path) -> Poses:
        """Read a file that `save` wrote, without unpickling.

        Raises:
            OSError, ValueError: the file is missing, truncated, or of another kind.
        """
        try:
            with np.load(path, allow_pickle=False) as kept:
                points, confidence, about = kept["points"], kept["confidence"], json.loads(str(kept["about"]))
            about["size"], about["notes"] = tuple(about["size"]), tuple(about["notes"])
            about["gaps"] = tuple((start, end) for start, end in about["gaps"])
            poses = cls(points, confidence, **about)
            joints = len(LAYOUTS[poses.layout])
        except (zipfile.BadZipFile, zlib.error, KeyError, TypeError, EOFError) as error:
            raise ValueError(f"{path}: no poses") from error
        whole = points.shape == (len(points), joints, 2) and confidence.shape == points.shape[:2] and poses.fps > 0
        if not whole or points.dtype != np.float64 or confidence.dtype != np.float64:
            raise ValueError(f"{path}: no poses")
        return poses


def estimator_of(name: str | None = None) -> PoseEstimator:
    """Build an estimator: 'mediapipe' (default), 'vitpose:MODEL' or 'vitpose:MODEL,DETECTOR' (folders, hub ids).

    The name defaults to ``$VIMONET_POSE``.

    Raises:
        InputError: the estimator is unknown or not installed.
    """
    name = name or os.environ.get("VIMONET_POSE") or "mediapipe"
    if name == "mediapipe":
        from vimonet.motion.pose.blazepose import BlazePose

        return BlazePose()
    kind, _, rest = name.partition(":")
    if kind == "vitpose" and rest:
        from vimonet.motion.pose.vitpose import ViTPose

        model, _, detector = rest.partition(",")
        return ViTPose(model, detector or None)
    raise InputError(f"pose estimator {name!r} is not known; give mediapipe, vitpose:MODEL or vitpose:MODEL,DETECTOR.")


def estimate_people(
    source: Source,
    estimator: Callable[[], PoseEstimator] | None = None,
    *,
    max_rate: float = MAX_RATE,
    progress: bool = False,
) -> list[Poses]:
    """Estimate the keypoints of everyone in a video, the most prominent person (large, central, long in view) first.

    Args:
        source: a path, or the bytes of a file.
        estimator: builds the estimator; None for `estimator_of`.
        max_rate: most frames per second to read.
        progress: show a progress bar on a terminal.

    Raises:
        InputError: not a readable video, or nobody in view.
    """
    from tqdm import tqdm

    info = probe(source)  # reports a bad file before anything slow is loaded
    if max_rate <= 0:
        raise InputError(f"{info.name}: max_rate {max_rate:g} must be positive.")
    step = max(1, int(np.ceil(info.fps / max_rate - 1e-3)))
    try:
        found = (estimator or estimator_of)()
    except InputError as error:
        raise InputError(f"{info.name}: {error}") from error
    tracker, damage, size = Tracker(info.fps / step), Damage(), (info.width, info.height)
    try:
        shots = frames(source, step=step, max_side=_MAX_SIDE, damage=damage)
        total = -(-info.frames // step)
        quiet = None if progress else True  # None: a bar on a terminal only
        for shot in tqdm(shots, total=total, unit="frame", desc=f"pose {info.name}", disable=quiet):
            size = (shot.image.shape[1], shot.image.shape[0])
            tracker.add(found.people(shot.image), shot.time)
    finally:
        found.close()
    shortest = min(_BRIEFEST, float(tracker.shown().sum()) / 2)
    tracks = [track for track in tracker.ranked(*size) if tracker.seconds(track) >= shortest - 1e-6]
    if not tracks:
        raise InputError(f"{info.name}: nobody is seen in its {info.frames} frames; give a video that shows a person.")
    notes = (*info.notes(), *damage.notes())
    return [
        _one_person(track, k + 1, len(tracks), np.array(tracker.times), info, info.fps / step, size, found, notes)
        for k, track in enumerate(tracks)
    ]


def estimate(
    source: Source,
    estimator: Callable[[], PoseEstimator] | None = None,
    *,
    person: int = 1,
    max_rate: float = MAX_RATE,
    progress: bool = False,
) -> Poses:
    """Estimate the keypoints of one person in a video; arguments as `estimate_people`.

    Args:
        source, estimator, max_rate, progress: as there.
        person: 1 for the most prominent person, 2 for the next ...

    Raises:
        InputError: not a readable video, nobody in view, or no such person.
    """
    return person_of(estimate_people(source, estimator, max_rate=max_rate, progress=progress), person, source)


def person_of(people: Sequence[Poses], person: int, source: Source) -> Poses:
    """Choose a person by number, from 1.

    Raises:
        InputError: there is no such person.
    """
    if not 1 <= person <= len(people):
        name = "the video" if isinstance(source, bytes) else Path(source).name
        raise InputError(f"{name}: there is no person {person}; {len(people)} can be followed in it.")
    return people[person - 1]


def estimate_people_cached(
    source: Source,
    estimator: str | None = None,
    *,
    max_rate: float = MAX_RATE,
    remember: bool = True,
    progress: bool = False,
) -> list[Poses]:
    """Do as `estimate_people`, with a cache of results by the content of files.

    Args:
        source: a path, or the bytes of a file.
        estimator: name for `estimator_of`.
        max_rate: most frames per second to read.
        remember: whether to read and write the cache.
        progress: show a progress bar on a terminal.

    Raises:
        InputError: as `estimate_people`, or the estimator is not installed.
    """
    name = estimator or os.environ.get("VIMONET_POSE") or "mediapipe"
    path = _cache_path(source, name, max_rate) if remember else None
    if path is not None:
        with contextlib.suppress(OSError, ValueError):
            return _kept(path)

    def made() -> list[Poses]:
        return estimate_people(source, lambda: estimator_of(name), max_rate=max_rate, progress=progress)

    if path is None or not _has_folder(path):
        return made()
    with turn_of(path) as waited:
        if waited:  # for a process that was estimating the same
            with contextlib.suppress(OSError, ValueError):
                return _kept(path)
        people = made()
        for k in range(len(people), 0, -1):  # the first last: it says how many there are
            _keep(_of_person(path, k), people[k - 1])
        return people


def _kept(path: Path) -> list[Poses]:
    """Open everyone's poses of the cache."""
    first = Poses.open(_of_person(path, 1))
    return [first, *(Poses.open(_of_person(path, k)) for k in range(2, first.people + 1))]


def _has_folder(path: Path) -> bool:
    """Make the folder of the cache; False where that is not possible."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path.parent.is_dir()


def _of_person(path: Path, person: int) -> Path:
    return path.with_name(f"{path.stem}-{person}{path.suffix}")


def everyone_json(people: Sequence[Poses]) -> str:
    """Write keypoint JSON of everyone, numbered from 1, which `vimonet.motion.load_people` reads."""
    frames: list[dict[str, Any]] = [{"people": []} for _ in people[0].points]
    for number, poses in enumerate(people, start=1):
        rows = np.concatenate([poses.points, poses.confidence[..., None]], axis=2)
        for frame in np.flatnonzero(np.isfinite(rows).all(axis=(1, 2))):
            frames[frame]["people"].append({"person_id": number, "keypoints": rows[frame].tolist()})
    layout, summary = people[0].layout, people[0].summary()
    about = {key: summary[key] for key in ("fps", "width", "height", "estimator")}
    record = {"format": layout, "dimensions": 2, **about, "names": list(LAYOUTS[layout]), "frames": frames}
    return json.dumps(record) + "\n"


def _cache_path(source: Source, estimator: str, max_rate: float) -> Path | None:
    """Build the path of the cached poses of a video; None without a home folder."""
    if isinstance(source, bytes):
        digest = hashlib.sha256(source)
    else:
        probe(source)  # reports a file that is not a video
        with Path(source).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256")
    weights = [
        (file.name, file.stat().st_size, file.stat().st_mtime_ns)
        for folder in estimator.partition(":")[2].split(",")
        if folder and Path(folder).is_dir()
        for file in sorted(Path(folder).iterdir())
    ]
    digest.update(json.dumps([_CACHE_VERSION, estimator, weights, max_rate]).encode())
    try:
        return cache_folder() / "poses" / f"{digest.hexdigest()[:40]}.npz"
    except (OSError, RuntimeError):
        return None


def _keep(path: Path, poses: Poses) -> None:
    """Write poses to the cache and delete old files; do nothing if the folder is not writable."""
    with contextlib.suppress(OSError):
        for old in path.parent.iterdir():
            if old.stat().st_mtime < time.time() - _KEEP_DAYS * 86400:
                old.unlink(missing_ok=True)
        poses.save(path)


def unseen(notes: Iterable[str]) -> list[str]:
    """Choose the notes about parts of a video that were not seen."""
    return [note for note in notes if any(mark in note for mark in _UNSEEN)]


_UNSEEN = ("breaks off", "damaged", "not seen at", "no pictures at", "people in view")


def _one_person(
    track: Track,
    person: int,
    people: int,
    times: NDArray[np.float64],
    info: VideoInfo,
    fps: float,
    size: tuple[int, int],
    estimator: PoseEstimator,
    damage: tuple[str, ...],
) -> Poses:
    followed = follow(track, times)
    points, confidence = followed.points, followed.confidence
    notes = [f"keypoints estimated by {estimator.name.split(',')[0]}"]
    unseen_at = tuple((float(times[first]), float(times[last - 1]) + 1 / fps) for first, last in followed.gaps)
    gaps = unseen_at
    if info.variable_rate:
        steps = np.diff(times)
        holes = [(times[k], times[k + 1]) for k in np.flatnonzero(steps > max(_HOLE, 3 * float(np.median(steps))))]
        fps = 1 / float(np.median(steps)) if holes else fps  # the mean rate counts the time without pictures
        points, confidence = to_even_times(points, confidence, times, fps)
        notes.append(f"variable frame rate: made even at {fps:.4g} frames/s")
        even = np.arange(len(points)) / fps
        for start, end in holes:  # nothing is known of a time without pictures: no movement is made up
            inside = (even > start + 0.5 / fps) & (even < end - 0.5 / fps)
            points[inside], confidence[inside] = np.nan, 0.0
        gaps += tuple((float(start), float(end)) for start, end in holes)
        if holes:
            notes.append("no pictures at " + ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in holes))
    points = smooth(points, confidence, _SMOOTHING * fps)
    if followed.filled:
        notes.append(f"{followed.filled} frames without detection interpolated")
    if unseen_at:
        notes.append("person not seen at " + ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in unseen_at))
    if people > 1:
        notes.append(f"{people} people in view: person {person} by size, place and time in view is followed")
    points, confidence = np.round(points, 1), np.round(confidence, 3)
    lost = ~(np.isfinite(points).all(axis=(1, 2)) & (confidence > 0).any(axis=1))
    points[lost], confidence[lost] = np.nan, 0.0
    return Poses(
        points, confidence, round(fps, 6), estimator.layout, size, people, gaps, estimator.name, (*notes, *damage)
    )
