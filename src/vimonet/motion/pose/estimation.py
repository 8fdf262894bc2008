"""From a video to one person's keypoints, and those as the JSON that every command reads."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.pose.people import PoseEstimator
from vimonet.motion.pose.tracking import Tracker, follow, smooth, to_even_times
from vimonet.utils.errors import InputError
from vimonet.video import Damage, Source, VideoInfo, frames, probe

MAX_RATE: Final = 30.0
"""Frames per second that are looked at; faster movement of a body is not seen in a video anyway."""

_MAX_SIDE = 1280
_SMOOTHING = 0.04  # seconds


@dataclass(frozen=True)
class Poses:
    """Keypoints of one person in a video.

    Attributes:
        points: float64 [T, K, 2], pixels, y down; NaN in frames where the person is not seen.
        confidence: float64 [T, K] in 0..1; 0 for a joint that is not seen.
        fps: frames/s, even in time.
        layout: a key of ``joint_names.LAYOUTS``.
        size: width and height of the picture the pixels belong to.
        people: how many people were followed in all.
        gaps: (start, end) in seconds of stretches without the person.
        estimator: name and settings of what found them.
        notes: a phrase each: gaps, other people, damage.
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
        """Share of the frames in which the person is seen."""
        return float((self.confidence > 0).any(axis=1).mean())

    def to_json(self) -> str:
        """Keypoint JSON: ``vimonet.motion.load`` reads it, pixels to a tenth."""
        rows: list[Any] = []
        for points, confidence in zip(self.points, self.confidence, strict=True):
            if not np.isfinite(points).all() or not (confidence > 0).any():
                rows.append(None)
                continue
            rows.append([[round(x, 1), round(y, 1), round(c, 3)] for (x, y), c in zip(points, confidence, strict=True)])
        record = {
            "fps": round(self.fps, 6),
            "format": self.layout,
            "dimensions": 2,
            "width": self.size[0],
            "height": self.size[1],
            "estimator": self.estimator,
            "people": self.people,
            "seen": round(self.seen, 3),
            "gaps": [[round(start, 3), round(end, 3)] for start, end in self.gaps],
            "notes": list(self.notes),
            "names": list(LAYOUTS[self.layout]),
            "frames": rows,
        }
        return json.dumps(record) + "\n"


def estimator_of(name: str | None = None) -> PoseEstimator:
    """An estimator by name: 'mediapipe' (the default), 'vitpose:MODEL' or 'vitpose:MODEL,DETECTOR' (folders, hub ids).

    ``$VIMONET_POSE`` stands in when no name is given.

    Raises:
        InputError: it is not known, or not installed.
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


def estimate(
    source: Source,
    estimator: Callable[[], PoseEstimator] | None = None,
    *,
    person: int = 1,
    max_rate: float = MAX_RATE,
    progress: bool = False,
) -> Poses:
    """Follow one person through a video.

    Args:
        source: a path, or the bytes of a file.
        estimator: makes one for this video; None = ``estimator_of``.
        person: 1 for the most prominent (large, central, long in view), 2 for the next ...
        max_rate: frames per second that are looked at, at most.
        progress: show a bar with the time that remains, on a terminal.

    Raises:
        InputError: not a readable video, nobody in view, or no such person.
    """
    from tqdm import tqdm

    info = probe(source)  # before anything slow is loaded: a bad file is told at once
    if max_rate <= 0 or person < 1:
        raise InputError(f"{info.name}: max_rate {max_rate:g} and person {person} must be positive.")
    step = max(1, int(np.ceil(info.fps / max_rate - 1e-3)))
    try:
        found = (estimator or estimator_of)()
    except InputError as error:
        raise InputError(f"{info.name}: {error}") from error
    tracker, damage, size = Tracker(info.fps / step), Damage(), (info.width, info.height)
    times: list[float] = []
    try:
        shots = frames(source, step=step, max_side=_MAX_SIDE, damage=damage)
        total = -(-info.frames // step)
        quiet = None if progress else True  # None: a bar on a terminal only
        for shot in tqdm(shots, total=total, unit="frame", desc=f"pose {info.name}", disable=quiet):
            size = (shot.image.shape[1], shot.image.shape[0])
            tracker.add(len(times), found.people(shot.image))
            times.append(shot.time)
    finally:
        found.close()
    return _one_person(tracker, np.array(times), info, size, found, person, (*info.notes(), *damage.notes()))


def unseen(notes: Iterable[str]) -> list[str]:
    """Of the notes of a recording, those that say what of the video was not seen, rather than how it was followed."""
    return [note for note in notes if any(mark in note for mark in _UNSEEN)]


_UNSEEN = ("breaks off", "damaged", "not seen at", "people in view")


def _one_person(
    tracker: Tracker,
    times: NDArray[np.float64],
    info: VideoInfo,
    size: tuple[int, int],
    estimator: PoseEstimator,
    person: int,
    damage: tuple[str, ...],
) -> Poses:
    shortest = min(0.5 * tracker.fps, len(times) / 2)  # a flicker of the detector is nobody
    tracks = [track for track in tracker.ranked(*size) if len(track.people) >= shortest]
    if not tracks:
        raise InputError(f"{info.name}: nobody is seen in its {info.frames} frames; give a video that shows a person.")
    if person > len(tracks):
        raise InputError(f"{info.name}: there is no person {person}; {len(tracks)} can be followed in it.")
    followed = follow(tracks[person - 1], len(times), tracker.fps)
    points, confidence, fps = followed.points, followed.confidence, tracker.fps
    notes = [f"keypoints estimated by {estimator.name.split(',')[0]}"]
    gaps = tuple((float(times[first]), float(times[last - 1]) + 1 / fps) for first, last in followed.gaps)
    if info.variable_rate:
        points, confidence = to_even_times(points, confidence, times, fps)
        notes.append(f"variable frame rate: made even at {fps:.4g} frames/s")
    points = smooth(points, confidence, _SMOOTHING * fps)
    if followed.filled:
        notes.append(f"{followed.filled} frames without detection interpolated")
    if gaps:
        notes.append("person not seen at " + ", ".join(f"{start:.1f}-{end:.1f} s" for start, end in gaps))
    if len(tracks) > 1:
        notes.append(f"{len(tracks)} people in view: person {person} by size, place and time in view is followed")
    return Poses(points, confidence, fps, estimator.layout, size, len(tracks), gaps, estimator.name, (*notes, *damage))
