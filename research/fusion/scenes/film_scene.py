"""A scene to an MP4 that is the same to the byte every time it is made."""

from __future__ import annotations

import os
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from research.fusion.scenes.renderer import render
from research.fusion.scenes.scene import Scene
from vimonet.motion import FPS, Motion
from vimonet.utils.errors import InputError

# A constant quantiser: with rate control by macroblock tree, x264 gave now and then other bytes for the same pictures.
_FLAGS = {
    **{"qp": "20", "preset": "veryfast", "threads": "1", "flags": "+bitexact"},
    "x264-params": "threads=1:sliced-threads=0:mbtree=0:sync-lookahead=0",
}


def film_scene(path: str | Path, scene: Scene, motions: Sequence[Motion], pictures: int, size: int) -> None:
    """Film the whole of a movement.

    Args:
        path: the MP4.
        scene: what it holds.
        motions: of each of its people, equally long.
        pictures: how many, from the first frame on and equally far apart.
        size: pixels of a picture's side, even.

    Raises:
        InputError: Panda3D is not installed, or PyAV was built without libx264.
    """
    rate = Fraction(pictures * int(FPS), motions[0].frames)
    times = np.arange(pictures) / float(rate)
    write_film(path, render(scene, [motion.joints for motion in motions], times, FPS, size), rate)


def write_film(path: str | Path, pictures: NDArray[np.uint8], rate: Fraction) -> None:
    """Write pictures as H.264 in an MP4, whole or not at all.

    One thread, no date and no version text: the bytes depend on the pictures, the rate and the encoder's version.

    Args:
        path: the MP4.
        pictures: uint8 [N, H, W, 3], H and W even.
        rate: pictures per second.

    Raises:
        InputError: PyAV was built without libx264.
    """
    import av

    if "libx264" not in av.codecs_available:
        raise InputError("this PyAV has no libx264; install the wheel of av that PyPI has.")
    part = Path(f"{path}.part")
    options = {"movflags": "faststart", "fflags": "+bitexact"}
    with av.open(os.fspath(part), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=rate, options=_FLAGS)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode(None))
    os.replace(part, path)
