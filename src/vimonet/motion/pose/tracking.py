"""Track people from frame to frame, rank them by prominence, and interpolate short gaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

_SAME = 0.1  # largest distance between detections of one person in two frames, body sizes ...
_PER_SECOND = 1.5  # ... plus this per second between the frames (about 3 m/s) ...
_FURTHEST = 0.7  # ... up to this limit
_ALONE = 0.5  # as _SAME, if only one person is and was in view
_TAKEN_UP = 0.25  # as _SAME, to join a track to the only possible continuation
_SHRINKS = 0.5  # least ratio of sizes between two frames
_SPEED_KEPT = 0.7  # of the speed so far, against that of the newest frame
_GOES_ON = 0.4  # seconds for which a person who is not seen goes on at the speed so far
_FORGET = 0.7  # seconds after which a track is closed; later appearances are joined afterwards
_SHARED = 0.15  # largest share of the shorter track's frames that two tracks of one person may share
_JOIN = 3.0  # longest gap over which closed tracks are joined, s
_POINT = 0.25  # least size of a person to measure distances by
_FILL = 0.3  # longest gap that is interpolated, s


@dataclass(frozen=True, eq=False)
class Person:
    """Hold the keypoints of a person in one frame.

    Attributes:
        points: float [K, 2], pixels from the top left corner (a watch also follows [K, 3] in metres).
        confidence: float [K] in 0..1; 0 for a joint that is not seen.
    """

    points: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @property
    def box(self) -> NDArray[np.float64]:
        """Left, top, right, bottom [4] of the seen joints (of all joints if fewer than two are seen); in 3D [6]."""
        seen = self.points[self.confidence > 0]
        points = seen if len(seen) >= 2 else self.points
        return np.concatenate([points.min(axis=0), points.max(axis=0)])

    @property
    def size(self) -> float:
        """Diagonal of the box, pixels."""
        low, high = self.box.reshape(2, -1)
        return float(np.linalg.norm(high - low))


class PoseEstimator(Protocol):
    """Find people in the frames of one video, given in order.

    Attributes:
        name: name with version and settings, a key of the cache.
        layout: a key of ``joint_names.LAYOUTS``, the layout of the K points of every person.
    """

    name: str
    layout: str

    def people(self, image: NDArray[np.uint8]) -> list[Person]:
        """Find the people in the next frame, uint8 [H, W, 3] (RGB), in any order."""
        ...

    def close(self) -> None:
        """Free the resources."""
        ...


def apart(a: Person, b: Person) -> float:
    """Measure the distance between two detections in sizes of the larger one.

    It is the mean distance of the joints seen in both, or that of the boxes' corners if this is less: an estimator that
    confuses front and back moves the joints but not the box. It is infinite if no joint is seen in both.
    """
    both = (a.confidence > 0) & (b.confidence > 0)
    if not both.any():
        return float("inf")
    joints = np.linalg.norm(a.points[both] - b.points[both], axis=1).mean()
    corners = np.linalg.norm((a.box - b.box).reshape(2, -1), axis=1).mean()
    return float(min(joints, corners)) / max(a.size, b.size, _POINT)


def relative_size(a: Person, b: Person) -> float:
    """Compute size of the first / size of the second, by the joints seen in both; 0 when they are fewer than three."""
    both = (a.confidence > 0) & (b.confidence > 0)
    if np.count_nonzero(both) < 3:
        return 0.0
    spread_a, spread_b = (float(np.linalg.norm(person.points[both].std(axis=0))) for person in (a, b))
    return spread_a / max(spread_b, 1e-9)


@dataclass(eq=False)
class Track:
    """Hold one person through a video: {frame number: person}, and the speed so far, pixels a second [2]."""

    people: dict[int, Person] = field(default_factory=dict)
    speed: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    @property
    def first(self) -> int:
        """First frame."""
        return min(self.people)

    @property
    def last(self) -> int:
        """Last frame."""
        return max(self.people)

    def see(self, frame: int, person: Person, seconds: float) -> None:
        """Add a sighting, so many seconds after the last one."""
        before = self.people[self.last]
        both = (before.confidence > 0) & (person.confidence > 0)
        if both.any():
            step = np.median(person.points[both] - before.points[both], axis=0) / max(seconds, 1e-6)
            self.speed = _SPEED_KEPT * self.speed + (1 - _SPEED_KEPT) * step
        self.people[frame] = person


class Tracker:
    """Build tracks from people given frame by frame; all spans are measured in time, since frames may come unevenly.

    Args:
        fps: usual frames/s.
    """

    def __init__(self, fps: float) -> None:
        self.usual = 1.0 / fps
        self.times: list[float] = []
        self.tracks: list[Track] = []
        self._shown = self._crowded = 0  # frames that show anybody, and more than one

    def add(self, people: list[Person], time: float) -> None:
        """Add the people of the next frame; each goes on with the track that leads nearest, or begins one.

        Args:
            people: in any order.
            time: of the frame, s.
        """
        frame = len(self.times)
        self.times.append(time)
        self._shown += len(people) > 0
        self._crowded += len(people) > 1
        open_tracks = [track for track in self.tracks if self._is_open(track, frame)]
        before = [(track.people[track.last], time - self.times[track.last]) for track in open_tracks]
        taken = pair(people, before, [track.speed for track in open_tracks])
        for number, index in taken.items():
            open_tracks[index].see(frame, people[number], before[index][1])
        self.tracks += [Track({frame: person}) for number, person in enumerate(people) if number not in taken]

    def _is_open(self, track: Track, frame: int) -> bool:
        """Test whether a track may go on: not unseen for long, or seen in the last picture, if that is not long ago."""
        away = self.times[frame] - self.times[track.last]
        return away <= _FORGET + 1e-6 or (track.last == frame - 1 and away <= _JOIN)

    def ranked(self, width: int, height: int) -> list[Track]:
        """Join tracks of the same person over gaps, and sort them by prominence (large, central, long in view)."""
        shown = self.shown()
        tracks = sorted(self.tracks, key=lambda track: -prominence(track, width, height, shown))
        joined: list[Track] = []
        while tracks:
            track = tracks.pop(0)
            while (other := self._continuation(track, tracks)) is not None:
                tracks.remove(other)
                track = Track({**other.people, **track.people})
            joined.append(track)
        return sorted(joined, key=lambda track: -prominence(track, width, height, shown))

    def shown(self) -> NDArray[np.float64]:
        """Compute for how long each frame is shown, s [T]; a hole in time shows nothing."""
        if len(self.times) < 2:
            return np.full(len(self.times), self.usual)
        steps = np.diff(self.times)
        return np.minimum(np.append(steps, np.median(steps)), max(self.usual, _FILL))

    def seconds(self, track: Track) -> float:
        """Compute for how long a track is in view, s."""
        return float(self.shown()[list(track.people)].sum())

    def _continuation(self, track: Track, others: list[Track]) -> Track | None:
        """Find the nearest track that could be the same person before, after, or within gaps of this one."""
        best, nearest = None, float("inf")
        # If hardly a frame shows two people, another appearance is the same person.
        limit, least = (_ALONE, 0.4) if self._crowded <= 0.1 * self._shown else (_TAKEN_UP, 0.6)
        for other in others:
            # The last frames of a track may overlap its continuation.
            shared = len(track.people.keys() & other.people.keys())
            if shared > _SHARED * min(len(track.people), len(other.people)):
                continue
            early, late = sorted((track, other), key=lambda one: one.first)
            before = max((frame for frame in early.people if frame < late.first), default=early.first)
            gap = self.times[late.first] - self.times[before]
            a, b = early.people[before], late.people[late.first]
            distance = apart(a, b)
            alike = least <= relative_size(a, b) <= 1 / least
            if alike and gap <= _JOIN and distance <= max(limit, _reach(gap)) and distance + gap < nearest:
                best, nearest = other, distance + gap
        return best


def pair(
    people: list[Person], before: list[tuple[Person, float]], speeds: Sequence[NDArray[np.float64]] = ()
) -> dict[int, int]:
    """Find who of the people seen now is who of those seen before: the nearest first, each once.

    Args:
        people: in this frame.
        before: each as last seen, and how many seconds ago.
        speeds: pixels a second [2] of each of them; who cross are told apart by where they were going.

    Returns:
        {index into ``people``: index into ``before``}; who is not in it is new.
    """
    # One person, one track: the joints of a close-up come and go.
    alone = _ALONE if len(people) == len(before) == 1 else 0.0
    pairs = []
    for number, person in enumerate(people):
        for index, (earlier, seconds) in enumerate(before):
            # A body of half the size is a misdetected hand, or another person.
            if 0 < relative_size(person, earlier) < _SHRINKS or 0 < relative_size(earlier, person) < _SHRINKS:
                continue
            distance = near = apart(earlier, person)
            if len(speeds):
                going = earlier.points + speeds[index] * min(seconds, _GOES_ON)
                distance = apart(Person(going, earlier.confidence), person)
            if min(near, distance) <= max(alone, _reach(seconds)):
                pairs.append((distance, number, index))
    taken: dict[int, int] = {}
    for _, number, index in sorted(pairs):
        if number not in taken and index not in taken.values():
            taken[number] = index
    return taken


def _reach(seconds: float) -> float:
    return min(_SAME + _PER_SECOND * seconds, _FURTHEST)


def prominence(track: Track, width: int, height: int, shown: NDArray[np.float64]) -> float:
    """Sum size x nearness to the middle x confidence over the time in view; ``shown`` is each frame's, s."""
    total = 0.0
    for frame, person in track.people.items():
        box = person.box
        middle = (box[:2] + box[2:]) / 2
        off = np.linalg.norm((middle - (width / 2, height / 2)) / (width, height))  # 0 middle .. 0.71 corner
        size = person.size / np.hypot(width, height)
        total += size * max(0.1, 1 - float(off)) * float(person.confidence.mean()) * float(shown[frame])
    return total


