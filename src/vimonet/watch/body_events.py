"""Find what a person does or suffers: falls, lies still, does not move, leaves the bed, raises a hand, waves.

Every check looks at the last seconds of one person a few times a second, in the same way in 3D and in a picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.kinematics import categories as c
from vimonet.motion.kinematics.falling import AFTER, STAYS, SURE, find_falls
from vimonet.motion.kinematics.preparation import SIDES
from vimonet.motion.motion import FPS
from vimonet.watch.hand_events import RaisedHand, Waving
from vimonet.watch.look import Check, Look, Span, within
from vimonet.watch.pose_window import PoseWindow
from vimonet.watch.stream import Event, PersonId, PoseFrame

KINDS: Final[dict[str, str]] = {
    "fall": "a person falls; over when the person is up again",
    "lying_still": "a person lies and does not move; over when the person moves or gets up",
    "not_moving": "a person does not move; over with the next movement",
    "out_of_bed": "a person who was in the rule's zone (the bed) has left it; over when back in it",
    "raised_hand": "a person holds a hand above the shoulder; over when it is down",
    "waving": "a person waves a hand; over when the wave ends",
}
"""Events of a person's body, and what each says."""

_EVERY: Final = 0.2
"""Seconds of the source's clock between two looks."""
_LENGTH: Final = 10.0
"""Seconds that are kept: a drop is compared with those of the 8 s before it."""
_LOST_FALLS: Final = 16  # of people out of view that are kept open
_MOVING: Final = (0, 7, 8, 12, 15, 20, 21)  # joints whose displacement counts as movement


@dataclass
class Falls:
    """Find falls, and when the person is up again.

    A fall lasts while the person is down, and also while a detector has lost the lying person.
    """

    span: Span = field(default_factory=lambda: Span("fall"))
    _latest: float = -np.inf
    _up_since: float | None = None

    def look(self, look: Look, final: bool = False) -> Iterator[Event]:
        """Report a fall once the body after it was measured; `final`: with what there is."""
        if self.span.event is not None:
            yield from self.getting_up(look, c.UP_FOR.yes)
            return
        frames = len(look.joints)
        for drop in find_falls(look.joints, look.confidence, FPS, look.flat):
            time = look.start + drop.start / FPS
            wait = AFTER if drop.probability >= SURE else STAYS
            settled = drop.frame + wait * FPS <= frames - 1 or (final and drop.frame < frames - 3)
            if settled and time > self._latest + AFTER:
                self._latest, self._up_since = look.start + drop.end / FPS, None
                value = {
                    "confidence": round(drop.probability, 2),
                    "drop_body_lengths": round(float(drop.features[2]), 2),
                }
                yield from self.span.begin(time, look.person, f"person {look.person} falls", **value)
                return

    def getting_up(self, look: Look, hold: float) -> Iterator[Event]:
        """End the fall when somebody is up for `hold` s."""
        event = self.span.event
        assert event is not None
        if not look.upright or look.end < self._latest + AFTER:
            self._up_since = None
            return
        self._up_since = look.end if self._up_since is None else self._up_since
        if look.end - self._up_since >= hold:
            self._latest = look.end
            yield from self.span.over(self._up_since, f"person {event.person} is up again")

    def gone(self, time: float) -> Iterator[Event]:
        """Keep the fall: whoever is lost lying has not got up."""
        self._up_since = None
        yield from ()


@dataclass
class Stillness:
    """Find people who do not move, or lie and do not move.

    Args:
        kind: ``not_moving`` or ``lying_still``.
    """

    kind: str
    span: Span = field(init=False)
    _places: dict[int, NDArray[np.floating]] = field(default_factory=dict)
    _since: float | None = None

    def __post_init__(self) -> None:
        self.span = Span(self.kind)

    def look(self, look: Look) -> Iterator[Event]:
        """Compare the places of the joints with those since which nothing moved."""
        now = {j: p for j in _MOVING if (p := look.place(j, 1.0)) is not None}
        shared = [j for j in now if j in self._places]
        moved = sorted(float(np.linalg.norm(now[j] - self._places[j])) / look.scale[0] for j in shared)
        # One joint that leaps is a detector's error; a hand moves its elbow's neighbours, too.
        moves = len(moved) < 3 or c.MOVES.decide(moved[-2]) is not False
        other = self.kind == "lying_still" and not look.lies
        if moves or other or self._since is None:
            yield from self.span.over(look.end, f"person {look.person} {'moves' if moves else 'is up'} again")
            self._places, self._since = now, None if other or len(now) < 3 else look.end
        elif look.end - self._since >= c.STILL_FOR.yes:
            words = "lies still" if self.kind == "lying_still" else "does not move"
            yield from self.span.begin(self._since, look.person, f"person {look.person} {words}")

    def gone(self, time: float) -> Iterator[Event]:
        """End with the person's frames: nobody knows whether somebody out of view moves."""
        self._places, self._since = {}, None
        yield from self.span.over(time)


