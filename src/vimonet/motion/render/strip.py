"""Draw a motion as one image: poses over time, the path seen from above, and the measured events as bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics.categories import repeats_steps
from vimonet.motion.motion import Motion
from vimonet.motion.render.body_drawing import (
    FAINT,
    INK,
    LEFT,
    MUTED,
    PAPER,
    RIGHT,
    TORSO,
    Array,
    Camera,
    Colour,
    dot,
    draw_body,
    draw_rings,
    draw_shadow,
    drawable,
    first_facing,
    floor_height,
    font,
    legend,
    mix,
)
from vimonet.motion.skeleton import INDEX

KINDS: dict[str, Colour] = {
    "turn": (122, 82, 160),
    "fall": (190, 40, 50),
    "jump": (30, 140, 100),
    "repeats": (150, 122, 40),
}


@dataclass(frozen=True)
class Event:
    """Hold a measured event between two times, s, in a named row of the chart."""

    row: str
    label: str
    start: float
    end: float
    colour: Colour


@dataclass(frozen=True)
class Mark:
    """Highlight a span: start and end, s, and the joints (names of the 22) to ring."""

    start: float
    end: float
    joints: tuple[str, ...] = ()


def events_of(motion: Motion, facts: Facts | None = None) -> tuple[Event, ...]:
    """List the measured events of a motion: turns, raised hands, posture other than standing, jumps and falls.

    Args:
        motion: the movement.
        facts: its facts, if they are measured already.
    """
    facts = facts or measure(motion)
    found: list[Event] = []
    for turn in facts.turns or ():
        side = "left" if turn.degrees > 0 else "right"
        found.append(Event("turn", f"{abs(turn.degrees):.0f}° {side}", turn.start, turn.end, KINDS["turn"]))
    for hand in facts.raised_hands or ():
        colour = LEFT if hand.side == "left" else RIGHT
        found.append(Event(f"{hand.side} hand", "raised", hand.start, hand.end, colour))
    for posture in facts.posture or ():
        if posture.label not in ("standing", "unknown", "airborne"):  # a flight is in the row of jumps
            found.append(Event("posture", posture.label, posture.start, posture.end, TORSO))
    again = facts.repetitions
    # Strides of a walk are no event.
    if again is not None and not repeats_steps(facts):
        found.append(Event("repeats", f"{again.count}×  {again.limb}", again.start, again.end, KINDS["repeats"]))
    for jump in facts.jumps or ():
        found.append(Event("jump", f"{100 * jump.height:.0f} cm", jump.start, jump.end, KINDS["jump"]))
    for fall in facts.falls or ():
        found.append(Event("fall", f"{100 * fall.drop:.0f} cm down", fall.start, fall.end, KINDS["fall"]))
    return tuple(found)


def rows_of(events: Sequence[Event]) -> list[tuple[str, list[Event]]]:
    """Group the events by row, rows in order of first appearance."""
    rows: dict[str, list[Event]] = {}
    for event in sorted(events, key=lambda event: event.start):
        rows.setdefault(event.row, []).append(event)
    return list(rows.items())


def ink_on(colour: Colour) -> Colour:
    """Choose the text colour with the better contrast on ``colour``."""
    red, green, blue = colour
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else mix((255, 255, 255), colour, 0.02)


_SUPER = 3  # drawn three times larger, then reduced
_MARGIN = 36
_PATH_WORTH = 0.35  # m; a shorter path would be a dot from above


def pose_frames(motion: Motion, poses: int | None = None, marks: Sequence[Mark] = ()) -> NDArray[np.int64]:
    """Choose evenly spaced frames, first and last included; about two per second, 5 to 10.

    A mark between two poses moves the nearer one to its middle.
    """
    wanted = poses if poses is not None else int(np.clip(round(motion.duration * 2) + 1, 5, 10))
    frames = np.unique(np.linspace(0, motion.frames - 1, max(1, min(wanted, motion.frames))).round().astype(np.int64))
    for mark in marks:
        first, last = mark.start * motion.fps, mark.end * motion.fps
        if not ((frames >= first) & (frames <= last)).any():
            middle = int(np.clip(round((first + last) / 2), 0, motion.frames - 1))
            frames[np.abs(frames - middle).argmin()] = middle
    return np.unique(frames)


def _centres(joints: Array, seen: NDArray[np.bool_]) -> Array:
    """Compute the middle of the visible joints, [T, 3], which also centres a lying body."""
    weight = seen[..., None].astype(np.float64)
    return (np.where(seen[..., None], joints, 0.0) * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1.0)


def _wrap(draw: ImageDraw.ImageDraw, text: str, letters: Any, width: int, lines: int) -> list[str]:
    """Wrap ``text`` to at most ``lines`` lines of ``width`` pixels, with an ellipsis for the rest."""
    found: list[str] = [""]
    for word in drawable(text).split():
        trial = f"{found[-1]} {word}".strip()
        if draw.textlength(trial, font=letters) <= width or not found[-1]:
            found[-1] = trial
        else:
            found.append(word)
    if len(found) > lines:
        found = found[:lines]
        while found[-1] and draw.textlength(found[-1] + " …", font=letters) > width:
            found[-1] = found[-1].rpartition(" ")[0]
        found[-1] += " …"
    cut = []
    for line in found:
        while line and draw.textlength(line, font=letters) > width:  # one word longer than the line
            line = line.rstrip("…")[:-1] + "…" if len(line) > 2 else ""
        cut.append(line)
    return cut


def draw_strip(
    motion: Motion,
    *,
    view: str = "three-quarter",
    poses: int | None = None,
    width: int = 1600,
    title: str | None = None,
    subtitle: str | None = None,
    events: Sequence[Event] = (),
    window: tuple[float, float] | None = None,
    marks: Sequence[Mark] = (),
    notes: Sequence[tuple[str, Colour]] = (),
) -> Image.Image:
    """Draw poses over time, left and right in two colours, with the root's path and events; arguments as `render`."""
    joints = motion.joints.astype(np.float64)
    seen = motion.seen
    facing = first_facing(motion)
    view = "front" if motion.dimensions == 2 else view
    frames = pose_frames(motion, poses, marks)
    last = max(motion.frames - 1, 1) / motion.fps
    floor = floor_height(motion)
    centres = _centres(joints, seen)
    targets = centres.copy()
    targets[:, 1] = floor

    from_above = motion.dimensions == 3 and np.ptp(joints[:, 0][:, [0, 2]], axis=0).max() > _PATH_WORTH
    panel = round(width * 0.19) if from_above else 0
    rows = rows_of(events)
    label_room = 92 if rows else 0
    left, right = _MARGIN + label_room, width - _MARGIN - (panel + 40 if panel else 0)
    column = (right - left) / max(len(frames), 1)

    # One scale for all poses: the typical pose fills its column, none is higher than the band.
    probe = Camera.look(facing, view, scale=1.0, centre=(0.0, 0.0))
    spread, top, bottom = [], 0.5, 0.0
    for frame in frames:
        if seen[frame].any():
            pixels, _, _ = probe.project(joints[frame][seen[frame]], targets[frame])
            spread.append(np.ptp(pixels[:, 0]) + 0.16)
            top = max(top, float(-pixels[:, 1].min()) + 0.22)
            bottom = max(bottom, float(pixels[:, 1].max()) + 0.06)
    scale = min(1.02 * column / max(float(np.median(spread)) if spread else 1.0, 0.45), 420.0 / (top + bottom), 230.0)

    measure = ImageDraw.Draw(Image.new("L", (1, 1)))
    heading, small = font(25, bold=True), font(17)
    legend_room = 250
    titles = _wrap(measure, title if title is not None else motion.name, heading, width - 2 * _MARGIN - legend_room, 2)
    below = [(subtitle if subtitle is not None else subtitle_of(motion), MUTED), *notes]
    head = 24 + 34 * len(titles) + 34 + 24 * (len(below) - 1)
    ground = round(head + top * scale + 6)
    band_end = ground + round(max(bottom, 0.12) * scale) + 8
    axis = band_end + 30
    height = axis + 14 + 30 * len(rows) + 22
    if panel:
        height = max(height, head + panel + 40)

    big = Image.new("RGB", (width * _SUPER, height * _SUPER), PAPER)
    draw = ImageDraw.Draw(big)
    xs = left + column * (np.arange(len(frames)) + 0.5)

    def at_time(seconds: float) -> float:
        """Interpolate the pixel of a time, s, between poses (a mark may have moved one)."""
        return float(np.interp(min(seconds, last), frames / motion.fps, xs))

    if window is not None and len(frames) > 1 and (window[0] > 0.05 or window[1] < motion.duration - 0.1):
        box = [at_time(window[0]) - 6, head - 4, at_time(window[1]) + 6, axis - 2]
        draw.rounded_rectangle([value * _SUPER for value in box], 10 * _SUPER, fill=(255, 247, 224))
    for mark in marks:
        if mark.end - mark.start < 0.9 * motion.duration and len(frames) > 1:
            box = [at_time(mark.start) - 9, head - 4, at_time(mark.end) + 9, axis - 2]
            draw.rounded_rectangle([value * _SUPER for value in box], 10 * _SUPER, fill=(255, 240, 196))
    if motion.dimensions == 3 and view != "top":
        draw.rectangle([left * _SUPER, ground * _SUPER, right * _SUPER, (ground + 1.5) * _SUPER], fill=MUTED)

    cameras = [Camera.look(facing, view, scale=scale * _SUPER, centre=(x * _SUPER, ground * _SUPER)) for x in xs]
    if motion.dimensions == 3:
        mask = Image.new("L", big.size, 0)
        shade = ImageDraw.Draw(mask)
        for camera, frame in zip(cameras, frames, strict=True):
            draw_shadow(shade, joints[frame], seen[frame], camera, targets[frame], floor, ink=95)
        big.paste(Image.new("RGB", big.size, INK), mask=mask.filter(ImageFilter.GaussianBlur(2.2 * _SUPER)))
        draw = ImageDraw.Draw(big)
    for camera, frame in zip(cameras, frames, strict=True):
        draw_body(draw, joints[frame], seen[frame], camera, targets[frame], nose=motion.dimensions == 3)
        now = frame / motion.fps
        names = {name for mark in marks if mark.start - 0.05 <= now <= mark.end + 0.05 for name in mark.joints}
        draw_rings(draw, joints[frame], seen[frame], camera, targets[frame], names)
    if panel:
        _draw_path(draw, motion, facing, frames, (width - _MARGIN - panel, head + 6, width - _MARGIN, head + 6 + panel))

    image = big.reduce(_SUPER)
    draw = ImageDraw.Draw(image)
    for index, line in enumerate(titles):
        draw.text((_MARGIN, 20 + 34 * index), line, font=heading, fill=INK)
    for index, (line, colour) in enumerate(below):
        words = _wrap(draw, line, small, width - 2 * _MARGIN, 1)
        draw.text((_MARGIN, 22 + 34 * len(titles) + 24 * index), words[0], font=small, fill=colour)
    legend(image, width - _MARGIN, 26, 17)
    for x, frame in zip(xs, frames, strict=True):
        draw.text((x, band_end + 4), f"{frame / motion.fps:.1f} s", font=small, fill=INK, anchor="ma")
    _draw_rows(draw, rows, at_time, axis + 10, (_MARGIN, left, right))
    if panel:
        at = (width - _MARGIN - panel / 2, head + panel + 14)
        draw.text(at, "path from above", font=font(15), fill=MUTED, anchor="ma")
    return image