@dataclass(frozen=True)
class Followed:
    """Hold one person through every frame.

    Attributes:
        points: float64 [T, K, 2] pixels; NaN in frames where the person is not seen.
        confidence: float64 [T, K]; 0 where a joint is not seen.
        gaps: (first frame, frame after the last) of spans without the person that were not interpolated.
        filled: number of interpolated frames.
    """

    points: NDArray[np.float64]
    confidence: NDArray[np.float64]
    gaps: tuple[tuple[int, int], ...]
    filled: int


def follow(track: Track, times: Sequence[float] | NDArray[np.float64]) -> Followed:
    """Turn a track into arrays; interpolate short gaps at half the confidence beside them, list longer ones.

    Args:
        track: one person.
        times: of all frames, s.
    """
    frames = len(times)
    longest = _FILL + (1.001 * float(np.median(np.diff(times))) if frames > 1 else 0.0)
    shape = next(iter(track.people.values())).points.shape
    points, confidence = np.full((frames, *shape), np.nan), np.zeros((frames, shape[0]))
    for frame, person in track.people.items():
        points[frame], confidence[frame] = person.points, person.confidence
    known = np.array(sorted(track.people))
    gaps: list[tuple[int, int]] = []
    filled = 0
    edges = [-1, *known.tolist(), frames]
    for before, after in pairwise(edges):
        missing = after - before - 1
        if not missing:
            continue
        if before < 0 or after == frames or times[after] - times[before] > longest:
            gaps.append((before + 1, after))
            continue
        inside = np.asarray(times[before + 1 : after]) - times[before]
        share = inside[:, None, None] / max(times[after] - times[before], 1e-9)
        points[before + 1 : after] = (1 - share) * points[before] + share * points[after]
        confidence[before + 1 : after] = 0.5 * np.minimum(confidence[before], confidence[after])
        filled += missing
    return Followed(points, confidence, tuple(gaps), filled)


