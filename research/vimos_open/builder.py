"""Build ``vimos-open``, the dataset that the shipped models are trained on.

``train`` and ``val`` hold samples drawn from the recordings (single, joined, mirrored, warped, with hidden limbs,
filmed, with another sensor's errors) and, where their keypoints are at hand, the labelled films. ``test`` and
``test_view`` hold the evaluation items about the recordings as they are, ``test_films`` those about the films.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from research.vimos_open import sources as real
from research.vimos_open.augment import Pool, Sample, Variants, make_sample
from research.vimos_open.eval_questions import RECOGNITION, evaluation_items
from research.vimos_open.eyes import with_eyes
from research.vimos_open.film_poses import looked_at
from research.vimos_open.films import FILMS, film_clips, film_records, poses_folder, read_films
from vimonet.utils.errors import InputError
from vimonet.vimos.annotators.kinematic import CANNOT_TELL
from vimonet.vimos.builders import option, register
from vimonet.vimos.builders.recorded_clips import centred
from vimonet.vimos.dataset_writer import Attached, Shard, Skipped, chunk
from vimonet.vimos.parquet import Caption, Instruction, Record
from vimonet.vimos.question_forms import style_of
from vimonet.vimos.types import Item, Part
from vimonet.vimos.wordings import ask

RECIPE = 20
"""Raised whenever samples come out differently, so that a build begun with another recipe is not continued."""

_ROWS = 250
_FILM_ROWS = 40
_TEST_SOURCES = ("bnr", "cmu", *RECOGNITION)


@register("open", "vimos-open, from openly licensed recordings")
@dataclass(frozen=True)
class OpenBuilder:
    """Build ``vimos-open``.

    Args:
        root: folder of the recordings; None takes the environment variable VIMONET_DATA.
        count: rows drawn for ``train``.
        val: rows drawn for ``val``.
        sources: corpora; () for all that the data folder has.
        film_poses: keypoints of the labelled films; None takes VIMONET_FILM_POSES, and without it there are no films.
        seed: of every draw.
        test: whether ``test`` splits are made.
        variants: what may be made of the recordings.

    Raises:
        InputError: an unknown source, or a data folder that is not there (when the recordings are read).
    """

    root: str | None = option("folder of the source (default: $VIMONET_DATA)", None, "DIR")
    count: int = option("rows of train", 40000, "N")
    val: int = option("rows of val", 500, "N")
    sources: tuple[str, ...] = option("corpora (default: all)", (), "NAME")
    film_poses: str | None = option("keypoints of the films (default: $VIMONET_FILM_POSES)", None, "DIR")
    seed: int = option("seed of every random draw", 0, "N")
    test: bool = option("leave out the test splits", True)
    variants: Variants = field(default_factory=Variants)

    name = "vimos-open"

    def __post_init__(self) -> None:
        if min(self.count, self.val) < 0:
            raise InputError(f"{self.count} rows of train and {self.val} of val; give 0 or more.")

    def _names(self) -> tuple[str, ...]:
        every = (*real.SOURCES_3D, *real.SOURCES_2D, "synthetic", *([FILMS] if poses_folder(self.film_poses) else ()))
        for name in self.sources:
            if name not in every:
                raise InputError(f"unknown source '{name}'; known are {', '.join(every)}.")
        return self.sources or every

    def settings(self) -> dict[str, Any]:
        """Report what the dataset depends on (the place of the data folder is no part of it)."""
        settings = {key: value for key, value in asdict(self).items() if key not in ("root", "film_poses")}
        names = self._names()
        folder = poses_folder(self.film_poses) if FILMS in names else None
        found = {} if folder is None else {"films": len(looked_at(folder))}
        return {"builder": "open", "recipe": RECIPE, **settings, "sources": list(names), **found}

    def shards(self) -> list[Shard]:
        """List drawn rows by index, test rows by source."""
        names = self._names()
        if any(name != "synthetic" for name in names):
            real.data_folder(self.root)
        found = [*chunk("train", range(self.count), _ROWS), *chunk("val", range(self.val), _ROWS)]
        if self.test:
            asked = [name for name in (*_TEST_SOURCES, "synthetic") if name in names]
            found += [Shard("test", n, (name,)) for n, name in enumerate(asked)]
            found += [Shard("test_view", 0, ("nw_ucla",))] * ("nw_ucla" in names)
        return found + self._film_shards(found) if FILMS in names else found

    def _film_shards(self, others: list[Shard]) -> list[Shard]:
        """List the films of each split, which follow its drawn rows; films of the test are the split ``test_films``."""
        folder = poses_folder(self.film_poses)
        assert folder is not None
        named: dict[str, list[str]] = {}
        for film in read_films(self.root, folder):
            named.setdefault({"test": "test_films"}.get(film.row["split"], film.row["split"]), []).append(film.name)
        if not self.test:
            named.pop("test_films", None)
        shards = []
        for split, names in named.items():
            first = sum(shard.split == split for shard in others)
            for shard in chunk(split, names, _FILM_ROWS):
                shards.append(Shard(split, first + shard.number, (FILMS, *shard.keys)))
        return shards

    def records(self, shard: Shard) -> Iterator[Record | Skipped | Attached]:
        """Draw, or ask, the rows of a shard."""
        folder = poses_folder(self.film_poses)
        if shard.keys[0] == FILMS:
            assert folder is not None
            yield from film_records(shard.keys[1:], shard.split, self.seed, self.root, folder)
            return
        if shard.split in ("train", "val"):
            pool, licences = _pool(shard.split, self._names(), self.root, folder)
            for index in shard.keys:
                # The key "vimos/..." is shared by both splits: their pools differ.
                sample = make_sample(pool, random.Random(f"vimos/{self.seed}/{index}"), variants=self.variants)
                if sample is not None and sample.questions:
                    shown, words = with_eyes(sample, random.Random(f"eyes/{self.seed}/{shard.split}/{index}"))
                    name = f"{shard.split}/{index:06d}"
                    yield _drawn(shown, name, shard.split, licences, self.seed, words)
            return
        for source in shard.keys:
            licence = {c.source: c.licence for c in real.clips_of(shard.split, (source,), self.root)}
            items = evaluation_items(shard.split, sources=(source,), seed=self.seed, root=self.root)
            yield from _asked(items, shard.split, licence.get(source, ""))

    def describe(self) -> str:
        """Write the text of the card."""
        return _CARD


@lru_cache(maxsize=2)
def _pool(split: str, names: tuple[str, ...], root: str | None, folder: Path | None) -> tuple[Pool, dict[str, str]]:
    clips = real.clips_of(split, [name for name in names if name != FILMS], root)
    if FILMS in names and folder is not None:
        clips += film_clips(split, root, folder)
    return Pool(clips), {clip.recording: clip.licence for clip in clips}


def _drawn(sample: Sample, name: str, split: str, licences: dict[str, str], seed: int, words: dict[str, Any]) -> Record:
    rng = random.Random(f"words/{seed}/{name}")
    told: list[Caption] = []
    instructions: list[Instruction] = []
    people = {text.lower().rstrip(".") for text in sample.captions}
    for question in sample.questions:
        if question.form == "caption" and question.answer != CANNOT_TELL:
            told.append(Caption(question.answer, "people" if question.answer.rstrip(".") in people else "kinematic"))
        else:
            text = ask(question.form, rng, unseen=False, plain=True, **question.slots)
            instructions.append(Instruction.of(question, text, style_of(question.form)))
    return Record(
        name,
        sample.source,
        sample.recording,
        split,
        licences.get(sample.recording, ""),
        centred(sample.motion),
        actions=tuple(sample.parts),
        captions=tuple(dict.fromkeys(told)),
        instructions=tuple(instructions),
        provenance={"recordings": list(sample.recordings), "mode": sample.mode, "sensed": sample.sensed, **words},
    )


def _asked(items: list[Item], split: str, licence: str) -> Iterator[Record]:
    """Group items into one record per movement."""
    groups: dict[int, list[Item]] = {}
    for item in items:
        groups.setdefault(id(item.motion), []).append(item)
    for number, group in enumerate(groups.values()):
        first = group[0]
        told = [Caption(item.answer) for item in group if item.kind == "caption"]
        instructions = [
            Instruction(
                **{key: getattr(item, key) for key in ("kind", "form", "question", "answer", "wording", "evidence")},
                style=style_of(item.form.partition(":")[0]),
                generator="kinematic",
                options=tuple(item.options),
                start=item.evidence.get("start"),
                end=item.evidence.get("end"),
            )
            for item in group
            if item.kind != "caption"
        ]
        parts = next((item.evidence["parts"] for item in group if "parts" in item.evidence), ())
        yield Record(
            f"{split}/{first.source}/{number:05d}",
            first.source,
            first.recording,
            split,
            licence,
            centred(first.motion),
            actions=tuple(Part(*part) for part in parts),
            captions=tuple(told),
            instructions=tuple(instructions),
            provenance={"recordings": sorted({item.recording for item in group}), "clip": first.motion.name},
        )


_CARD = """\
Questions, answers and captions about how people move, made by ViMoNet from openly licensed motion capture and joints
tracked in video. It carries the name VIMOS as a format and a recipe: it is not the dataset of the ViMoNet paper
(arXiv 2508.09818), which was never released.

`train` and `val` are drawn: single recordings, two to four joined, mirrored, warped in time, with limbs hidden, seen
by a virtual camera, recorded by a worse sensor. `test` asks the recordings kept apart as they are (and joined pairs of
them); `test_view` is the third camera of NW-UCLA. Rows of `films_2d` hold a labelled film and the keypoints of a person
in it; those kept apart are `test_films`. Answers of generator `kinematic` are measured, or follow from labels and
joins; what lies near a threshold is not asked."""