def subtitle_of(motion: Motion) -> str:
    """Write the line under the title: duration, source and original rate."""
    kind = "2D keypoints" if motion.dimensions == 2 else "3D"
    return f"{motion.duration:.1f} s, {motion.source} at {motion.source_fps:g} frames/s, {kind}"


def _draw_rows(
    draw: ImageDraw.ImageDraw,
    rows: list[tuple[str, list[Event]]],
    at_time: Callable[[float], float],
    top: int,
    columns: tuple[int, int, int],
) -> None:
    """Draw bars of events, one row per kind, with the label inside if it fits, else beside."""
    margin, left, right = columns
    letters = font(15)
    for number, (name, events) in enumerate(rows):
        y = top + 30 * number
        draw.text((margin, y + 11), name, font=letters, fill=INK, anchor="lm")
        draw.line([left, y + 11, right, y + 11], fill=FAINT, width=1)
        free = float(left)
        for event in events:
            start, end = at_time(event.start), at_time(event.end)
            end = max(end, start + 6)
            draw.rounded_rectangle([start, y + 1, end, y + 21], 5, fill=event.colour)
            length = draw.textlength(event.label, font=letters)
            if length + 10 <= end - start:
                middle = ((start + end) / 2, y + 11)
                draw.text(middle, event.label, font=letters, fill=ink_on(event.colour), anchor="mm")
            elif end + 6 + length <= right and start >= free:
                draw.text((end + 6, y + 11), event.label, font=letters, fill=INK, anchor="lm")
                end += length + 10
            free = end


