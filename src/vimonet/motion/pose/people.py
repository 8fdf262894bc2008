"""What a pose estimator is to the rest: a thing that finds people in pictures, one picture after another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Person:
    """A person in one picture.

    Attributes:
        points: float [K, 2], pixels from the top left corner.
        confidence: float [K] in 0..1; 0 for a joint that is not seen.
    """

    points: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @property
    def box(self) -> NDArray[np.float64]:
        """[4]: left, top, right, bottom of the seen joints (of all joints where fewer than two are seen)."""
        seen = self.points[self.confidence > 0]
        points = seen if len(seen) >= 2 else self.points
        return np.concatenate([points.min(axis=0), points.max(axis=0)])

    @property
    def size(self) -> float:
        """Diagonal of the box, pixels."""
        box = self.box
        return float(np.hypot(box[2] - box[0], box[3] - box[1]))


class PoseEstimator(Protocol):
    """Finds people in the pictures of one video, given in order; it may follow them from one to the next.

    Attributes:
        name: what it is, with version and settings: poses are remembered under it.
        layout: a key of ``joint_names.LAYOUTS``; the K points of every person.
    """

    name: str
    layout: str

    def people(self, image: NDArray[np.uint8]) -> list[Person]:
        """People in the next picture [H, W, 3] (RGB), in any order."""
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


def apart(a: Person, b: Person) -> float:
    """How far two are from being the same person, in sizes of the larger.

    The mean distance of the joints seen in both or that of the boxes' corners, whichever is less: an estimator that
    takes a front for a back moves the joints and not the box. Infinite when no joint is seen in both.
    """
    both = (a.confidence > 0) & (b.confidence > 0)
    if not both.any():
        return float("inf")
    joints = np.linalg.norm(a.points[both] - b.points[both], axis=1).mean()
    corners = np.linalg.norm((a.box - b.box).reshape(2, 2), axis=1).mean()
    return float(min(joints, corners)) / max(a.size, b.size, 1.0)


def relative_size(a: Person, b: Person) -> float:
    """Size of the first / size of the second, by the joints seen in both; 0 when they are fewer than three."""
    both = (a.confidence > 0) & (b.confidence > 0)
    if np.count_nonzero(both) < 3:
        return 0.0
    spread_a, spread_b = (float(np.linalg.norm(person.points[both].std(axis=0))) for person in (a, b))
    return spread_a / max(spread_b, 1e-9)
