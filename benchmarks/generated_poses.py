"""Give generated poses to a watch as a source would."""

from __future__ import annotations

from collections.abc import Iterator

from vimonet.watch.readings import PoseReading, SourceEnded


class GeneratedPoses:
    """Play the readings that `readings` yields, then end; a subclass says what they are."""

    pictures = endless = False

    def __init__(self) -> None:
        self._readings: Iterator[PoseReading] = iter(())

    def readings(self) -> Iterator[PoseReading]:
        """Yield the readings in order of time."""
        raise NotImplementedError

    def open(self) -> None:
        """Begin."""
        self._readings = self.readings()

    def read(self) -> PoseReading:
        """Give the next reading.

        Raises:
            SourceEnded: there is none left.
        """
        found = next(self._readings, None)
        if found is None:
            raise SourceEnded
        return found

    def close(self) -> None:
        """Do nothing."""
