"""Write the embedded samples: procedural movements with known truth, in common file formats.

    python -m scripts.make_samples src/vimonet/samples

Files:
    walk, turn_left, turn_right, wave_right, raise_left, squats, jumps, fall, sit, walk_turn_wave (``.bvh``, 30
    frames/s), ``wave_right.npy`` (joints [T, 22, 3] m, 20 frames/s), ``squats_coco17.json`` (COCO-17 keypoints of a
    virtual camera, 30 frames/s), and ``truth.json``: file stem -> facts.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from research.vimos_open.synthesis import compose, generate
from research.vimos_open.synthesis.figure import Array, apply, rotation
from vimonet.motion.io.bvh_writer import write_bvh
from vimonet.motion.kinematics import heading
from vimonet.motion.motion import Motion

SINGLE: Final[dict[str, tuple[str, int, dict[str, Any]]]] = {
    "walk": ("walk", 3, {"speed": 1.2, "duration": 4.0}),
    "turn_left": ("turn_walking", 5, {"side": "left", "degrees": 90.0, "speed": 1.0}),
    "turn_right": ("turn_walking", 8, {"side": "right", "degrees": 120.0, "speed": 1.1}),
    "wave_right": ("wave", 11, {"side": "right", "count": 5}),
    "raise_left": ("raise_hand", 4, {"side": "left"}),
    "squats": ("squats", 7, {"count": 5}),
    "jumps": ("jumps", 6, {"count": 3, "height": 0.25}),
    "fall": ("fall", 2, {"direction": "left"}),
    "sit": ("sit_down", 9, {}),
}
COMPOSED: Final[tuple[tuple[str, dict[str, Any]], ...]] = (
    ("walk", {"speed": 1.1, "duration": 2.6}),
    ("turn_in_place", {"side": "left", "degrees": 90.0}),
    ("wave", {"side": "left", "count": 4}),
)


def write_samples(folder: str | os.PathLike[str]) -> list[Path]:
    """Write all samples into a folder, with the same bytes every time."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    truths: dict[str, Any] = {}
    written = []
    for name, (action, seed, parameters) in SINGLE.items():
        motion, truth = generate(action, seed=seed, fps=30.0, **parameters)
        written.append(write_bvh(motion, folder / f"{name}.bvh"))
        truths[name] = {"file": f"{name}.bvh", "duration": motion.duration, **truth}
    motion, truth = compose(COMPOSED, seed=12, fps=30.0)
    written.append(write_bvh(motion, folder / "walk_turn_wave.bvh"))
    truths["walk_turn_wave"] = {"file": "walk_turn_wave.bvh", "duration": motion.duration, **truth}

    action, seed, parameters = SINGLE["wave_right"]
    motion, _ = generate(action, seed=seed, **parameters)
    with open(temporary := folder / ".wave_right.part", "wb") as file:
        np.save(file, motion.joints, allow_pickle=False)
    os.replace(temporary, folder / "wave_right.npy")
    written.append(folder / "wave_right.npy")

    action, seed, parameters = SINGLE["squats"]
    motion, _ = generate(action, seed=seed, fps=30.0, **parameters)
    written.append(_write_text(folder / "squats_coco17.json", json.dumps(coco17(motion), separators=(",", ":")) + "\n"))
    plain = json.dumps(truths, indent=1, default=float)
    written.append(_write_text(folder / "truth.json", plain + "\n"))
    return written


def _write_text(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.part")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)
    return path


def coco17(
    motion: Motion, azimuth: float = 25.0, distance: float = 4.0, size: tuple[int, int] = (640, 480)
) -> dict[str, Any]:
    """Project a motion to the keypoints of a virtual camera, in COCO's annotation layout.

    Args:
        motion: 3D motion.
        azimuth: angle of the camera around the body from the facing of the first frame, degrees.
        distance: distance of the camera from the body's median position, m; the camera is 1 m high.
        size: width and height of the image in pixels.

    Returns:
        ``{"format": "coco17", "fps", "width", "height", "annotations": [{"image_id", "category_id", "keypoints": 51
        numbers}]}``, x right, y down, third value 2 (labelled and visible).
    """
    joints = motion.joints.astype(np.float64)
    up = joints[:, 15] - joints[:, 12]
    up /= np.sqrt((up**2).sum(-1, keepdims=True))
    face = np.degrees(heading(joints, motion.fps))
    forward, left = (
        apply(rotation(1, face), np.array([0.0, 0.0, 1.0])),
        apply(rotation(1, face), np.array([1.0, 0.0, 0.0])),
    )

    def on_head(ahead: float, across: float, above: float) -> Array:
        return joints[:, 15] + ahead * forward + across * left + above * up

    head = [(0.11, 0.0, 0.04), (0.09, 0.03, 0.07), (0.09, -0.03, 0.07), (0.0, 0.075, 0.05), (0.0, -0.075, 0.05)]
    body: list[Array] = [joints[:, j] for j in (16, 17, 18, 19, 20, 21, 1, 2, 4, 5, 7, 8)]
    points = np.stack([on_head(*place) for place in head] + body, axis=1)
    centre = np.array([np.median(joints[:, 0, 0]), 1.0, np.median(joints[:, 0, 2])])
    seen = (points - centre) @ rotation(1, np.array([-face[0] - azimuth]))[0].T
    width, height = size
    scale = 0.9 * height / 2.0 * distance / (distance - seen[..., 2])
    # The camera faces the person: the person's left is on the right of the image.
    pixels = np.stack([width / 2 + scale * seen[..., 0], height / 2 - scale * seen[..., 1]], axis=-1)
    annotations = []
    for i, frame in enumerate(pixels):
        row = [value for x, y in frame for value in (round(float(x), 1), round(float(y), 1), 2)]
        annotations.append({"image_id": i + 1, "category_id": 1, "keypoints": row})
    return {"format": "coco17", "fps": motion.fps, "width": width, "height": height, "annotations": annotations}


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.make_samples", description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="output folder, such as src/vimonet/samples")
    for path in write_samples(parser.parse_args().out):
        print(f"{path}  {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
