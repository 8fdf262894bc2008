"""Draw one body: tapered limbs sorted by depth, left and right in two colours, a head with a nose.

Callers draw several times larger and reduce at the end, since PIL does not antialias polygons.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vimonet.motion.motion import Motion
from vimonet.motion.skeleton import INDEX

Array = NDArray[np.float64]
Colour = tuple[int, int, int]
Stroke = tuple[Array, Array, float, float]

# Orange and blue differ for every common kind of colour blindness.
LEFT: Colour = (226, 108, 42)
RIGHT: Colour = (36, 113, 178)
TORSO: Colour = (112, 124, 137)
INK: Colour = (31, 41, 51)
MUTED: Colour = (123, 135, 148)
FAINT: Colour = (222, 227, 232)
PAPER: Colour = (255, 255, 255)
MARK: Colour = (250, 190, 20)

# joint, joint, radius at each (metres), colour. Radii are a plain adult's, so a figure reads as a body, not as wires.
LIMBS: tuple[tuple[str, str, float, float, Colour], ...] = (
    ("left_hip", "left_knee", 0.068, 0.050, LEFT),
    ("left_knee", "left_ankle", 0.050, 0.034, LEFT),
    ("left_ankle", "left_foot", 0.036, 0.030, LEFT),
    ("right_hip", "right_knee", 0.068, 0.050, RIGHT),
    ("right_knee", "right_ankle", 0.050, 0.034, RIGHT),
    ("right_ankle", "right_foot", 0.036, 0.030, RIGHT),
    ("left_shoulder", "left_elbow", 0.044, 0.036, LEFT),
    ("left_elbow", "left_wrist", 0.036, 0.027, LEFT),
    ("right_shoulder", "right_elbow", 0.044, 0.036, RIGHT),
    ("right_elbow", "right_wrist", 0.036, 0.027, RIGHT),
)
# The trunk is drawn as one piece: rims between its bones would look like folds.
TRUNK: tuple[tuple[str, str, float, float], ...] = (
    ("pelvis", "spine1", 0.095, 0.090),
    ("spine1", "spine2", 0.090, 0.095),
    ("spine2", "spine3", 0.095, 0.095),
    ("spine3", "neck", 0.085, 0.050),
    ("neck", "head", 0.046, 0.046),
)
CHEST = ("left_shoulder", "right_shoulder", "right_hip", "left_hip")
HEAD_RADIUS, HAND_RADIUS = 0.105, 0.042


@functools.cache
def font(size: int, bold: bool = False) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Load DejaVu Sans, which comes with matplotlib and covers most scripts; Pillow's own font otherwise."""
    spec = importlib.util.find_spec("matplotlib")  # not imported, which would take longer than the drawing
    if spec is not None and spec.origin is not None:
        name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
        path = Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf" / name
        if path.is_file():
            # The other layout engine fails on some strings.
            return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)
    return ImageFont.load_default(size)


def drawable(text: str) -> str:
    """Reduce ``text`` to one line of at most 300 characters, without control characters and lone surrogates."""
    text = " ".join("".join(sign if sign.isprintable() else " " for sign in text[:2000]).split())
    return text if len(text) <= 300 else text[:299] + "…"