def smooth(points: NDArray[np.float64], confidence: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Smooth a detector's jitter by a Gaussian over time.

    Args:
        points: [T, K, 2], NaN if unknown.
        confidence: [T, K], the weights; unseen joints are kept.
        sigma: standard deviation, frames; 0 changes nothing.
    """
    if sigma <= 0 or len(points) < 3:
        return points
    weight = np.where(np.isfinite(points[..., 0]), confidence, 0.0)[..., None]
    total = gaussian_filter1d(np.nan_to_num(points) * weight, sigma, axis=0, mode="constant", truncate=3)
    share = gaussian_filter1d(weight, sigma, axis=0, mode="constant", truncate=3)
    return np.where(weight > 0, total / np.maximum(share, 1e-12), points)


def to_even_times(
    points: NDArray[np.float64], confidence: NDArray[np.float64], times: NDArray[np.float64], fps: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Interpolate points at uneven times (variable frame rate) to 0, 1/fps, 2/fps ... seconds.

    A time between two frames that show the person is interpolated, any other takes the nearer frame. Confidence is that
    of the nearer frame.
    """
    wanted = np.arange(int(np.floor(times[-1] * fps + 1e-6)) + 1) / fps
    after = np.clip(np.searchsorted(times, wanted, side="left"), 1, max(1, len(times) - 1))
    if len(times) == 1:
        return points, confidence
    before = after - 1
    share = np.clip((wanted - times[before]) / np.maximum(times[after] - times[before], 1e-9), 0, 1)[:, None, None]
    nearer = np.where(share[:, 0, 0] < 0.5, before, after)
    mixed = (1 - share) * points[before] + share * points[after]
    lost = ~np.isfinite(mixed)
    mixed[lost] = points[nearer][lost]
    seen = np.where(np.isfinite(mixed[..., 0]), confidence[nearer], 0.0)
    return mixed, seen