@dataclass
class OutOfBed:
    """Find people who leave a zone in which they were: the bed.

    Args:
        zone: left, top, right, bottom of the bed, shares of the picture (3D: least x, least z, greatest x and z, m).
        bed: name of the rule that the zone belongs to.
    """

    zone: tuple[float, float, float, float]
    bed: str = ""
    span: Span = field(default_factory=lambda: Span("out_of_bed"))
    _inside_since: float | None = None
    _outside_since: float | None = None
    _was_in: bool = False

    def look(self, look: Look) -> Iterator[Event]:
        """Follow the pelvis in and out of the zone."""
        inside = within(look.frame, self.zone)
        if inside is None:
            return
        if inside:
            self._outside_since = None
            self._inside_since = look.end if self._inside_since is None else self._inside_since
            if look.end - self._inside_since >= c.IN_BED_FOR.yes:
                self._was_in = True
            if look.end - self._inside_since >= c.OUT_OF_BED_FOR.yes:
                yield from self.span.over(look.end, f"person {look.person} is back in bed")
            return
        self._inside_since = None
        self._outside_since = look.end if self._outside_since is None else self._outside_since
        if self._was_in and look.end - self._outside_since >= c.OUT_OF_BED_FOR.yes:
            self._was_in = False
            text = f"person {look.person} has left the bed"
            yield from self.span.begin(self._outside_since, look.person, text, bed=self.bed)

    def gone(self, time: float) -> Iterator[Event]:
        """Keep the state: whoever leaves the picture from outside the bed is still out of it."""
        self._inside_since = self._outside_since = None
        yield from ()


class BodyEvents:
    """Detect the events of people's bodies.

    Args:
        kinds: names out of `KINDS`, without ``out_of_bed``.
        beds: (name, zone) of every bed; see `OutOfBed`.
    """

    def __init__(
        self, kinds: Sequence[str], beds: Sequence[tuple[str, tuple[float, float, float, float]]] = ()
    ) -> None:
        self.kinds, self.beds = tuple(kinds), tuple(beds)
        self._people: dict[PersonId, _Watched] = {}
        self._lost_falls: list[Falls] = []

    def push(self, frame: PoseFrame) -> Sequence[Event]:
        """Take the next frame of one person."""
        person = self._people.get(frame.person)
        if person is None:
            person = self._people[frame.person] = _Watched(PoseWindow(_LENGTH), list(self._checks()))
            self._take_back(frame.person, person)
        person.window.push(frame)
        if frame.time < person.due:
            return ()
        person.due = frame.time + _EVERY
        look = Look.of(person.window)
        if not look.seen[-round(FPS) :].any():
            return ()
        return [*(event for check in person.checks for event in check.look(look)), *self._clear_lost(look)]

    def gone(self, person: PersonId, time: float) -> Sequence[Event]:
        """Forget a person, and look at the last movement once more: some detectors lose a body as it falls."""
        watched = self._people.pop(person, None)
        if watched is None:
            return ()
        events: list[Event] = []
        for check in watched.checks:
            if isinstance(check, Falls):
                if check.span.event is None and watched.window.frames:
                    events += check.look(Look.of(watched.window), final=True)
                if check.span.event is not None:
                    self._lost_falls.append(check)
                    if len(self._lost_falls) > _LOST_FALLS:
                        events += self._lost_falls.pop(0).span.over(time, "nobody has been seen getting up")
            events += check.gone(time)
        return events

    def _checks(self) -> Iterator[Check]:
        if "fall" in self.kinds:
            yield Falls()
        yield from (Stillness(kind) for kind in ("lying_still", "not_moving") if kind in self.kinds)
        yield from (OutOfBed(zone, name) for name, zone in self.beds)
        for side in SIDES:
            if "raised_hand" in self.kinds:
                yield RaisedHand(side)
            if "waving" in self.kinds:
                yield Waving(side)

    def _take_back(self, person: PersonId, watched: _Watched) -> None:
        """Give a person who is seen again the fall that was not over."""
        for lost in self._lost_falls:
            if lost.span.event is not None and lost.span.event.person == person:
                watched.checks = [lost if isinstance(check, Falls) else check for check in watched.checks]
                self._lost_falls.remove(lost)
                return

    def _clear_lost(self, look: Look) -> Iterator[Event]:
        """End the fall of somebody who was lost, when somebody is up and alone in view: the same person, or help."""
        if len(self._people) != 1:
            return
        for lost in list(self._lost_falls):
            yield from lost.getting_up(look, c.UP_ALONE_FOR.yes)
            if lost.span.event is None:
                self._lost_falls.remove(lost)


@dataclass
class _Watched:
    window: PoseWindow
    checks: list[Any]
    due: float = -np.inf
