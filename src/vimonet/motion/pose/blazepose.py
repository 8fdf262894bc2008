"""Run MediaPipe's BlazePose (Bazarevsky et al. 2020, arXiv 2006.10204) for several people.

MediaPipe's ready-made solution tracks a single person. The two models of the 0.10.21 wheel are run here through
MediaPipe's own sub-graphs instead: the detector every few frames, the landmark model on every person's region, which
follows from the landmarks of the frame before.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.pose.tracking import Person, apart
from vimonet.utils.errors import InputError

INSTALL: Final = (
    "install ViMoNet with its extra pose by uv, `uv pip install -e '.[pose]'` in its folder (Python 3.11 or 3.12; "
    "plain pip refuses mediapipe's pins)"
)

_DETECTOR: Final = """
input_stream: "image"
output_stream: "detections"
node {
  calculator: "PoseDetectionCpu"
  input_stream: "IMAGE:image"
  output_stream: "DETECTIONS:detections"
}
"""
_LANDMARKS: Final = """
input_stream: "image"
input_stream: "roi"
output_stream: "landmarks"
output_stream: "auxiliary"
input_side_packet: "model_complexity"
node {
  calculator: "PoseLandmarkByRoiCpu"
  input_stream: "IMAGE:image"
  input_stream: "ROI:roi"
  input_side_packet: "MODEL_COMPLEXITY:model_complexity"
  output_stream: "LANDMARKS:landmarks"
  output_stream: "AUXILIARY_LANDMARKS:auxiliary"
}
"""
_SMALLEST: Final = 16  # pixels; smaller regions show no person
_LARGER: Final = (1.0, 1.3, 1.7)
_SHRINKS: Final = 0.6  # least ratio of a body's sizes between frames; real bodies keep over 0.8
_MARGIN: Final = 1.25  # enlarges the region around a person's circle, as in MediaPipe


@dataclass(frozen=True)
class _Region:
    """Describe a square turned with the person: middle (x, y) and side in pixels, angle in radians."""

    x: float
    y: float
    side: float
    angle: float

    @classmethod
    def between(cls, hips: tuple[float, float], crown: tuple[float, float]) -> _Region:
        """Make a region from the middle of the hips and a point on the circle around the whole body, above the head."""
        dx, dy = crown[0] - hips[0], crown[1] - hips[1]
        angle = math.pi / 2 - math.atan2(-dy, dx)
        return cls(*hips, 2 * _MARGIN * math.hypot(dx, dy), math.remainder(angle, 2 * math.pi))


class BlazePose:
    """Run MediaPipe's pose models as a ``PoseEstimator``.

    Args:
        max_people: most people tracked at the same time; time per frame grows with their number.
        every: frames between two detections while a person is tracked.
        threshold: visibility under which a joint counts as unseen.

    Raises:
        InputError: mediapipe is not installed.
    """

    layout = "mediapipe33"

    def __init__(self, max_people: int = 3, every: int = 8, threshold: float = 0.3) -> None:
        try:
            with _quiet():
                import mediapipe
                from mediapipe.framework.formats import rect_pb2
                from mediapipe.python.solution_base import SolutionBase
        except ImportError as error:
            raise InputError(f"reading movement from video needs mediapipe 0.10.21; {INSTALL}.") from error
        self.name = f"mediapipe {mediapipe.__version__}, {max_people} people, every {every}, over {threshold}"
        self.max_people, self.every, self.threshold = max_people, every, threshold
        self._rectangle = rect_pb2.NormalizedRect
        self._regions: list[_Region] = []
        self._since = every
        try:
            with _quiet():
                self._detector = SolutionBase(graph_config=_DETECTOR)
                self._landmarks = SolutionBase(graph_config=_LANDMARKS, side_inputs={"model_complexity": 1})
                # The first run writes a line per model to standard error.
                blank = np.zeros((64, 64, 3), np.uint8)
                self._detect(blank)
                self._person(blank, _Region(32, 32, 32, 0.0))
        except (FileNotFoundError, RuntimeError, ValueError) as error:
            raise InputError(
                f"mediapipe {mediapipe.__version__} does not carry the pose model of 0.10.21; {INSTALL}."
            ) from error

    def people(self, image: NDArray[np.uint8]) -> list[Person]:
        """See ``PoseEstimator``."""
        height, width = image.shape[:2]
        if min(height, width) < _SMALLEST:
            return []
        found = [self._tracked(image, region) for region in self._regions]
        self._since += 1
        beat = self._since >= self.every
        if beat or not any(found):
            found += [self._search(image, region) for region in self._detect(image, parts=beat)]
            self._since *= not beat
        kept: list[tuple[Person, _Region]] = []
        for entry in found:
            if entry is not None and not any(_twice(entry[0], other[0]) for other in kept):
                kept.append(entry)
        del kept[self.max_people :]
        self._regions = [region for _, region in kept]
        return [person for person, _ in kept]

    def close(self) -> None:
        """See ``PoseEstimator``."""
        self._detector.close()
        self._landmarks.close()

    def _detect(self, image: NDArray[np.uint8], parts: bool = False) -> list[_Region]:
        """Detect regions of people who are not tracked yet, the largest and most central first.

        The detector reads 224 x 224 pixels, so small people are found only in parts of the image.
        """
        height, width = image.shape[:2]
        fresh: list[tuple[float, _Region]] = []
        for left, top, right, bottom in [(0, 0, width, height), *(_parts(width, height) if parts else ())]:
            view = np.ascontiguousarray(image[top:bottom, left:right])
            for detection in self._detector.process({"image": view}).detections or ():
                hips, crown = (
                    (left + point.x * (right - left), top + point.y * (bottom - top))
                    for point in detection.location_data.relative_keypoints[:2]
                )
                region = _Region.between(hips, crown)
                known = [*self._regions, *(other for _, other in fresh)]
                if region.side < _SMALLEST or any(_overlap(region, other) for other in known):
                    continue
                off = math.hypot(region.x / width - 0.5, region.y / height - 0.5)
                fresh.append((-region.side * max(0.1, 1 - off) * detection.score[0], region))
        fresh.sort(key=lambda entry: entry[0])
        return [region for _, region in fresh[: self.max_people]]

    def _search(self, image: NDArray[np.uint8], region: _Region) -> tuple[Person, _Region] | None:
        """Find the person in a region, or, at the edge of the image, in a larger region around it."""
        for factor in _LARGER:
            found = self._person(image, replace(region, side=region.side * factor))
            if found is not None:
                return found
        return None

    def _tracked(self, image: NDArray[np.uint8], region: _Region) -> tuple[Person, _Region] | None:
        """Find the person of the frame before; None if the body suddenly shrinks (the model tracks a hand)."""
        found = self._person(image, region)
        return found if found is None or found[1].side > _SHRINKS * region.side else None

    def _person(self, image: NDArray[np.uint8], region: _Region) -> tuple[Person, _Region] | None:
        """Find the person in a region, and the region for the next frame, or None."""
        height, width = image.shape[:2]
        rectangle = self._rectangle(
            x_center=region.x / width,
            y_center=region.y / height,
            width=region.side / width,
            height=region.side / height,
            rotation=region.angle,
        )
        result = self._landmarks.process({"image": image, "roi": rectangle})
        if result.landmarks is None or result.auxiliary is None:
            return None
        rows = np.array([(p.x * width, p.y * height, p.visibility, p.presence) for p in result.landmarks.landmark])
        points, confidence = rows[:, :2], rows[:, 2:].min(axis=1)
        outside = ((points < 0) | (points >= (width, height))).any(axis=1)
        confidence[outside | (confidence < self.threshold)] = 0.0
        if np.count_nonzero(confidence) < 3:
            return None
        hips, crown = result.auxiliary.landmark[:2]
        following = _Region.between((hips.x * width, hips.y * height), (crown.x * width, crown.y * height))
        if not _SMALLEST <= following.side <= 8 * max(width, height):
            return None
        return Person(points, confidence), following


def _twice(a: Person, b: Person) -> bool:
    """Test whether two bodies are one person: joints at the same positions, or boxes that mostly overlap."""
    p, q = a.box, b.box
    common = np.prod(np.maximum(np.minimum(p[2:], q[2:]) - np.maximum(p[:2], q[:2]), 0.0))
    union = np.prod(p[2:] - p[:2]) + np.prod(q[2:] - q[:2]) - common
    return apart(a, b) <= 0.15 or bool(common > 0.4 * union)


def _parts(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """List three overlapping squares along the longer side: left, top, right, bottom."""
    side = min(width, height, max(2 * _SMALLEST, round(0.55 * max(width, height))))
    lie = [((width - side) * k // 2, (height - side) // 2) for k in range(3)]
    stand = [((width - side) // 2, (height - side) * k // 2) for k in range(3)]
    return [(x, y, x + side, y + side) for x, y in (lie if width >= height else stand)]


def _overlap(a: _Region, b: _Region) -> bool:
    """Test whether two regions belong to the same person."""
    return math.hypot(a.x - b.x, a.y - b.y) < 0.2 * max(a.side, b.side)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Discard the lines that native code writes to standard error."""
    os.environ.setdefault("GLOG_minloglevel", "2")
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # no standard error at all
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