def _draw_path(
    draw: ImageDraw.ImageDraw, motion: Motion, facing: Array, frames: NDArray[np.int64], box: tuple[int, int, int, int]
) -> None:
    """Draw the pelvis path from above, first facing up, darker with time, with the facing of each pose."""
    from vimonet.motion.kinematics import facing as facing_of

    camera = Camera.look(facing, "top", scale=1.0, centre=(0.0, 0.0))
    root = motion.joints[:, INDEX["pelvis"]].astype(np.float64)
    flat, _, _ = camera.project(root, root[0])
    forward = np.asarray(facing_of(motion.joints), dtype=np.float64)
    aim, _, _ = camera.project(root + forward, root[0])
    low, high = flat.min(axis=0), flat.max(axis=0)
    size = max(float((high - low).max()), 0.8)
    x0, y0, x1, y1 = (value * _SUPER for value in box)
    scale = (x1 - x0) * 0.74 / size
    middle, centre = (low + high) / 2, np.array([(x0 + x1) / 2, (y0 + y1) / 2 - 8 * _SUPER])
    draw.rounded_rectangle([x0, y0, x1, y1], 12 * _SUPER, outline=FAINT, width=2 * _SUPER, fill=(249, 250, 251))
    path = (flat - middle) * scale + centre
    for i in range(len(path) - 1):
        colour: Colour = mix((178, 188, 198), INK, i / len(path))
        draw.line([tuple(path[i]), tuple(path[i + 1])], fill=colour, width=3 * _SUPER)
    for frame in frames:
        ahead = aim[frame] - flat[frame]
        ahead = ahead / max(float(np.hypot(*ahead)), 1e-6)
        across = np.array([-ahead[1], ahead[0]])
        spot, step = path[frame], 9.0 * _SUPER
        # A small body from above: shoulders in the colours of their sides, a wedge for the facing.
        corners = (spot + ahead * step * 1.6, spot + across * step * 0.7, spot - across * step * 0.7)
        draw.polygon([tuple(corner) for corner in corners], fill=TORSO)
        dot(draw, spot + across * step * 0.75, 3.4 * _SUPER, RIGHT)
        dot(draw, spot - across * step * 0.75, 3.4 * _SUPER, LEFT)
        dot(draw, spot, 5.0 * _SUPER, TORSO)
    dot(draw, path[0], 2.4 * _SUPER, PAPER)
    bar = next(length for length in (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 50, 100, 1000) if length * scale >= 34 * _SUPER)
    start = np.array([x0 + 14 * _SUPER, y1 - 14 * _SUPER])
    draw.line([tuple(start), (start[0] + bar * scale, start[1])], fill=MUTED, width=2 * _SUPER)
    draw.text((start[0], start[1] - 5 * _SUPER), f"{bar:g} m", font=font(13 * _SUPER), fill=MUTED, anchor="ls")
