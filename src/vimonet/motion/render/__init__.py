"""Draw movement: a ``.png`` strip of poses over time, or a ``.gif`` / ``.mp4`` that follows the person.

It draws with PIL and its own projection, without a display or a video program.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vimonet.motion.motion import Motion
from vimonet.motion.render.body_drawing import PAPER, VIEWS, Colour
from vimonet.motion.render.strip import Event, Mark, draw_strip, events_of
from vimonet.utils.errors import InputError
from vimonet.utils.files import whole_file

if TYPE_CHECKING:
    from PIL import Image

__all__ = [
    "FORMATS",
    "VIEWS",
    "Event",
    "Mark",
    "check_output",
    "draw_strip",
    "events_of",
    "render",
    "stack",
    "write_png",
]

FORMATS = (".png", ".gif", ".mp4")


def check_output(path: str | os.PathLike[str]) -> Path:
    """Check an output path before any work: its suffix, and that its folder exists.

    Raises:
        InputError: the path cannot be written.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise InputError(f"{path}: unknown image format '{path.suffix}'; the name must end in .png, .gif or .mp4.")
    if path.is_dir():
        raise InputError(f"{path}: this is a directory; give the name of a file to write.")
    if not path.parent.is_dir():
        raise InputError(f"{path}: the folder {path.parent} does not exist; create it or choose another.")
    return path


def render(
    motion: Motion,
    path: str | os.PathLike[str],
    *,
    view: str = "three-quarter",
    poses: int | None = None,
    width: int | None = None,
    title: str | None = None,
    subtitle: str | None = None,
    window: tuple[float, float] | None = None,
    events: Sequence[Event] | None = None,
    marks: Sequence[Mark] = (),
    notes: Sequence[tuple[str, Colour]] = (),
    progress: bool = False,
) -> Path:
    """Draw a motion to ``path``, whose suffix chooses a .png strip, a .gif or an .mp4 animation.

    Args:
        motion: 3D or 2D; a 2D motion is always shown as recorded.
        path: ``.png``, ``.gif`` or ``.mp4``.
        view: ``front``, ``side``, ``three-quarter`` or ``top``, relative to the first facing.
        poses: number of poses of a strip; None for about two per second.
        width: pixels; None for 1600 (strip), 640 (.mp4) or 480 (.gif).
        title: first line; None for the recording's name.
        subtitle: second line of a strip; None for duration and source.
        window: start and end to mark in a strip, s.
        events: events to show; None measures them.
        marks: spans to highlight: a band in a strip, rings around the joints.
        notes: further lines of a strip, each with its colour.
        progress: show a progress bar on standard error while an animation is drawn.

    Returns:
        The path written.

    Raises:
        InputError: an unknown suffix or view, or a folder that does not exist.
    """
    path = check_output(path)
    if view not in VIEWS:
        raise InputError(f"{view}: unknown view; choose one of {', '.join(VIEWS)}.")
    if poses is not None and poses < 1:
        raise InputError(f"{poses}: a strip needs at least one pose.")
    if width is not None and not 200 <= width <= 8000:
        raise InputError(f"{width}: the width must lie between 200 and 8000 pixels.")
    shown = events_of(motion) if events is None else tuple(events)
    kind = path.suffix.lower()
    if kind == ".png":
        strip = draw_strip(
            motion,
            view=view,
            poses=poses,
            width=width or 1600,
            title=title,
            subtitle=subtitle,
            events=shown,
            window=window,
            marks=marks,
            notes=notes,
        )
        write_png(strip, path)
        return path
    from vimonet.motion.render.animation import draw_frames, write_gif, write_mp4

    side = (width or (480 if kind == ".gif" else 640)) // 2 * 2
    step = 2 if kind == ".gif" else 1  # GIF times are whole hundredths of a second and its files are large
    frames = draw_frames(motion, view=view, size=(side, side), title=title, events=shown, step=step, marks=marks)
    write = write_gif if kind == ".gif" else write_mp4
    with whole_file(path) as part:
        write(_with_progress(frames, -(-motion.frames // step), path.name, progress), part, motion.fps / step)
    return path


def stack(images: Sequence[Image.Image]) -> Image.Image:
    """Stack images of equal width below each other."""
    from PIL import Image

    whole = Image.new("RGB", (max(image.width for image in images), sum(image.height for image in images)), PAPER)
    top = 0
    for image in images:
        whole.paste(image, (0, top))
        top += image.height
    return whole


def write_png(image: Image.Image, path: Path) -> None:
    """Write an image as PNG."""
    with whole_file(path) as part:
        image.save(part, "PNG", optimize=True)


def _with_progress(frames: Iterable[Image.Image], total: int, name: str, progress: bool) -> Iterable[Image.Image]:
    if not progress:
        return frames
    from tqdm import tqdm

    return tqdm(frames, total=total, desc=name, unit="frame", disable=None, delay=1.0, leave=False)