def mix(colour: Colour, other: Colour, share: float) -> Colour:
    """Mix ``colour`` with ``share`` (0..1) of ``other``."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def dot(draw: ImageDraw.ImageDraw, at: Array, radius: float, fill: Colour) -> None:
    """Draw a filled circle around a pixel."""
    x, y = float(at[0]), float(at[1])
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)


def capsule(draw: ImageDraw.ImageDraw, a: Array, b: Array, ra: float, rb: float, fill: Colour | int) -> None:
    """Draw a tapered stroke with round ends from pixel a (radius ra) to pixel b (radius rb)."""
    along = b - a
    length = float(np.hypot(along[0], along[1]))
    for point, radius in ((a, ra), (b, rb)):
        draw.ellipse((point[0] - radius, point[1] - radius, point[0] + radius, point[1] + radius), fill=fill)
    if length > 1e-6:
        across = np.array([-along[1], along[0]]) / length
        corners = [a + across * ra, b + across * rb, b - across * rb, a - across * ra]
        draw.polygon([(float(x), float(y)) for x, y in corners], fill=fill)


def _extended(joints: Array, seen: NDArray[np.bool_]) -> dict[str, Array]:
    """Add skull centre, nose, and hands, if their neighbours were seen."""
    points: dict[str, Array] = {}
    at = {name: joints[index] for name, index in INDEX.items()}
    known = {name: bool(seen[index]) for name, index in INDEX.items()}
    if known["head"]:
        up = at["head"] - at["neck"] if known["neck"] else np.array([0.0, 1.0, 0.0])
        up = up / max(float(np.linalg.norm(up)), 1e-6)
        points["skull"] = at["head"] + 0.06 * up
        if known["left_shoulder"] and known["right_shoulder"]:
            forward = np.cross(at["left_shoulder"] - at["right_shoulder"], up)
            points["nose"] = points["skull"] + 0.10 * forward / max(float(np.linalg.norm(forward)), 1e-6)
    for side in ("left", "right"):
        if known[f"{side}_wrist"] and known[f"{side}_elbow"]:
            reach = at[f"{side}_wrist"] - at[f"{side}_elbow"]
            points[f"{side}_hand"] = at[f"{side}_wrist"] + 0.06 * reach / max(float(np.linalg.norm(reach)), 1e-6)
    return points


def draw_shadow(
    draw: ImageDraw.ImageDraw,
    joints: Array,
    seen: NDArray[np.bool_],
    camera: Camera,
    target: Array,
    floor: float,
    ink: int = 255,
) -> None:
    """Draw the body projected onto the ground plane, on a mask; it shows foot placement and jump height."""
    flat = joints.copy()
    flat[:, 1] = floor
    pixels, _, magnification = camera.project(flat, target)
    for a, b, ra, rb in [limb[:4] for limb in LIMBS] + list(TRUNK):
        i, j = INDEX[a], INDEX[b]
        if seen[i] and seen[j]:
            size = camera.scale * magnification
            capsule(draw, pixels[i], pixels[j], ra * size[i] * 0.8, rb * size[j] * 0.8, ink)


def draw_body(
    draw: ImageDraw.ImageDraw,
    joints: Array,
    seen: NDArray[np.bool_],
    camera: Camera,
    target: Array,
    *,
    fade: float = 0.0,
    nose: bool = True,
) -> None:
    """Draw one pose, far parts first.

    Args:
        draw: canvas.
        joints: [22, 3] metres.
        seen: [22]; parts with an unseen end are left out.
        camera: projection.
        target: [3] the point the camera looks at.
        fade: 0..1, towards the paper.
        nose: whether to show the direction of the head, unknown in 2D.
    """
    pixels, depth, magnification = camera.project(joints, target)
    size = camera.scale * magnification
    middle = float(depth[seen].mean()) if seen.any() else 0.0

    def tint(colour: Colour, at_depth: float) -> Colour:
        far = float(np.clip((middle - at_depth) / 0.9, 0.0, 0.45))
        return mix(mix(colour, PAPER, far), PAPER, fade)

    rim = max(0.011 * camera.scale, 1.0)  # a darker rim keeps crossing limbs apart
    # (depth, order among equals, strokes (a, b, radius a, radius b), polygon or None, colour)
    parts: list[tuple[float, int, list[Stroke], list[int] | None, Colour]] = []

    def stroke(a: int, b: int, ra: float, rb: float) -> Stroke:
        return pixels[a], pixels[b], ra * float(size[a]), rb * float(size[b])

    bones = [(INDEX[a], INDEX[b], ra, rb) for a, b, ra, rb in TRUNK]
    trunk = [stroke(*bone) for bone in bones if seen[bone[0]] and seen[bone[1]]]
    chest: list[int] | None = [INDEX[name] for name in CHEST]
    if chest is not None and all(seen[index] for index in chest):
        trunk += [stroke(i, j, 0.055, 0.055) for i, j in zip(chest, [*chest[1:], chest[0]], strict=True)]
    else:
        chest = None
    trunk_depth = middle
    if trunk:
        known = [index for index in (0, 3, 6, 9, 16, 17) if seen[index]]
        trunk_depth = float(depth[known].mean()) if known else middle
        parts.append((trunk_depth, 0, trunk, chest, TORSO))
    for order, (a, b, ra, rb, colour) in enumerate(LIMBS, start=1):
        i, j = INDEX[a], INDEX[b]
        if seen[i] and seen[j]:
            parts.append((float(depth[[i, j]].mean()), order, [stroke(i, j, ra, rb)], None, colour))
    skull_depth = trunk_depth
    for order, (name, point) in enumerate(_extended(joints, seen).items(), start=50):
        pixel, near, magnified = camera.project(point, target)
        scale, at_depth = camera.scale * float(magnified), float(near)
        if name == "skull":
            # Never behind its neck; the nose lies before or behind it.
            skull_depth = max(at_depth, trunk_depth + 1e-3)
            radius = HEAD_RADIUS * scale
            parts.append((skull_depth, order, [(pixel, pixel, radius, radius)], None, TORSO))
            bare_depth = at_depth
        elif name == "nose":
            if nose:
                radius = 0.024 * scale
                shade = mix(TORSO, INK, 0.45)
                at_depth += skull_depth - bare_depth
                parts.append((at_depth, order, [(pixel, pixel, radius, radius)], None, shade))
        else:
            wrist = INDEX[name.replace("hand", "wrist")]
            side = LEFT if name.startswith("left") else RIGHT
            mitten = (pixels[wrist], pixel, 0.028 * float(size[wrist]), HAND_RADIUS * scale)
            parts.append((at_depth, order, [mitten], None, side))

    for at_depth, _, strokes, polygon, colour in sorted(parts, key=lambda part: part[:2]):
        shade = tint(colour, at_depth)
        for grow, fill in ((rim, mix(shade, INK, 0.35)), (0.0, shade)):
            for start, end, ra, rb in strokes:
                capsule(draw, start, end, ra + grow, rb + grow, fill)
            if polygon is not None:
                draw.polygon([(float(x), float(y)) for x, y in pixels[polygon]], fill=fill)


def draw_rings(
    draw: ImageDraw.ImageDraw,
    joints: Array,
    seen: NDArray[np.bool_],
    camera: Camera,
    target: Array,
    names: Iterable[str],
) -> None:
    """Ring the named joints of one pose: joints [22, 3] m, seen [22], target [3] the point the camera looks at."""
    pixels, _, magnification = camera.project(joints, target)
    for name in sorted(set(names)):
        index = INDEX[name]
        if not seen[index]:
            continue
        radius = max(0.115 * camera.scale * float(magnification[index]), 8.0)
        for grow, colour, share in ((0.07, INK, 0.40), (0.0, MARK, 0.26)):  # the dark rim holds on any background
            out = radius * (1.0 + grow)
            x, y = (float(value) for value in pixels[index])
            draw.ellipse((x - out, y - out, x + out, y + out), outline=colour, width=max(round(share * radius), 2))


def legend(image: Image.Image, right: int, top: int, size: int) -> int:
    """Draw the legend of the two colours, ending at ``right``, and return its start."""
    draw = ImageDraw.Draw(image)
    letters = font(size)
    x = float(right)
    for word, colour in (("right side", RIGHT), ("left side", LEFT)):
        x -= draw.textlength(word, font=letters)
        draw.text((x, top), word, font=letters, fill=INK)
        x -= size * 1.3
        draw.ellipse((x, top + size * 0.18, x + size * 0.85, top + size * 1.03), fill=colour)
        x -= size * 1.1
    return int(x)


# (azimuth from the front towards the person's right, elevation), degrees. From the right, a walk forward runs from left
# to right.
VIEWS: dict[str, tuple[float, float]] = {
    "front": (0.0, 6.0),
    "side": (90.0, 6.0),
    "three-quarter": (42.0, 12.0),
    "top": (0.0, 90.0),
}
_UP = np.array([0.0, 1.0, 0.0])


def first_facing(motion: Motion) -> Array:
    """Find the first facing, a unit vector [3] in the ground plane; +Z for 2D or if it is undefined."""
    forward = np.array([0.0, 0.0, 1.0])
    if motion.dimensions == 2:
        return forward
    from vimonet.motion.kinematics import facing

    found = np.asarray(facing(motion.joints[: min(motion.frames, 40)])[0], dtype=np.float64)
    norm = float(np.hypot(found[0], found[2]))
    return np.array([found[0], 0.0, found[2]]) / norm if np.isfinite(norm) and norm > 1e-6 else forward


def floor_height(motion: Motion) -> float:
    """Estimate the height of the ground, m, by a low percentile of the lowest joint."""
    heights = np.where(motion.seen, motion.joints[..., 1], np.inf).min(axis=1)
    heights = heights[np.isfinite(heights)]
    return float(np.percentile(heights, 5)) if heights.size else 0.0


@dataclass(frozen=True)
class Camera:
    """Hold a camera: screen axes in the world, pixels per metre and, for perspective, the viewing distance, m."""

    right: Array
    up: Array
    towards: Array  # unit vector from the target to the viewer: larger depth is nearer
    scale: float
    centre: tuple[float, float]  # pixel of the target
    distance: float | None = None  # None: orthographic

    @classmethod
    def look(
        cls, facing: Array, view: str, *, scale: float, centre: tuple[float, float], distance: float | None = None
    ) -> Camera:
        """Place a camera for one of VIEWS, for a person facing ``facing`` (unit, ground plane)."""
        azimuth, elevation = np.radians(VIEWS[view])
        if view == "top":  # a map: the first facing points up the page
            return cls(np.cross(-_UP, facing), facing, _UP, scale, centre, distance)
        rightwards = -np.cross(_UP, facing)
        around = np.cos(azimuth) * facing + np.sin(azimuth) * rightwards
        towards = np.cos(elevation) * around + np.sin(elevation) * _UP
        right = np.cross(-towards, _UP)
        right /= np.linalg.norm(right)
        return cls(right, np.cross(right, -towards), towards, scale, centre, distance)

    def project(self, points: Array, target: Array) -> tuple[Array, Array, Array]:
        """Project points [..., 3] about target [3], m, to pixels [..., 2], depth [...], m, and magnification [...]."""
        relative = np.asarray(points, dtype=np.float64) - target
        depth = relative @ self.towards
        magnification = np.ones_like(depth)
        if self.distance is not None:
            # Points behind the viewer are clamped to a tenth of the distance.
            magnification = self.distance / np.maximum(self.distance - depth, 0.1 * self.distance)
        factor = self.scale * magnification
        x = self.centre[0] + factor * (relative @ self.right)
        y = self.centre[1] - factor * (relative @ self.up)
        return np.stack([x, y], axis=-1), depth, magnification
