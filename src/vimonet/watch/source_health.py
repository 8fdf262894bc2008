"""Watch the source itself: pictures that are black, blank or frozen, another size or rate, a clock that jumps.

While a picture shows nothing, or the one before again, nobody in it is looked at: a camera that hangs never shows a
person who stands still.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.watch.look import Span
from vimonet.watch.stream import Event

KINDS: Final[dict[str, str]] = {
    "source_lost": "the camera or stream gives nothing; over when it is back",
    "picture_frozen": "the camera repeats one picture, or a stream one pose; over when something changes",
    "picture_black": "the picture is black, covered, or of one colour; over when it shows something",
    "size_changed": "the picture has another size",
    "rate_changed": "the source gives more or fewer frames per second than before",
    "clock_jumped": "the source's clock went back, or leapt ahead",
    "behind": "this machine cannot keep up: more than a fifth of the frames are dropped; over when it can",
    "nobody": "nobody is in view; over when somebody is",
    "enters": "a person comes into view",
    "leaves": "a person is out of view, at an edge of the picture or lost from sight within it",
}
"""Events about the source and who is in view, and what each says."""

FROZEN_AFTER: Final = 5.0
"""Seconds of one and the same picture that count as frozen; a sensor's noise changes every picture."""
BLACK_AFTER: Final = 1.0
"""Seconds of a black or blank picture that count; a flash or a cut is shorter."""
_DARK: Final = 32  # of 255: a picture is black if 99 % of it is darker
_FLAT: Final = 3.0  # of 255: a picture is of one colour if it differs by less (standard deviation)
_RATE_WINDOW: Final = 5.0  # s over which a rate is counted
_RATE_RATIO: Final = 1.5  # of the rate before: another rate
_RATE_WINDOWS: Final = 2  # windows in a row that must agree on it
_BACK: Final = 1.0  # s: a frame older than the newest by less is only late
_LATE: Final = 10  # late frames in a row: the clock was set back by a little
_LEAP: Final = 5.0  # s that a clock may leap ahead of the time that passed
_DROPS: Final = 0.2  # share of dropped frames that counts as behind
_DROP_WINDOW: Final = 10.0  # s over which drops are counted


class RisingClock:
    """Turn the times of a source into times that always rise.

    Args:
        live: whether the source's time is compared with the time that passes here.
        anchored: whether the first frame is put at the present, because the source counts from anywhere.
    """

    def __init__(self, live: bool, anchored: bool) -> None:
        self.live, self.anchored = live, anchored
        self.latest: float | None = None
        self.late = 0
        self._raw = self._at = self._offset = 0.0
        self._behind = 0

    def take(self, raw: float | None, at: float, now: float) -> tuple[float | None, list[Event]]:
        """Take the time of a frame.

        Args:
            raw: the source's, s; None if it has none.
            at: when the frame arrived, s of a clock that only rises.
            now: that moment in seconds since 1970.

        Returns:
            The rising time, None for a frame that is late, and what is wrong with the clock.
        """
        if self.latest is None:
            self._offset = now - (raw or 0.0) if self.anchored or raw is None else 0.0
            return self._set(raw or 0.0, at, (raw or 0.0) + self._offset), []
        if raw is None:
            raw = self._raw + at - self._at
        rising = raw + self._offset
        passed = at - self._at
        if rising <= self.latest:
            self._behind += 1
            back = self._raw - raw
            if back < _BACK and self._behind < _LATE:
                self.late += 1
                return None, []
            return self._jump(raw, at, passed, f"the source's clock went back by {back:.1f} s", -back)
        leap = (raw - self._raw) - passed
        if self.live and leap > _LEAP:
            return self._jump(raw, at, passed, f"the source's clock leapt ahead by {leap:.0f} s", leap)
        return self._set(raw, at, rising), []

    def now(self, at: float) -> float:
        """Estimate the source's time at a moment, from the newest frame and the time since."""
        if self.latest is None:
            return time.time() - (time.monotonic() - at) if self.live else 0.0
        return self.latest + (at - self._at if self.live else 0.0)

    def _jump(self, raw: float, at: float, passed: float, text: str, seconds: float) -> tuple[float, list[Event]]:
        assert self.latest is not None
        rising = self.latest + max(1e-3, passed if self.live else 1e-3)
        self._offset = rising - raw
        self._set(raw, at, rising)
        return rising, [Event("clock_jumped", rising, rising, None, {"seconds": round(seconds, 3)}, text)]

    def _set(self, raw: float, at: float, rising: float) -> float:
        self._raw, self._at, self.latest, self._behind = raw, at, rising, 0
        return rising


