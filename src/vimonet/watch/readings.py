"""Define what a source gives: pictures, or people's poses, one moment after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.skeleton import JOINT_NAMES
from vimonet.watch.stream import PersonId


class Picture(NamedTuple):
    """Hold a picture: seconds of the source's clock (None: when it arrived), and uint8 [H, W, 3], RGB, upright."""

    time: float | None
    image: NDArray[np.uint8]


class SeenPerson(NamedTuple):
    """Hold one person as the source gives it: points [K, 2..4], and the source's own id or None."""

    points: NDArray[np.float64]
    id: PersonId | None = None


class PoseReading(NamedTuple):
    """Hold the people of one moment.

    Attributes:
        time: seconds of the source's clock; None: when it arrived.
        people: nobody is in view where it is empty.
        about: what the source says of its data since the reading before: ``names``, ``dimensions``, ``size``, ``unit``,
            ``up``, ``fps``.
        moment: whether it tells of a moment at all; a message may only describe the data.
    """

    time: float | None
    people: tuple[SeenPerson, ...]
    about: dict[str, Any] = {}
    moment: bool = True


PLACED: Final[dict[str, Any]] = {"names": JOINT_NAMES, "dimensions": 3, "unit": "m", "up": "y"}
"""What a source says of joints that have the names, unit and up axis of a `Motion`."""


class SourceLost(Exception):
    """Report that a source gives nothing any more and may come back; the text says why."""


class SourceEnded(Exception):
    """Report that a source has come to its end."""


class Source(Protocol):
    """Give pictures or poses.

    Attributes:
        name: for messages.
        live: whether they come by themselves: then the newest one wins, and a loss is waited out; otherwise they are
            read as fast as they are used.
        pictures: whether it gives pictures.
        endless: whether it should give frames all the time: silence is then a loss.
    """

    name: str
    live: bool
    pictures: bool
    endless: bool

    def open(self) -> None:
        """Open it, again after a loss.

        Raises:
            SourceLost: it is not there.
            InputError: it is nothing that can be watched.
        """
        ...

    def read(self) -> Picture | PoseReading | None:
        """Read what comes next, or None after a short wait without anything.

        Raises:
            SourceLost: it is gone.
            SourceEnded: it is over.
        """
        ...

    def close(self) -> None:
        """Free the resources; the source can be opened again."""
        ...


@dataclass(frozen=True)
class SourceOptions:
    """Hold what the user says of a source.

    Attributes:
        fps: frames/s of files that carry no times; None for 30.
        size: width and height of the picture, for coordinates that are fractions of it.
        unit, up: of 3D coordinates; None to find out.
        once: whether to end where a growing folder or file ends now.
    """

    fps: float | None = None
    size: tuple[int, int] | None = None
    unit: str | None = None
    up: str | None = None
    once: bool = False
