"""From a decoded frame to an upright RGB picture with square pixels."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MAX_ASPECT = 10


@dataclass(frozen=True)
class Geometry:
    """How the pictures of one video are laid out; the same for all its frames, even where the stored size changes.

    Attributes:
        width, height: to scale a stored frame to, before it is turned.
        rotation: degrees anticlockwise to turn it by: 0, 90, 180 or 270.
        alpha: whether transparency is laid over white.
    """

    width: int
    height: int
    rotation: int
    alpha: bool

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture."""
        return (self.height, self.width) if self.rotation in (90, 270) else (self.width, self.height)


def geometry(frame: Any, aspect: Fraction | None, max_side: int | None = None) -> Geometry:
    """The geometry that the first frame tells.

    Args:
        frame: ``av.VideoFrame``.
        aspect: width of a stored pixel / its height; None = square.
        max_side: the longer side is scaled down to this many pixels.
    """
    width, height = frame.width, frame.height
    if aspect and aspect != 1 and Fraction(1, _MAX_ASPECT) <= aspect <= _MAX_ASPECT:
        width = max(1, round(width * aspect))
    if max_side is not None and max(width, height) > max_side:
        scale = max_side / max(width, height)
        width, height = max(1, round(width * scale)), max(1, round(height * scale))
    rotation = round((frame.rotation or 0) / 90) * 90 % 360
    return Geometry(width, height, rotation, has_alpha(frame))


def has_alpha(frame: Any) -> bool:
    """Whether the stored pixels carry transparency."""
    return any(component.is_alpha for component in frame.format.components) or frame.format.name == "pal8"


def to_rgb(frame: Any, shape: Geometry) -> NDArray[np.uint8]:
    """uint8 [H, W, 3]: scaled, over white where transparent, upright."""
    smaller = shape.width < frame.width or shape.height < frame.height
    image = frame.to_ndarray(
        format="rgba" if shape.alpha else "rgb24",
        width=shape.width,
        height=shape.height,
        interpolation="AREA" if smaller else "BICUBIC",
    )
    if shape.alpha:
        opaque = image[..., 3:].astype(np.uint16)
        image = ((image[..., :3] * opaque + 255 * (255 - opaque) + 127) // 255).astype(np.uint8)
    return np.ascontiguousarray(np.rot90(image, shape.rotation // 90))
