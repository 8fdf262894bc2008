"""Pairs of motion and text from a VIMOS dataset, for the text-motion encoder."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from vimonet.training.data import ModalityGroup
from vimonet.training.data.sampling import rng_of
from vimonet.utils.errors import InputError
from vimonet.vimos.action_labels import participle, third_person
from vimonet.vimos.parquet import arrays_of
from vimonet.vimos.reading import motion_row, open_rows

_SUBJECTS = ("a person", "the person", "someone", "a man", "a woman")
_SIDE = re.compile(r"\b(wave|waves|waving|kick|kicks|kicking|punch|punches|punching) (the (?:left|right) \w+)")
_SHORTEST = 10  # frames: half a second, below which no phrase can be told from another


class Caption(NamedTuple):
    """Hold a text about a clip: a caption as written, or an action phrase to be worded anew every time.

    kind: ``people`` (a caption they wrote), ``caption`` (by anything else), ``action`` or ``fact``.
    start, end: seconds it speaks about; None for the whole clip.
    """

    kind: str
    text: str
    start: float | None = None
    end: float | None = None

    @property
    def written(self) -> bool:
        """Tell whether the text is a sentence to be taken as it is."""
        return self.kind in ("people", "caption")


_WEIGHTS = {"people": 1.0, "caption": 0.5, "action": 0.35, "fact": 0.15}


class TextMotionPairs(Dataset[dict[str, Any]]):
    """Give the rows of a VIMOS split that have motion and text, one text per clip and epoch.

    A text about a span of the clip comes with that span; a phrase about the whole comes with a random part of it,
    since a search asks windows that begin and end anywhere.

    Args:
        rows: a split (`vimonet.vimos.reading.open_rows`): motion stays on disk.
        seed: of the draws.
        max_frames: longest clip; the rest of longer ones is left out.
        actions: also phrases made of the labelled actions and of the facts that hold ("someone turns to the left").
        crop: shortest share of a clip that a phrase may come with; 1 for always the whole.
        people: how often in an epoch a clip with a caption by people is seen: their words are rich and few.
        fixed: always the first caption and the whole clip, for held-out figures; rows without a caption are left out.

    Attributes:
        captions: per clip, every text about it.

    Raises:
        InputError: no row has both motion and text.
    """

    def __init__(
        self,
        rows: Any,
        *,
        seed: int = 0,
        max_frames: int = 196,
        actions: bool = True,
        crop: float = 0.6,
        people: int = 4,
        fixed: bool = False,
    ) -> None:
        self.seed, self.max_frames, self.crop, self.fixed, self.epoch = seed, max_frames, crop, fixed, 0
        told = [_captions(*columns, use_actions=actions) for columns in _columns(rows)]
        frames = np.array([n or 0 for n in rows.data.column("frames").to_pylist()])
        usable = [i for i, said in enumerate(told) if frames[i] and said and (not fixed or said[0].written)]
        if not usable:
            raise InputError(
                "the dataset has no clip with both motion and a caption; the text-motion encoder learns from those."
            )
        if not fixed:
            usable += [i for i in usable if any(one.kind == "people" for one in told[i])] * (people - 1)
        self._index = usable
        self._rows = rows.with_format("arrow")
        self._frames = np.minimum(frames[usable], max_frames)
        dimensions = np.asarray(rows.data.column("dimensions").to_pylist())[usable]
        self._groups = np.where(dimensions == 2, ModalityGroup.KEYPOINT, ModalityGroup.MOTION).astype(np.int64)
        self.recordings: list[str] = [rows.data.column("recording")[i].as_py() for i in usable]
        self.captions: list[list[Caption]] = [told[i] for i in usable]

    def __len__(self) -> int:
        return len(self._index)

    def set_epoch(self, epoch: int) -> None:
        """Draw the texts and spans of `epoch`."""
        self.epoch = epoch

    def lengths(self) -> NDArray[np.int64]:
        """Return the frames of each clip."""
        return self._frames

    def modality_groups(self) -> NDArray[np.int64]:
        """Return the `ModalityGroup` of each clip: 3D motion or 2D keypoints."""
        return self._groups

    def corpus(self) -> list[str]:
        """List every text once in each of its wordings, to make the vocabulary from."""
        phrases: dict[str, None] = {}
        for said in self.captions:
            for one in said:
                for wording in [one.text] if one.written else wordings(one.text):
                    phrases[wording] = None
        return [*phrases, *(f"{subject} walks" for subject in _SUBJECTS)]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return ``joints`` [T, 22, 3], ``confidence`` [T, 22] or None, ``dimensions``, ``text``, ``true_texts``."""
        row = motion_row(self._rows, self._index[index])
        joints, confidence = arrays_of(row)
        said = self.captions[index]
        rng = random.Random(f"{self.seed}/{self.epoch}/{index}")
        one = said[0] if self.fixed else _draw(said, rng)
        start, end = self._span(one, len(joints), row["fps"], rng)
        spoken = [other for other in said if one.start is None or other.text == one.text]
        return {
            "joints": joints[start:end],
            "confidence": None if confidence is None else confidence[start:end],
            "dimensions": row["dimensions"],
            "text": one.text if one.written else put_in_words(one.text, rng),
            "true_texts": [caption.text for caption in spoken],
        }

    def _span(self, one: Caption, frames: int, fps: float, rng: random.Random) -> tuple[int, int]:
        start, end = 0, frames
        if one.start is not None and one.end is not None:
            start = max(0, min(round(one.start * fps), frames - _SHORTEST))
            end = max(start + _SHORTEST, round(one.end * fps))
        elif not one.written and self.crop < 1 and not self.fixed:
            length = max(_SHORTEST, round(frames * rng.uniform(self.crop, 1.0)))
            start = rng.randint(0, max(0, frames - length))
            end = start + length
        return start, min(end, start + self.max_frames)


