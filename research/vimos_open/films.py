"""Read the labelled films with the keypoints of `film_poses`: rows of keypoints and video of the same moments.

The label of a film is what its source says; measured questions are asked only where one person was followed, so that
"the person" is the same in the keypoints and in the picture. Splits are those of the index: by scene, person or place.
"""

from __future__ import annotations

import os
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np

from research.vimos_open.corpus_labels import action_phrase
from research.vimos_open.film_poses import films, looked_at
from research.vimos_open.sources import data_folder
from vimonet.motion import Motion, load
from vimonet.motion.kinematics import measure
from vimonet.motion.pose import Poses
from vimonet.utils.errors import InputError
from vimonet.vimos.action_labels import third_person
from vimonet.vimos.annotators.annotate import MIN_FRAMES, UNSEEN_SHARE
from vimonet.vimos.annotators.kinematic import all_unknown, from_facts, from_parts, from_picture, unknowable
from vimonet.vimos.builders.recorded_clips import MAX_FRAMES
from vimonet.vimos.dataset_writer import Attached
from vimonet.vimos.label_consistency import contradicts
from vimonet.vimos.parquet import Caption, Instruction, Record
from vimonet.vimos.question_forms import style_of
from vimonet.vimos.types import Clip, Part, Question
from vimonet.vimos.wordings import ask

FILMS: Final = "films_2d"
"""Name of the source."""

NOBODY: Final = "no person is visible"

_BODILY = ("gmdcsa24", "pureprog", "har_dollarpy", "har_akshay", "weizmann64", "yolov7pose_demo", "rendered_")
"""Sources whose labels name what keypoints alone show; labels of the others need the picture: tools, places, crowds."""
_MOST_ALIKE = 12
_SEEN = 0.8
"""Least share of frames that show the person, for keypoints that are used without the picture."""
_BY_MODEL = {"panda70m_page": "panda-70m"}
_VAGUE = frozenset(
    (
        *("stand", "walk", "sit", "run", "hold", "fall", "kneel", "wave", "raise", "look", "speak", "talk", "lift"),
        *("pick", "eat", "sign"),
    )
)
"""Verbs never asked as absent: they may go on in any film beside its label, or stand for many signs ("sign")."""
_FALLING = re.compile(r"Falling[^\[]*\[([\d.]+) to ([\d.]+)\]")


@dataclass(frozen=True)
class Film:
    """Hold a film: its line of the index, where it lies, its keypoints and what happens when.

    Attributes:
        row: line of the index.
        path: the MP4.
        motion: 2D, at most 9.8 s; None where nobody is seen.
        people: number of people that were followed.
        seen: share of the frames with the person.
        parts: the labelled stretch, s; () where nobody is visible.
    """

    row: dict[str, Any]
    path: Path
    motion: Motion | None
    people: int
    seen: float
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """Return the name of the film within the source, ``corpus/file``."""
        return str(self.row["file"]).removeprefix("clips/").removesuffix(".mp4")

    @property
    def duration(self) -> float:
        """Return the time that the row covers, s."""
        return float(self.row["duration"]) if self.motion is None else self.motion.duration


def poses_folder(named: str | None = None) -> Path | None:
    """Find the folder of the keypoints: `named`, else the one of VIMONET_FILM_POSES, else None: no films.

    Raises:
        InputError: it holds no keypoints.
    """
    named = named or os.environ.get("VIMONET_FILM_POSES")
    if not named:
        return None
    if not looked_at(Path(named)):
        raise InputError(f"{named}: it holds no keypoints of films; write them with research.vimos_open.film_poses.")
    return Path(named)


@lru_cache(maxsize=1)
def read_films(root: str | None, folder: Path) -> tuple[Film, ...]:
    """Read the films that were looked at, in the order of the index.

    Of train they are those whose licence is stated, at most 12 of a label: 102 show a fight, and a model that
    learnt from all of them named a fight in nearly every film.
    """
    known, shown, found = looked_at(folder), Counter[str](), []
    for row in films(root):
        if row["file"] not in known or (row["split"] == "train" and not _may_teach(row)):
            continue
        shown[row["label"]] += row["split"] == "train"
        if row["split"] != "train" or shown[row["label"]] <= _MOST_ALIKE:
            found.append(_film(row, known[row["file"]], root, folder))
    return tuple(found)


def _may_teach(row: dict[str, Any]) -> bool:
    """Tell whether the source states a licence; shipped weights learn from no other film."""
    stated = str(row["licence"]).lower()
    return not stated.startswith("none stated") and "no terms stated" not in stated


def _film(row: dict[str, Any], found: dict[str, Any], root: str | None, folder: Path) -> Film:
    name = f"{FILMS}/{str(row['file']).removeprefix('clips/').removesuffix('.mp4')}"
    motion = None if found["poses"] is None or row["label"] == NOBODY else _motion(folder / found["poses"], name)
    duration = float(row["duration"]) if motion is None else motion.duration
    action = None if row["label"] == NOBODY else action_phrase(FILMS, row["label"])
    start, end = _when(row, duration)
    parts = (Part(action, start, end),) if action and end > start else ()
    path = data_folder(root) / "video_labelled" / row["file"]
    return Film(row, path, motion, int(found["people"]), float(found["seen"]), parts)


