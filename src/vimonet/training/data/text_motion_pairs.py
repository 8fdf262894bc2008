"""Draw pairs of motion and text from a VIMOS dataset, for the text-motion encoder."""

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
_SHORTEST = 10  # frames (0.5 s): a shorter span does not tell phrases apart


class Caption(NamedTuple):
    """Hold a text about a clip: a caption, or an action phrase that is worded anew every epoch.

    Attributes:
        kind: ``people`` (a caption by people), ``caption`` (any other caption), ``action`` or ``fact``.
        text: caption or phrase.
        start, end: span in seconds; None for the whole clip.
    """

    kind: str
    text: str
    start: float | None = None
    end: float | None = None

    @property
    def written(self) -> bool:
        """Tell whether the text is a caption, used as it is."""
        return self.kind in ("people", "caption")


_WEIGHTS = {"people": 1.0, "caption": 0.5, "action": 0.35, "fact": 0.15}


class TextMotionPairs(Dataset[dict[str, Any]]):
    """Pair each clip of a VIMOS split that has motion and text with one text per epoch.

    A text about a span is paired with that span, a phrase about the whole clip with a random part of it, since the
    windows of a search begin and end anywhere.

    Args:
        rows: a split (`vimonet.vimos.reading.open_rows`); motion stays on disk.
        seed: seed of the draws.
        max_frames: longest clip; longer ones are truncated.
        actions: add phrases of the labelled actions and of the facts that hold ("someone turns to the left").
        crop: smallest share of a clip that a phrase is paired with; 1: the whole clip.
        people: repetitions per epoch of a clip with a caption by people, whose wordings are rich and few.
        fixed: the first caption and the whole clip every time, for held-out scores; rows without caption are dropped.

    Attributes:
        captions: all texts about each clip.

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
        captions = [_captions(*columns, use_actions=actions) for columns in _columns(rows)]
        frames = np.array([n or 0 for n in rows.data.column("frames").to_pylist()])
        usable = [i for i, texts in enumerate(captions) if frames[i] and texts and (not fixed or texts[0].written)]
        if not usable:
            raise InputError(
                "the dataset has no clip with both motion and a caption, which the text-motion encoder is trained on; "
                "choose another data.dataset."
            )
        if not fixed:
            usable += [i for i in usable if any(text.kind == "people" for text in captions[i])] * (people - 1)
        self._index = usable
        self._rows = rows.with_format("arrow")
        self._frames = np.minimum(frames[usable], max_frames)
        dimensions = np.asarray(rows.data.column("dimensions").to_pylist())[usable]
        self._groups = np.where(dimensions == 2, ModalityGroup.KEYPOINT, ModalityGroup.MOTION).astype(np.int64)
        self.recordings: list[str] = [rows.data.column("recording")[i].as_py() for i in usable]
        self.captions: list[list[Caption]] = [captions[i] for i in usable]

    def __len__(self) -> int:
        return len(self._index)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the draws."""
        self.epoch = epoch

    def lengths(self) -> NDArray[np.int64]:
        """Return the frames of each clip."""
        return self._frames

    def modality_groups(self) -> NDArray[np.int64]:
        """Return the `ModalityGroup` of each clip: 3D motion or 2D keypoints."""
        return self._groups

    def corpus(self) -> list[str]:
        """List every text once in each of its wordings, to train the tokenizer on."""
        phrases: dict[str, None] = {}
        for captions in self.captions:
            for caption in captions:
                for wording in [caption.text] if caption.written else wordings(caption.text):
                    phrases[wording] = None
        return [*phrases, *(f"{subject} walks" for subject in _SUBJECTS)]

    def __getitem__(self, index: int) -> dict[str, Any]:
        """Return ``joints`` [T, 22, 3], ``confidence`` [T, 22] or None, ``dimensions``, ``text``, ``true_texts``."""
        row = motion_row(self._rows, self._index[index])
        joints, confidence = arrays_of(row)
        captions = self.captions[index]
        rng = random.Random(f"{self.seed}/{self.epoch}/{index}")
        drawn = captions[0] if self.fixed else _draw(captions, rng)
        start, end = self._span(drawn, len(joints), row["fps"], rng)
        true = [caption for caption in captions if drawn.start is None or caption.text == drawn.text]
        return {
            "joints": joints[start:end],
            "confidence": None if confidence is None else confidence[start:end],
            "dimensions": row["dimensions"],
            "text": drawn.text if drawn.written else put_in_words(drawn.text, rng),
            "true_texts": [caption.text for caption in true],
        }

    def _span(self, caption: Caption, frames: int, fps: float, rng: random.Random) -> tuple[int, int]:
        start, end = 0, frames
        if caption.start is not None and caption.end is not None:
            start = max(0, min(round(caption.start * fps), frames - _SHORTEST))
            end = max(start + _SHORTEST, round(caption.end * fps))
        elif not caption.written and self.crop < 1 and not self.fixed:
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
        dataset: dataset folder.
        split: ``train`` or ``val``.
        limit: largest number of rows, drawn at random; 0 for all.
        seed, max_frames, actions, crop, people, fixed: see `TextMotionPairs`.

    Raises:
        InputError: no dataset, no such split, a test split, or no usable row.
    """
    if split.startswith("test"):
        raise InputError(f"split '{split}' is for testing only; choose train or val.")
    rows = open_rows(dataset, split)
    if 0 < limit < len(rows):
        rows = rows.select(np.sort(rng_of(seed, "limit").permutation(len(rows))[:limit])).flatten_indices()
    return TextMotionPairs(
        rows, seed=seed, max_frames=max_frames, actions=actions, crop=crop, people=people, fixed=fixed
    )


def wordings(phrase: str) -> list[str]:
    """List the wordings of an action phrase ("wave the left hand") without a subject."""
    forms = [phrase, third_person(phrase), participle(phrase)]
    return [*forms, *(loose for form in forms if (loose := _SIDE.sub(r"\1 with \2", form)) != form)]


def put_in_words(phrase: str, rng: random.Random) -> str:
    """Draw a wording of an action phrase, with or without a subject."""
    forms = wordings(phrase)
    form = rng.choice(forms)
    subject = rng.choice(_SUBJECTS)
    kind = forms.index(form) % 3  # base form, third person, participle, in both halves of the list
    if kind == 1:
        return f"{subject} {form}"
    if kind == 2 and rng.random() < 0.5:
        return f"{subject} is {form}"
    return form


def _draw(captions: Sequence[Caption], rng: random.Random) -> Caption:
    kinds = sorted({caption.kind for caption in captions})
    kind = rng.choices(kinds, [_WEIGHTS[kind] for kind in kinds])[0]
    return rng.choice([caption for caption in captions if caption.kind == kind])


def _captions(
    captions: Sequence[Mapping[str, Any]] | None,
    actions: Sequence[Mapping[str, Any]] | None,
    facts: Sequence[str],
    *,
    use_actions: bool,
) -> list[Caption]:
    """List captions, then with `use_actions` actions (with their spans if there are several) and facts."""
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
    """Iterate over captions, actions and true facts ("turn to the left") of each row."""
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
