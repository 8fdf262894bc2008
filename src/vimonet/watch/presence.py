"""Tell the people in view apart over time, and who comes and goes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.pose.tracking import Person, pair
from vimonet.watch.look import Span
from vimonet.watch.placing import Placed
from vimonet.watch.stream import Event, PersonId, PoseFrame

CONFIRMED: Final = 0.4
"""Seconds for which a detector must see a person who has no id of the source's: a brief false detection is nobody."""
GONE_AT_EDGE: Final = 2.0
"""Seconds unseen after which somebody last seen at an edge of the picture, or by a source with ids, has left."""
GONE_INSIDE: Final = 10.0
"""The same for somebody last seen amid the picture, where a detector loses people who lie, bend down or are hidden."""
NOBODY_AFTER: Final = 5.0
"""Seconds without anybody after which nobody is in view."""
_EDGE: Final = 0.04  # of the picture's width and height
_MOST: Final = 64  # people followed at the same time


@dataclass(eq=False)
class _Followed:
    """Hold one person: as last seen, since when, and whether it was said."""

    person: Person
    first: float
    last: float
    own: bool  # the source gives the id
    frame: PoseFrame | None = None
    entered: bool = False
    seen: int = 1


@dataclass
class Presence:
    """Follow people by the source's ids where there are any, otherwise by nearness.

    Attributes:
        entered: how many came into view.
    """

    nobody: Span = field(default_factory=lambda: Span("nobody"))
    entered: int = 0
    _people: dict[PersonId, _Followed] = field(default_factory=dict)
    _next: int = 1
    _empty_since: float | None = None

    @property
    def here(self) -> int:
        """Number of people in view."""
        return sum(one.entered for one in self._people.values())

    def see(
        self, placed: list[Placed], time: float, size: tuple[int, int] | None, dimensions: int
    ) -> tuple[list[PoseFrame], list[PersonId], list[Event]]:
        """Take the people of one moment.

        Returns:
            Frames of the people in view, ids of those who left, and events.
        """
        frames: list[PoseFrame] = []
        events: list[Event] = []
        for person, one in self._assign(placed, time, dimensions):
            followed = self._people[person]
            frame = PoseFrame(time, person, one.joints, one.confidence, size, dimensions)
            followed.frame = frame
            if not followed.entered and (followed.own or (time - followed.first >= CONFIRMED and followed.seen >= 3)):
                followed.entered = True
                self.entered += 1
                events += self.nobody.over(time, "somebody is in view again, after {seconds}")
                text = f"person {person} comes into view"
                events.append(Event("enters", followed.first, followed.first, person, _where(frame), text))
            if followed.entered:
                frames.append(frame)
        gone, left = self._leave(time)
        if any(one.entered for one in self._people.values()):
            self._empty_since = None
        elif self._empty_since is None:
            self._empty_since = time
        elif time - self._empty_since >= NOBODY_AFTER:
            left += self.nobody.begin(self._empty_since, None, "nobody is in view")
        return frames, gone, events + left

    def interrupt(self, time: float) -> list[PersonId]:
        """Forget everybody, because the source shows nothing; nobody is said to have left. Returns who was in view."""
        gone = [person for person, one in self._people.items() if one.entered]
        self._people.clear()
        self._empty_since = None
        return gone

    def _assign(self, placed: list[Placed], time: float, dimensions: int) -> list[tuple[PersonId, Placed]]:
        """Find who everybody is; keep them as last seen."""
        found: list[tuple[PersonId, Placed]] = []
        loose: list[tuple[Placed, Person]] = []
        for one in placed:
            seen = Person(one.joints[:, :dimensions].astype(np.float64), one.confidence.astype(np.float64))
            if one.id is None:
                loose.append((one, seen))
            elif one.id not in [person for person, _ in found]:
                if one.id not in self._people and len(self._people) >= _MOST:
                    continue
                if one.id in self._people and not self._people[one.id].own:
                    del self._people[one.id]
                self._keep(one.id, seen, time, own=True)
                found.append((one.id, one))
        known = [(person, one) for person, one in self._people.items() if not one.own]
        taken = pair([seen for _, seen in loose], [(one.person, time - one.last) for _, one in known])
        for number, (one, seen) in enumerate(loose):
            if number in taken:
                person = known[taken[number]][0]
            elif len(self._people) < _MOST:
                while self._next in self._people:
                    self._next += 1
                person, self._next = self._next, self._next + 1
            else:
                continue
            self._keep(person, seen, time, own=False)
            found.append((person, one))
        return found

    def _keep(self, person: PersonId, seen: Person, time: float, *, own: bool) -> None:
        if person in self._people:
            one = self._people[person]
            one.person, one.last, one.seen = seen, time, one.seen + 1
        else:
            self._people[person] = _Followed(seen, time, time, own)

    def _leave(self, time: float) -> tuple[list[PersonId], list[Event]]:
        gone: list[PersonId] = []
        events: list[Event] = []
        for person, one in list(self._people.items()):
            if one.frame is None or time <= one.last:
                continue
            where = _where(one.frame)
            patience = GONE_AT_EDGE if one.own or "edge" in where or not one.entered else GONE_INSIDE
            if time - one.last < patience:
                continue
            del self._people[person]
            if one.entered:
                self._empty_since = max(one.last, self._empty_since or one.last)
                gone.append(person)
                place = f"at the {where['edge']} edge" if "edge" in where else "lost from sight amid the picture"
                text = f"person {person} is out of view" + ("" if one.own and "edge" not in where else f", {place}")
                value = {**where, "seconds_in_view": round(one.last - one.first, 1)}
                events.append(Event("leaves", one.last, one.last, person, value, text))
        return gone, events


def _where(frame: PoseFrame) -> dict[str, str]:
    """Name the edge of the picture at which a person is seen, if any: {"edge": "left"}."""
    if frame.size is None or frame.dimensions != 2:
        return {}
    left, top, right, bottom = frame.box
    width, height = frame.size
    reach: NDArray[np.float64] = np.array(
        [left / width, 1 - right / width, top / height, 1 - bottom / height], dtype=np.float64
    )
    nearest = int(reach[:2].argmin())
    return {"edge": ("left", "right")[nearest]} if reach[nearest] < _EDGE else {}