@dataclass
class SourceHealth:
    """Judge the pictures and poses of a source, one after the other."""

    frozen: Span = field(default_factory=lambda: Span("picture_frozen"))
    black: Span = field(default_factory=lambda: Span("picture_black"))
    behind: Span = field(default_factory=lambda: Span("behind"))
    _before: Any = None
    _same_since: float | None = None
    _dark_since: float | None = None
    _size: tuple[int, int] | None = None
    _rate: float | None = None
    _rates: list[float] = field(default_factory=list)
    _counted: tuple[float, int] | None = None
    _drops: tuple[float, int, int] | None = None

    @property
    def blind(self) -> bool:
        """Whether the source shows nothing that could be looked at."""
        return self.frozen.event is not None or self.black.event is not None

    def picture(self, image: NDArray[np.uint8], time: float) -> tuple[bool, list[Event]]:
        """Judge a picture, uint8 [H, W, 3].

        Returns:
            Whether it shows anything new, and events.
        """
        events: list[Event] = []
        height, width = image.shape[:2]
        if self._size is not None and self._size != (width, height):
            before = "{} x {}".format(*self._size)
            value = {"width": width, "height": height}
            text = f"the picture changed from {before} to {width} x {height}"
            events.append(Event("size_changed", time, time, None, value, text))
            self._before = None
        self._size = (width, height)
        same = self._before is not None and np.array_equal(self._before, image)
        self._before = image
        events += self._same(same, time, "the picture is frozen", "the picture moves again, after {seconds}")
        nothing = self._nothing(image)
        if nothing:
            self._dark_since = time if self._dark_since is None else self._dark_since
            if time - self._dark_since >= BLACK_AFTER:
                events += self.black.begin(self._dark_since, None, f"the picture is {nothing}")
        else:
            self._dark_since = None
            events += self.black.over(time, "the picture shows something again, after {seconds}")
        return not same and not nothing, events

    def poses(self, people: tuple[Any, ...], time: float) -> tuple[bool, list[Event]]:
        """Judge the points of people: a sensor's are never twice the same.

        Returns:
            Whether they are new, and events.
        """
        points = [person.points for person in people]
        same = bool(points) and self._before is not None and len(points) == len(self._before)
        same = same and all(np.array_equal(a, b, equal_nan=True) for a, b in zip(points, self._before, strict=True))
        self._before = points
        return not same, self._same(
            same, time, "the same pose comes again and again", "poses change again, after {seconds}"
        )

    def count(self, number: int, dropped: int, time: float) -> list[Event]:
        """Count frames: their rate, and how many were dropped.

        Args:
            number: how many the source gave before this one.
            dropped: how many of them were dropped so far.
            time: of this frame, s.
        """
        return self._count_rate(number, time) + self._count_drops(number, dropped, time)

    def over(self, time: float) -> list[Event]:
        """End what lasts, at the end of the source."""
        return self.frozen.over(time, "the source ended") + self.black.over(time, "the source ended")

    def forget(self) -> None:
        """Begin anew after a loss; what lasts goes on until a picture shows otherwise."""
        self._before = self._same_since = self._dark_since = self._counted = self._drops = None
        self._rates = []

    def _same(self, same: bool, time: float, text: str, again: str) -> list[Event]:
        if not same:
            self._same_since = time
            return self.frozen.over(time, again)
        if self._same_since is None:
            self._same_since = time
        if time - self._same_since >= FROZEN_AFTER:
            return self.frozen.begin(self._same_since, None, text)
        return []

    @staticmethod
    def _nothing(image: NDArray[np.uint8]) -> str:
        """Name why a picture shows nothing, from every 8th pixel; empty if it shows something."""
        sample = image[::8, ::8]
        if np.percentile(sample, 99) < _DARK:
            return "black"
        return "of one colour" if float(sample.reshape(-1, 3).std(axis=0).max()) < _FLAT else ""

    def _count_rate(self, number: int, time: float) -> list[Event]:
        if self._counted is None:
            self._counted = time, number
            return []
        seconds, frames = time - self._counted[0], number - self._counted[1]
        if seconds < _RATE_WINDOW:
            return []
        self._counted = time, number
        rate = frames / seconds
        if self._rate is None:
            self._rate = rate
            return []
        if 1 / _RATE_RATIO < rate / max(self._rate, 1e-9) < _RATE_RATIO or frames < 2:
            self._rates = []
            return []
        self._rates.append(rate)
        if len(self._rates) < _RATE_WINDOWS:
            return []
        before, self._rate, self._rates = self._rate, rate, []
        text = f"the source gives {rate:.1f} frames/s, not {before:.1f} as before"
        return [Event("rate_changed", time, time, None, {"fps": round(rate, 2), "before": round(before, 2)}, text)]

    def _count_drops(self, number: int, dropped: int, time: float) -> list[Event]:
        if self._drops is None:
            self._drops = time, number, dropped
            return []
        begun, first, earlier = self._drops
        if time - begun < _DROP_WINDOW:
            return []
        self._drops = time, number, dropped
        share = (dropped - earlier) / max(1, number - first)
        if share > _DROPS:
            text = f"{100 * share:.0f} % of the frames are dropped: this machine is too slow for the source"
            return self.behind.begin(time, None, text, dropped_share=round(share, 3))
        return self.behind.over(time, "this machine keeps up again, after {seconds}") if share < _DROPS / 2 else []