def text_motion_pairs(
    dataset: str = "data/vimos-open",
    split: str = "train",
    *,
    limit: int = 0,
    seed: int = 0,
    max_frames: int = 196,
    actions: bool = True,
    crop: float = 0.6,
    people: int = 4,
    fixed: bool = False,
) -> TextMotionPairs:
    """Open a split of a VIMOS dataset as pairs of motion and text.

    Args:
        dataset: its folder.
        split: ``train`` or ``val``: nothing is trained on a test split.
        limit: at most so many rows, drawn evenly; 0 for all.
        seed, max_frames, actions, crop, people, fixed: see `TextMotionPairs`.

    Raises:
        InputError: no dataset, no such split, a test split, or nothing to learn from.
    """
    if split.startswith("test"):
        raise InputError(f"split '{split}' cannot be trained on; choose train or val.")
    rows = open_rows(dataset, split)
    if 0 < limit < len(rows):
        rows = rows.select(np.sort(rng_of(seed, "limit").permutation(len(rows))[:limit])).flatten_indices()
    return TextMotionPairs(
        rows, seed=seed, max_frames=max_frames, actions=actions, crop=crop, people=people, fixed=fixed
    )


def wordings(phrase: str) -> list[str]:
    """Word an action phrase ("wave the left hand") as people search for it, without a subject."""
    forms = [phrase, third_person(phrase), participle(phrase)]
    return [*forms, *(loose for form in forms if (loose := _SIDE.sub(r"\1 with \2", form)) != form)]


def put_in_words(phrase: str, rng: random.Random) -> str:
    """Word an action phrase by chance, with or without a subject."""
    forms = wordings(phrase)
    form = rng.choice(forms)
    subject = rng.choice(_SUBJECTS)
    kind = forms.index(form) % 3  # base form, third person, participle, in both halves of the list
    if kind == 1:
        return f"{subject} {form}"
    if kind == 2 and rng.random() < 0.5:
        return f"{subject} is {form}"
    return form


def _draw(said: Sequence[Caption], rng: random.Random) -> Caption:
    kinds = sorted({one.kind for one in said})
    kind = rng.choices(kinds, [_WEIGHTS[kind] for kind in kinds])[0]
    return rng.choice([one for one in said if one.kind == kind])


def _captions(
    captions: Sequence[Mapping[str, Any]] | None,
    actions: Sequence[Mapping[str, Any]] | None,
    facts: Sequence[str],
    *,
    use_actions: bool,
) -> list[Caption]:
    """List captions first; then, where wanted, actions (with their span when there are several) and facts."""
    found = [
        Caption("people" if c["generator"] == "people" else "caption", c["text"], c["start"], c["end"])
        for c in captions or ()
        if c["text"].strip()
    ]
    if use_actions:
        several = len(actions or ()) > 1
        for a in actions or ():
            found.append(Caption("action", a["action"], *((a["start"], a["end"]) if several else (None, None))))
        found += [Caption("fact", phrase) for phrase in dict.fromkeys(facts)]
    return found


def _columns(rows: Any) -> Iterator[tuple[Any, Any, list[str]]]:
    """Give captions, actions, and the facts that hold ("turn to the left"), row by row."""
    captions = rows.data.column("captions").to_pylist()
    actions = rows.data.column("actions").to_pylist()
    return zip(captions, actions, _facts(rows), strict=True)


def _facts(rows: Any) -> Iterator[list[str]]:
    import pyarrow.compute as pc

    for chunk in rows.data.column("instructions").chunks:
        flat = chunk.flatten()
        forms, answers, slots = (pc.struct_field(flat, name).to_pylist() for name in ("form", "answer", "slots"))
        start = 0
        for length in pc.list_value_length(chunk).to_pylist():
            end = start + (length or 0)
            yield [
                json.loads(slots[i] or "{}")["do"]
                for i in range(start, end)
                if forms[i] == "fact_yes_no" and answers[i] == "yes" and '"do"' in (slots[i] or "")
            ]
            start = end
