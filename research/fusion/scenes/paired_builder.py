"""``vimos-paired``: movement and video of the same moments, rendered, with everything in the picture known exactly.

Recorded and generated movements are put into bodies, clothes and rooms drawn from a seed, and filmed
(`research.fusion.scenes`). Test rows have movements, seeds, body shapes and rooms that training has not.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from research.fusion.scenes.draw_scene import draw_scene
from research.fusion.scenes.scene_captions import captions_of
from research.fusion.scenes.scene_questions import Asker, Filmed, ask_both, drawn, of_both, of_picture
from research.vimos_open import sources as real
from research.vimos_open.augment import OUTSIDE_TEST, OUTSIDE_TRAIN, Pool, cut
from research.vimos_open.time_warp import join
from vimonet.language import mirror_text
from vimonet.motion import Motion, retarget
from vimonet.utils.errors import InputError
from vimonet.vimos.annotators.annotate import askable, questions_of
from vimonet.vimos.annotators.kinematic import CANNOT_TELL
from vimonet.vimos.builders import option, register
from vimonet.vimos.builders.recorded_clips import MAX_FRAMES, centred
from vimonet.vimos.dataset_writer import Attached, Shard, Skipped, chunk
from vimonet.vimos.parquet import Record
from vimonet.vimos.types import Clip, Part, Question

RECIPE = 6
"""Raised whenever rows come out differently, so that a build begun with another recipe is not continued."""

_ROWS = 25
_TRIES = 60
_SHARES = {"sequence": 0.35, "single": 0.2, "mirrored": 0.2, "reversed": 0.25}
"""Rows of one person with two or three actions, or one; of two people who mirror or reverse each other."""
_WIDEST = {"sequence": 2.0, "single": 2.0, "mirrored": 0.9, "reversed": 0.9}
"""Metres of ground a movement may cover: a camera that shows more shows people too small."""

_PICTURE, _MOTION, _BOTH = 5, 6, 6
"""Most questions of each kind per row."""


@register("paired", "movement and rendered video of the same moments")
@dataclass(frozen=True)
class PairedBuilder:
    """Builder of ``vimos-paired``.

    Args:
        root: folder of the recordings, unread when `sources` is synthetic alone; None takes VIMONET_DATA.
        count: rows of ``train``.
        val: rows of ``val``.
        test: rows of ``test``.
        sources: corpora of 3D movement; () for all that the data folder has.
        seed: of every draw.
        pictures: pictures per video, over the whole of the movement.
        size: pixels of a picture's side, even.

    Raises:
        InputError: an unknown source, an odd size, no data folder, or no Panda3D (when rows are made).
    """

    root: str | None = option("folder of the recordings (default: $VIMONET_DATA)", None, "DIR")
    count: int = option("rows of train", 2000, "N")
    val: int = option("rows of val", 100, "N")
    test: int = option("rows of test", 300, "N")
    sources: tuple[str, ...] = option("corpora of 3D movement (default: all)", (), "NAME")
    seed: int = option("of every draw", 0, "N")
    pictures: int = option("pictures per video", 16, "N")
    size: int = option("pixels of a picture's side", 224, "N")

    name = "vimos-paired"

    def __post_init__(self) -> None:
        if self.size < 16 or self.size % 2:
            raise InputError(f"size is {self.size}; give an even number of pixels, 16 or more.")
        if self.pictures < 1 or min(self.count, self.val, self.test) < 0:
            raise InputError("rows and pictures are counted; give 0 or more rows and 1 or more pictures.")

    def _names(self) -> tuple[str, ...]:
        every = (*real.SOURCES_3D, "synthetic")
        for name in self.sources:
            if name not in every:
                raise InputError(f"unknown source '{name}' of 3D movement; known are {', '.join(every)}.")
        return self.sources or every

    def settings(self) -> dict[str, Any]:
        """What the dataset depends on (the place of the data folder is no part of it)."""
        plain = {key: getattr(self, key) for key in ("count", "val", "test", "seed", "pictures", "size")}
        return {"builder": "paired", "recipe": RECIPE, **plain, "sources": list(self._names())}

    def shards(self) -> list[Shard]:
        """Rows by index."""
        if any(name != "synthetic" for name in self._names()):
            real.data_folder(self.root)
        numbers = {"train": self.count, "val": self.val, "test": self.test}
        return [shard for split, n in numbers.items() for shard in chunk(split, range(n), _ROWS)]

    def records(self, shard: Shard) -> Iterator[Record | Skipped | Attached]:
        """Draw, film and ask the rows of a shard."""
        from research.fusion.scenes.film_scene import film_scene

        pool, licences = _pool(shard.split, self._names(), self.root)
        with tempfile.TemporaryDirectory(prefix="vimonet-") as folder:
            for index in shard.keys:
                name = f"{shard.split}/{index:06d}"
                rng = random.Random(f"paired/{self.seed}/{name}")
                mode, test = rng.choices(list(_SHARES), list(_SHARES.values()))[0], shard.split == "test"
                made = next(filter(None, (_draw(pool, rng, mode, test) for _ in range(_TRIES))), None)
                if made is None:
                    yield Skipped(name, f"no scene that shows all it asks about in {_TRIES} draws.")
                    continue
                film = Path(folder) / f"{shard.split}-{index:06d}.mp4"
                film_scene(film, made.filmed.scene, made.motions, self.pictures, self.size)
                yield Attached(str(film), f"video/{film.name}")
                yield _record(made, name, shard.split, f"video/{film.name}", licences, rng)
                film.unlink()

    def describe(self) -> str:
        """What the card says."""
        return _CARD


@dataclass(frozen=True)
class _Made:
    """A drawn row: movements of its people, where they come from, the scene, what can be asked of the movement."""

    mode: str
    motions: tuple[Motion, ...]
    clips: tuple[Clip, ...]
    filmed: Filmed
    measured: list[Question]


@lru_cache(maxsize=3)
def _pool(split: str, names: tuple[str, ...], root: str | None) -> tuple[Pool, dict[str, str]]:
    clips = [clip for clip in real.clips_of(split, names, root) if _usable(clip)]
    if not clips:
        raise InputError(f"the sources {', '.join(names)} have no labelled 3D movement for '{split}'.")
    return Pool(clips), {clip.source: clip.licence for clip in clips}


def _usable(clip: Clip) -> bool:
    action = clip.action
    if clip.motion.dimensions != 3 or not clip.side_known or not action or not askable(action):
        return False
    return action not in OUTSIDE_TRAIN | OUTSIDE_TEST and clip.motion.frames >= 24


def _draw(pool: Pool, rng: random.Random, mode: str, test: bool) -> _Made | None:
    """One try: movements, then a scene for them, then whether there is something to ask of both."""
    number = {"reversed": 2, "sequence": rng.choice((2, 2, 3))}.get(mode, 1)
    clips, motions, actions = _actions(pool, rng, number)
    if len(set(actions)) < number:
        return None
    one, parts = _joined(motions, actions)
    if one.frames > MAX_FRAMES:
        return None
    people, told = [one], [parts]
    if mode == "mirrored":
        people.append(one.mirrored())
        told.append([replace(part, action=mirror_text(part.action)) for part in parts])
    elif mode == "reversed":
        other, others = _joined(motions[::-1], actions[::-1])
        people.append(other)
        told.append(others)
    if any(not _fits(motion, _WIDEST[mode]) for motion in people):
        return None
    changes = [(a.end + b.start) / 2 for a, b in pairwise(parts)] if len(people) == 1 else []
    if len(people) == 2:
        changes = [rng.uniform(0.3, 0.7) * one.duration]
    scene = draw_scene([motion.joints for motion in people], changes, rng, test)
    if scene is None:
        return None
    filmed = Filmed.of(scene, people, told, reversed=mode == "reversed")
    measured, _ = questions_of(one, parts, rng, pool.others(rng, clips[0].source))
    asked = [q for q in measured if q.answer != CANNOT_TELL]
    made = _Made(mode, tuple(people), tuple(clips), filmed, asked)
    return made if of_both(filmed, random.Random(0)) else None


def _actions(pool: Pool, rng: random.Random, number: int) -> tuple[list[Clip], list[Motion], list[str]]:
    """Windows of some clips, half of them mirrored, with their actions."""
    clips, motions, actions = [], [], []
    for _ in range(number):
        clip = pool.draw(rng, dimensions=3)
        motion, action = cut(clip, rng, least=30, most=110 if number == 1 else 75)
        if action is None:
            continue
        if rng.random() < 0.5:
            motion, action = motion.mirrored(), mirror_text(action)
        clips.append(clip)
        motions.append(motion)
        actions.append(action)
    return clips, motions, actions


def _joined(motions: Sequence[Motion], actions: Sequence[str]) -> tuple[Motion, list[Part]]:
    """The movements one after the other, on one skeleton and begun above the origin."""
    joined, spans = join(motions) if len(motions) > 1 else (motions[0], [(0, motions[0].frames)])
    whole = centred(replace(joined, joints=retarget(joined.joints), fps=20.0))
    return whole, [Part(action, a / 20, b / 20) for action, (a, b) in zip(actions, spans, strict=True)]


def _fits(motion: Motion, widest: float) -> bool:
    """Whether a movement stays on a small piece of level floor and shows every joint."""
    ground = np.ptp(motion.joints[:, 0, [0, 2]], axis=0)
    lowest = motion.joints[..., 1].min(axis=1)
    seen = motion.confidence is None or bool(motion.confidence.min() > 0.5)
    return seen and float(ground.max()) < widest and float(np.quantile(lowest, 0.1) - lowest.min()) < 0.2


def _record(made: _Made, name: str, split: str, video: str, licences: dict[str, str], rng: random.Random) -> Record:
    filmed, motion = made.filmed, made.motions[0]
    asker = Asker(rng, split.startswith("test"))
    picture = list(of_picture(filmed, rng))
    told = [asker.scene(question, "picture") for question in rng.sample(picture, min(_PICTURE, len(picture)))]
    for question in drawn(made.measured, _MOTION, rng):
        asked = asker.motion(question, filmed.who(), "motion")
        told += [] if asked is None else [asked]
    told += ask_both(filmed, asker, _BOTH)
    recordings = list(dict.fromkeys(clip.recording for clip in made.clips))
    licence = "; ".join(dict.fromkeys(licences[clip.source] for clip in made.clips))
    return Record(
        name,
        "paired",
        recordings[0],
        split,
        licence,
        motion.named(name),
        video=video,
        actions=filmed.parts[0],
        captions=captions_of(filmed, rng),
        instructions=tuple(told),
        provenance={
            "recordings": recordings,
            "clips": [clip.id for clip in made.clips],
            "mode": made.mode,
            "given": filmed.who(),
            "scene": filmed.scene.to_dict(),
            "actions": [[[p.action, round(p.start, 2), round(p.end, 2)] for p in parts] for parts in filmed.parts],
        },
    )


_CARD = """\
Movement and video of the same moments: recorded and generated movements in bodies, clothes and rooms drawn from a seed,
filmed by a software renderer (Panda3D). Everything in the picture is known exactly and stands in `provenance`.

Questions are of three kinds, named in their evidence (`needs`): `picture` (colours, props, room, lamp, who), `motion`
(measured, as in vimos-open), `both` (their evidence has the `steps` to the answer). Of two people the movement of one
is given and the question says whose; the other does the opposite (the actions in the other order, or left for right),
so that a question about "the person in the red shirt" is a guess without the picture and without the movement. `test`
has recordings, seeds, body shapes and rooms that `train` has not."""
