"""Draw a motion as an animation with a following camera, a ground grid, and labels of current events."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from vimonet.motion.motion import Motion
from vimonet.motion.render.body_drawing import (
    FAINT,
    INK,
    LEFT,
    MARK,
    MUTED,
    PAPER,
    RIGHT,
    TORSO,
    Array,
    Camera,
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
from vimonet.motion.render.strip import KINDS, Event, Mark, ink_on
from vimonet.motion.skeleton import INDEX

_SUPER = 2
_GRID = 0.5  # metres
_TRAIL = 0.6  # seconds of wrist trails


def _smooth(path: Array, frames: int) -> Array:
    """Compute the moving average over time with held ends, so that the camera does not shake with every step."""
    span = max(1, min(frames, 2 * (len(path) // 2) - 1))
    if span < 3:
        return path
    padded = np.pad(path, ((span // 2, span // 2), (0, 0)), mode="edge")
    kernel = np.ones(span) / span
    return np.stack([np.convolve(padded[:, axis], kernel, mode="valid") for axis in range(path.shape[1])], axis=1)


def draw_frames(
    motion: Motion,
    *,
    view: str = "three-quarter",
    size: tuple[int, int] = (640, 640),
    title: str | None = None,
    events: Sequence[Event] = (),
    step: int = 1,
    marks: Sequence[Mark] = (),
) -> Iterator[Image.Image]:
    """Draw every ``step``-th frame as RGB images of ``size`` (width, height); other arguments as `render`."""
    width, height = size
    joints, seen = motion.joints.astype(np.float64), motion.seen
    flat = motion.dimensions == 2
    view = "front" if flat else view
    facing, floor = first_facing(motion), floor_height(motion)
    root = joints[:, INDEX["pelvis"]]
    target = _smooth(root, 21)
    # The camera keeps its height unless the person leaves it, so that a jump is visible.
    middle = floor + 0.92
    target[:, 1] = np.median(root[:, 1]) if flat else middle + 0.6 * np.clip(target[:, 1] - middle - 0.5, 0.0, None)
    reach = np.linalg.norm(np.where(seen[..., None], joints - target[:, None], 0.0), axis=-1)
    room = max(1.15, float(np.percentile(reach, 99.5)) + 0.15)
    band = round(0.11 * height)
    camera = Camera.look(
        facing,
        view,
        scale=_SUPER * (min(width, height) - 1.4 * band) / (2 * room),
        centre=(_SUPER * width / 2, _SUPER * height * 0.5),
        distance=None if flat else 6.5,
    )
    heading, small = font(max(12, height // 34), bold=True), font(max(11, height // 38))
    for index in range(0, motion.frames, step):
        big = Image.new("RGB", (width * _SUPER, height * _SUPER), PAPER)
        if not flat:
            _draw_ground(big, camera, target[index], floor, room)
            _draw_trace(big, root[: index + 1], camera, target[index], floor)
            mask = Image.new("L", (big.width // 2, big.height // 2), 0)  # a soft shadow needs no resolution
            half = Camera(
                camera.right,
                camera.up,
                camera.towards,
                camera.scale / 2,
                (camera.centre[0] / 2, camera.centre[1] / 2),
                camera.distance,
            )
            draw_shadow(ImageDraw.Draw(mask), joints[index], seen[index], half, target[index], floor, ink=100)
            mask = mask.filter(ImageFilter.GaussianBlur(2.0 * _SUPER)).resize(big.size, Image.Resampling.BILINEAR)
            big.paste(Image.new("RGB", big.size, INK), mask=mask)
        _draw_trails(big, motion, index, camera, target[index])
        draw_body(ImageDraw.Draw(big), joints[index], seen[index], camera, target[index], nose=not flat)
        names = {name for mark in marks if mark.start <= index / motion.fps <= mark.end for name in mark.joints}
        draw_rings(ImageDraw.Draw(big), joints[index], seen[index], camera, target[index], names)
        image = big.reduce(_SUPER)
        _draw_words(image, motion, index, title, events, (heading, small))
        yield image


def _draw_ground(big: Image.Image, camera: Camera, target: Array, floor: float, room: float) -> None:
    """Draw a ground grid of half metres, fixed to the world, which shows locomotion."""
    draw = ImageDraw.Draw(big)
    far = 2.6 * room
    centre = np.array([target[0], floor, target[2]])
    low = np.floor((centre[[0, 2]] - far) / _GRID) * _GRID
    lines = np.arange(0.0, 2 * far + _GRID, _GRID)
    ticks = np.linspace(0.0, 2 * far, 15)
    for axis in (0, 1):
        points = np.empty((len(lines), len(ticks), 3))
        points[..., 1] = floor
        points[..., 0 if axis == 0 else 2] = (low[axis] + lines)[:, None]
        points[..., 2 if axis == 0 else 0] = (centre[2 if axis == 0 else 0] - far + ticks)[None]
        pixels, _, _ = camera.project(points, target)
        away = np.linalg.norm((points[:, 1:] + points[:, :-1]) / 2 - centre, axis=-1) / far
        for line in range(len(lines)):
            for tick in range(len(ticks) - 1):
                if away[line, tick] < 1.0:
                    shade = mix((205, 212, 219), PAPER, float(away[line, tick]) ** 1.5)
                    draw.line([tuple(pixels[line, tick]), tuple(pixels[line, tick + 1])], fill=shade, width=_SUPER)


def _draw_trace(big: Image.Image, root: Array, camera: Camera, target: Array, floor: float) -> None:
    """Draw the pelvis' path on the ground so far."""
    if len(root) < 2:
        return
    path = root[-200:].copy()
    path[:, 1] = floor
    pixels, _, _ = camera.project(path, target)
    ImageDraw.Draw(big).line([tuple(pixel) for pixel in pixels], fill=MUTED, width=2 * _SUPER, joint="curve")


