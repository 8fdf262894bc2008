"""Read a source in a thread of its own: the newest picture wins, and a lost source is opened again."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final, NamedTuple

from vimonet.utils.errors import InputError
from vimonet.watch.readings import Picture, PoseReading, Source, SourceEnded, SourceLost

BACKOFF: Final = (0.5, 30.0)
"""Shortest and longest wait before a lost source is opened again, s; each wait is twice the one before."""
_POSES_KEPT: Final = 256
"""Readings of poses that may wait; they are small, and only a stalled program lets so many wait."""
_READ_AHEAD: Final = 16  # readings of a file that wait
_SETTLED: Final = 10.0  # s of readings after which the next loss waits the shortest time again


class Arrival(NamedTuple):
    """Hold a picture or people, when they arrived (``time.monotonic``), and how many the source gave before."""

    reading: Picture | PoseReading
    at: float
    number: int


class Change(NamedTuple):
    """Hold a change of the source: ``lost``, ``back`` or ``ended``, why, and when (``time.monotonic``)."""

    kind: str
    text: str
    at: float


class Feed:
    """Run a source in a thread.

    Args:
        source: not open yet.
        speed: plays a film at so many times its speed, as a camera would; None: as fast as it is used.
        wait: whether to wait for a source that is not there at the start, instead of failing.
        backoff: shortest and longest wait before a lost source is opened again, s.
    """

    def __init__(
        self, source: Source, *, speed: float | None = None, wait: bool = False, backoff: tuple[float, float] = BACKOFF
    ) -> None:
        self.source, self.speed, self.wait, self.backoff = source, speed, wait, backoff
        self.newest_wins = source.live or speed is not None
        self.dropped = self.given = 0
        self._items: deque[Arrival | Change] = deque()
        self._waiting = 0  # arrivals among the items
        self._most = 1 if source.pictures else _POSES_KEPT if self.newest_wins else _READ_AHEAD
        self._changed = threading.Condition()
        self._stop = threading.Event()
        self._failure: BaseException | None = None
        self._begun: float | None = None
        self._thread = threading.Thread(target=self._run, name="vimonet watch source", daemon=True)

    def start(self) -> None:
        """Start to read."""
        self._thread.start()

    def stop(self, patience: float = 2.0) -> None:
        """End the thread; one that hangs in the system is left to end with the process."""
        self._stop.set()
        with self._changed:
            self._changed.notify_all()
        self._thread.join(patience)

    def get(self, timeout: float) -> Arrival | Change | None:
        """Take what comes next; None if nothing comes in time.

        Raises:
            InputError: the source cannot be watched.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._items or self._failure, timeout)
            if self._items:
                item = self._items.popleft()
                self._waiting -= isinstance(item, Arrival)
                self._changed.notify_all()
                return item
            if self._failure is not None:
                raise self._failure
        return None

    def _put(self, item: Arrival | Change) -> None:
        with self._changed:
            if isinstance(item, Arrival):
                if self.newest_wins:
                    if self._waiting >= self._most:
                        oldest = next(index for index, one in enumerate(self._items) if isinstance(one, Arrival))
                        del self._items[oldest]
                        self._waiting -= 1
                        self.dropped += 1
                else:
                    self._changed.wait_for(lambda: self._waiting < self._most or self._stop.is_set())
                self._waiting += 1
            self._items.append(item)
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            self._read_until_the_end()
        except BaseException as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()

    def _read_until_the_end(self) -> None:
        lost, ever, pause = False, False, self.backoff[0]
        while not self._stop.is_set():
            began = time.monotonic()
            given = self.given
            try:
                try:
                    self.source.open()
                    while not self._stop.is_set():
                        reading = self.source.read()
                        if reading is None:
                            continue
                        if lost:
                            self._put(Change("back", "", time.monotonic()))
                            lost = False
                        ever = True
                        self._pace(reading)
                        self._put(Arrival(reading, time.monotonic(), self.given))
                        self.given += 1
                finally:
                    self.source.close()
                return
            except SourceEnded:
                self._put(Change("ended", "", time.monotonic()))
                return
            except SourceLost as error:
                if not ever and not self.wait:
                    raise InputError(f"{self.source.name}: {error}.") from None
                if not lost:
                    self._put(Change("lost", str(error), time.monotonic()))
                lost = True
            if self.given > given and time.monotonic() - began > _SETTLED:
                pause = self.backoff[0]
            self._stop.wait(pause)
            pause = min(2 * pause, self.backoff[1])

    def _pace(self, reading: Picture | PoseReading) -> None:
        """Wait until a film's frame is due at the wanted speed."""
        if self.speed is None or reading.time is None:
            return
        now = time.monotonic()
        if self._begun is None:
            self._begun = now - reading.time / self.speed
        self._stop.wait(max(0.0, self._begun + reading.time / self.speed - now))