def _when(row: dict[str, Any], duration: float) -> tuple[float, float]:
    """Read when a fall happens, where the source says so; any other label names the whole film."""
    times = _FALLING.search(row.get("segments", ""))
    if times is None:
        return 0.0, duration
    return min(float(times[1]), duration), min(float(times[2]), duration)


def _motion(path: Path, name: str) -> Motion | None:
    poses = Poses.open(path)
    rows = np.concatenate([poses.points, poses.confidence[..., None]], axis=2)
    rows[~(poses.confidence > 0)] = 0.0  # zeros mark a keypoint that is not seen
    try:
        motion = load(rows, fps=poses.fps, format=poses.layout, name=name)
    except InputError:
        return None
    motion = motion.window(0, min(motion.frames, MAX_FRAMES)).named(name)
    return motion if motion.frames >= MIN_FRAMES else None


def film_clips(split: str, root: str | None, folder: Path) -> list[Clip]:
    """List the films of a split whose keypoints alone show the labelled action; of a fall, the fall."""
    clips = []
    for film in read_films(root, folder):
        row, motion = film.row, film.motion
        usable = motion is not None and film.people == 1 and film.seen >= _SEEN and film.parts
        if row["split"] != split or not usable or not row["source"].startswith(_BODILY):
            continue
        assert motion is not None
        (part,) = film.parts
        shown = motion.window(round(part.start * motion.fps), round(part.end * motion.fps)).named(motion.name)
        if shown.frames >= MIN_FRAMES:
            recording = f"{FILMS}/{row['source']}/{row['group']}"
            clip = Clip(shown.name, FILMS, recording, split, shown, part.action, licence=row["licence"])
            clips.append(clip)
    return clips


def film_records(names: Sequence[str], split: str, seed: int, root: str | None, folder: Path) -> Iterator[Any]:
    """Make a row of each named film: the video, the keypoints where a person is seen, what can be asked."""
    every = read_films(root, folder)
    actions = {part.action for film in every for part in film.parts}
    others = sorted(a for a in actions if a.split()[0] not in _VAGUE and " and " not in a)
    for film in every:
        if film.name in names:
            video = f"video/{film.name.replace('/', '_')}.mp4"
            yield Attached(str(film.path), video)
            yield _record(film, video, split, others, random.Random(f"films/{seed}/{film.name}"))


def _record(film: Film, video: str, split: str, others: list[str], rng: random.Random) -> Record:
    instructions = []
    for question in _questions(film, others, rng):
        unseen = split.startswith("test") and rng.random() < UNSEEN_SHARE
        text = ask(question.form, rng, unseen=unseen, plain=True, **question.slots)
        wording = "unseen" if unseen else "seen"
        instructions.append(Instruction.of(question, text, style_of(question.form), wording=wording))
    row = film.row
    whole = film.duration > float(row["duration"]) - 0.2
    return Record(
        f"{split}/{FILMS}/{film.name}",
        FILMS,
        f"{FILMS}/{row['source']}/{row['group']}",
        split,
        row["licence"],
        film.motion,
        video=video,
        video_span=None if whole else (0.0, film.duration),
        actions=film.parts,
        captions=tuple(_captions(film, whole)),
        instructions=tuple(instructions),
        provenance={"file": row["file"], "label": row["label"], "people": film.people, "seen": film.seen},
    )


def _questions(film: Film, others: list[str], rng: random.Random) -> Iterator[Question]:
    if film.row["label"] == NOBODY:
        yield from (q for q in all_unknown("nobody is in the picture") if q.form != "caption")
        return
    happening = {part.action for part in film.parts}
    facts = None
    if film.motion is not None and film.people == 1 and film.seen >= _SEEN:
        facts = measure(film.motion)
        measured = [*from_facts(facts), *from_picture(film.motion)]
        yield from (q for q in measured if not contradicts(q, happening))
    # Every word of the label counts as happening: of "read while walking", walking is not absent.
    words = set(re.findall(r"[a-z]+", film.row["label"].lower()))
    absent = [other for other in others if not set(other.split()) & words]
    named = from_parts(list(film.parts), rng, absent, facts)
    yield from (q for q in named if q.form != "action_number")  # a label is seldom all that goes on in a film
    yield unknowable(rng)


def _captions(film: Film, whole: bool) -> Iterator[Caption]:
    row = film.row
    label = re.sub(r" \(.*?\)", "", row["label"])
    if label == NOBODY:
        yield Caption("no person is visible.", "people")
        return
    if film.parts and film.parts[0].action not in ("walk", "stand", "sit"):
        label = film.parts[0].action  # labels of these three verbs name a place, which the caption keeps
    crowd = row["source"] == "fight_surv"
    yield Caption(f"people {label}." if crowd else f"a person {third_person(label)}.", "kinematic")
    if whole and "caption" in row:
        told = re.sub(r" \(.*?\)", "", row["caption"]).strip().lower().rstrip(".") + "."
        yield Caption(told, _BY_MODEL.get(row["source"], "people"))