def _draw_trails(big: Image.Image, motion: Motion, index: int, camera: Camera, target: Array) -> None:
    """Draw the recent paths of the hands."""
    draw = ImageDraw.Draw(big)
    begin = max(0, index - round(_TRAIL * motion.fps))
    for name, colour in (("left_wrist", LEFT), ("right_wrist", RIGHT)):
        joint = INDEX[name]
        pixels, _, _ = camera.project(motion.joints[begin : index + 1, joint].astype(np.float64), target)
        for i in range(len(pixels) - 1):
            if motion.seen[begin + i : begin + i + 2, joint].all():
                share = 1.0 - (i + 1) / len(pixels)
                draw.line(
                    [tuple(pixels[i]), tuple(pixels[i + 1])],
                    fill=mix(colour, PAPER, 0.35 + 0.6 * share),
                    width=round((4 - 3 * share) * _SUPER),
                )


def _draw_words(
    image: Image.Image, motion: Motion, index: int, title: str | None, events: Sequence[Event], fonts: tuple[Any, Any]
) -> None:
    """Draw name, legend, time, progress, and the current events."""
    heading, small = fonts
    draw = ImageDraw.Draw(image)
    width, height = image.size
    edge = round(0.03 * width)
    left_of_legend = legend(image, width - edge, edge, small.size)
    name = drawable(title if title is not None else motion.name)
    while name and draw.textlength(name, font=heading) > left_of_legend - edge - 8:
        name = name.rstrip("…")[:-1] + "…" if len(name) > 2 else ""
    draw.text((edge, edge - 2), name, font=heading, fill=INK)
    now = index / motion.fps
    line = height - edge
    draw.line([edge, line, width - edge, line], fill=FAINT, width=4)
    share = index / max(motion.frames - 1, 1)
    draw.line([edge, line, edge + share * (width - 2 * edge), line], fill=INK, width=4)
    last = max(motion.frames - 1, 1) / motion.fps
    draw.text((width - edge, line - 10), f"{now:.1f} / {last:.1f} s", font=small, fill=INK, anchor="rs")
    x = float(edge)
    for event in events:
        if event.start <= now <= event.end:
            words = f"{event.row}: {event.label}"
            length = draw.textlength(words, font=small)
            draw.rounded_rectangle([x, line - 14 - small.size, x + length + 16, line - 6], 6, fill=event.colour)
            draw.text((x + 8, line - 11), words, font=small, fill=ink_on(event.colour), anchor="ls")
            x += length + 24


def _with_swatches(first: Image.Image) -> Image.Image:
    """Return the first frame with ramps of all colours beneath, since some occur later (trails, event labels)."""
    colours = (LEFT, RIGHT, TORSO, MARK, *KINDS.values())
    ramp = [mix(colour, PAPER, share) for colour in colours for share in np.linspace(0.0, 0.9, 10)]
    ramp += [mix(mix(colour, PAPER, 0.3), INK, 0.35) for colour in colours]
    swatches = Image.fromarray(np.array([ramp], dtype=np.uint8)).resize((first.width, 60), Image.Resampling.NEAREST)
    image = Image.new("RGB", (first.width, first.height + 60))
    image.paste(first, (0, 0))
    image.paste(swatches, (0, first.height))
    return image


def write_gif(frames: Iterable[Image.Image], path: Path, fps: float) -> None:
    """Write a looping GIF with one palette for all frames, which avoids flicker."""
    iterator = iter(frames)
    first = next(iterator)
    palette = _with_swatches(first).quantize(colors=240, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    shown = first.quantize(palette=palette, dither=Image.Dither.NONE)
    rest = (frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in iterator)
    with open(path, "wb") as file:
        shown.save(file, "GIF", save_all=True, append_images=rest, duration=round(1000 / fps), loop=0, disposal=1)


def write_mp4(frames: Iterable[Image.Image], path: Path, fps: float) -> None:
    """Write H.264 through PyAV, or MPEG-4 part 2 if PyAV has no H.264 encoder."""
    import av

    codec = "libx264" if "libx264" in av.codecs_available else "mpeg4"
    with av.open(os.fspath(path), "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream: Any = None
        for image in frames:
            if stream is None:
                stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1000))
                stream.width, stream.height = image.width // 2 * 2, image.height // 2 * 2  # 4:2:0 wants even sides
                stream.pix_fmt = "yuv420p"
                stream.options = {"crf": "20", "preset": "veryfast"} if codec == "libx264" else {"qscale": "4"}
            pixels: NDArray[np.uint8] = np.asarray(image)[: stream.height, : stream.width]
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
