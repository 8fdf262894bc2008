"""The embedded film: two people of whom one waves the right hand, as in ``wave_right.bvh``, and the other the left.

    python -m research.fusion.embedded_film src/vimonet/samples

Made like a row of `vimos-paired` (`research.fusion.scenes.paired_builder`), of the generator's movement. The
bytes depend on the encoder's version; pictures and scene do not.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from research.fusion.scenes.draw_scene import draw_scene
from research.fusion.scenes.scene_questions import Filmed
from vimonet.motion import Motion, load
from vimonet.vimos.builders.recorded_clips import centred

NAME = "wave_right.mp4"
_PICTURES = 16
_SIZE = 224


def sample_scene(folder: str | Path) -> tuple[Filmed, tuple[Motion, Motion]]:
    """What is filmed, and the movements of its two people: the first one's is ``wave_right.bvh`` of the folder."""
    motion = centred(load(Path(folder) / "wave_right.bvh"))
    people = (motion, motion.mirrored())
    scene = draw_scene([one.joints for one in people], [motion.duration / 2], random.Random("sample/4"))
    assert scene is not None
    return Filmed.of(scene, people, ((), ())), people


def write_sample(folder: str | Path) -> Path:
    """Film the whole of the movement into the folder of the embedded recordings; returns the file.

    Raises:
        InputError: Panda3D is not installed, or the movement is not there.
    """
    from research.fusion.scenes.film_scene import film_scene

    filmed, people = sample_scene(folder)
    path = Path(folder) / NAME
    film_scene(path, filmed.scene, people, _PICTURES, _SIZE)
    return path


if __name__ == "__main__":
    print(write_sample(sys.argv[1]))
