"""Small videos made with PyAV: every picture carries its number in black and white blocks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS, BLOCK = 10, 16
WIDTH, HEIGHT = 176, 96


def picture(number: int, width: int = WIDTH, height: int = HEIGHT, channels: int = 3) -> np.ndarray:
    """uint8 [H, W, 3]: the number in a row of blocks at the top left, red at the right edge, on grey."""
    image = np.full((height, width, channels), 90, np.uint8)
    image[:, -BLOCK:, :3] = (200, 30, 30)
    if channels == 4:
        image[..., 3] = 255
    for bit in range(BITS):
        image[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK, :3] = 255 if number >> bit & 1 else 0
    return image


def number_of(image: np.ndarray) -> int:
    """The number a picture carries."""
    blocks = [image[4 : BLOCK - 4, bit * BLOCK + 4 : (bit + 1) * BLOCK - 4].mean() > 127 for bit in range(BITS)]
    return sum(1 << bit for bit, on in enumerate(blocks) if on)


def make(
    path: Path,
    frames: int = 60,
    *,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rate: int = 25,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    times: Sequence[int] | None = None,
    rotation: int = 0,
    aspect: Fraction | None = None,
    gop: int = 12,
    options: dict[str, str] | None = None,
    container: dict[str, str] | None = None,
    draw: Callable[[int], np.ndarray] | None = None,
    format: str | None = None,
    sound: float = 0.0,
) -> Path:
    """Write a clip; ``times`` are ticks of 1/1000 s for a variable rate, ``sound`` seconds of silence beside it."""
    with av.open(str(path), "w", format=format, container_options=container or {}) as file:
        stream = file.add_stream(codec, rate=rate, options=options or {})
        stream.width, stream.height, stream.pix_fmt = *size, pixels
        stream.gop_size = gop
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        if sound:
            _add_silence(file, file.add_stream("libopus", rate=48000), int(sound * 50))
        for number in range(frames):
            image = draw(number) if draw else picture(number, *size)
            frame = av.VideoFrame.from_ndarray(image, format="rgba" if image.shape[2] == 4 else "rgb24")
            frame = frame.reformat(format=pixels)
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            else:
                frame.pts, frame.time_base = number, Fraction(1, rate)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return path


def make_sound(path: Path) -> Path:
    """A second of silence without a picture."""
    with av.open(str(path), "w") as file:
        _add_silence(file, file.add_stream("aac", rate=16000), 16)
    return path


def _add_silence(file: av.container.OutputContainer, stream: av.AudioStream, packets: int) -> None:
    samples = stream.codec_context.sample_rate // 50 if stream.codec_context.name == "libopus" else 1024
    frame = av.AudioFrame.from_ndarray(np.zeros((1, samples), np.float32), format="flt", layout="mono")
    frame.sample_rate = stream.codec_context.sample_rate
    for number in range(packets):
        frame.pts = number * samples
        file.mux(stream.encode(frame))
    file.mux(stream.encode(None))
