"""Define a row of VIMOS on disk, and convert records to rows and back.

A dataset is a folder of ``vimos.json`` (format version, settings, counts, digest), ``README.md`` (the card, whose YAML
front matter tells ``datasets.load_dataset(folder)`` the splits), ``<split>/NNNNN.parquet`` and ``video/*.mp4``. One row
is one clip with its captions and instructions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pyarrow as pa

from vimonet.motion import Motion
from vimonet.utils.errors import InputError
from vimonet.vimos.types import Part, Question

VERSION = 1
"""Version of the row; raised when a column changes its meaning."""

STEP = 0.0005
"""Metres per int16 step; a clip that reaches beyond 16 m has larger steps, so that its largest value fits."""

_SPAN = {"start": pa.float32(), "end": pa.float32()}
SCHEMA = pa.schema(
    {
        "id": pa.string(),  # unique in the dataset
        "source": pa.string(),  # corpus
        "recording": pa.string(),  # unit of splits and of bootstrap intervals
        "split": pa.string(),
        "licence": pa.string(),
        "dimensions": pa.int8(),  # 3, or 2 for keypoints; null without motion
        "fps": pa.float32(),
        "frames": pa.int32(),
        "scale": pa.float32(),  # metres per step of `joints`
        "joints": pa.list_(pa.int16()),  # frames x 22 x 3, row-major
        "confidence": pa.list_(pa.uint8()),  # frames x 22 in 0..255; null when every joint was seen
        "video": pa.string(),  # path of an MP4 inside the dataset, or null
        "video_span": pa.struct(_SPAN),  # seconds of the video that the clip covers
        "actions": pa.list_(pa.struct({"action": pa.string(), **_SPAN})),
        "captions": pa.list_(
            pa.struct({"text": pa.string(), "tokens": pa.string(), "generator": pa.string(), **_SPAN})
        ),
        "instructions": pa.list_(
            pa.struct(
                {
                    "kind": pa.string(),  # topic; scores are reported by it
                    "style": pa.string(),  # sequence, direction, body_part, reasoning, hallucination, count ...
                    "form": pa.string(),  # question form; majority answers are counted per form
                    "question": pa.string(),
                    "answer": pa.string(),
                    "options": pa.list_(pa.string()),  # all answers of the form; empty for an open question
                    "slots": pa.string(),  # JSON: words that fill another wording of the form
                    "wording": pa.string(),  # seen (in training) or unseen
                    "evidence": pa.string(),  # JSON: measured values behind the answer
                    **_SPAN,  # span behind the answer, s
                    "generator": pa.string(),
                }
            )
        ),
        "provenance": pa.string(),  # JSON: file, member, frames, augmentations
    },
    metadata={"vimos_version": str(VERSION)},
)


@dataclass(frozen=True)
class Caption:
    """Hold a sentence about a clip.

    Attributes:
        text: the sentence.
        generator: its author: ``people``, ``kinematic``, ``caption``, or a model's name.
        start, end: span that it describes, s; None for the whole clip.
        tokens: lemmatised ``word/POS`` tokens of HumanML3D, empty for other sources.
    """

    text: str
    generator: str = "people"
    start: float | None = None
    end: float | None = None
    tokens: str = ""


@dataclass(frozen=True)
class Instruction:
    """Hold a worded question with its answer.

    Attributes:
        kind, form, answer, options, slots, evidence: as in :class:`vimonet.vimos.types.Question`.
        question: the wording.
        style: benchmark style (``sequence``, ``direction``, ``body_part``, ``reasoning``, ``hallucination`` ...).
        generator: ``kinematic``, ``caption``, or a model's name.
        wording: ``seen`` for wordings of training, else ``unseen``.
        start, end: span behind the answer, s; None for the whole clip.
    """

    kind: str
    form: str
    question: str
    answer: str
    style: str = ""
    generator: str = ""
    options: tuple[str, ...] = ()
    slots: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    wording: str = "seen"
    start: float | None = None
    end: float | None = None

    @classmethod
    def of(
        cls, question: Question, text: str, style: str, generator: str = "kinematic", wording: str = "seen"
    ) -> Instruction:
        """Word a question as `text`; ``start`` and ``end`` of its evidence become the span."""
        evidence = question.evidence
        return cls(
            question.kind,
            question.form,
            text,
            question.answer,
            style,
            generator,
            tuple(question.options),
            question.slots,
            evidence,
            wording,
            evidence.get("start"),
            evidence.get("end"),
        )


@dataclass(frozen=True)
class Record:
    """Hold one row of VIMOS: a clip (motion, video or both) with its captions and instructions.

    Attributes:
        id, source, recording, split, licence: as in :class:`vimonet.vimos.types.Clip`.
        motion: 3D or 2D movement, or None.
        video: path of an MP4 relative to the dataset, or None.
        video_span: span of the video that the clip covers, s; None for the whole video.
        actions: labelled segments, in s.
        captions, instructions: sentences and questions about the clip.
        provenance: origin of the clip and augmentations.
    """

    id: str
    source: str
    recording: str
    split: str
    licence: str
    motion: Motion | None = None
    video: str | None = None
    video_span: tuple[float, float] | None = None
    actions: tuple[Part, ...] = ()
    captions: tuple[Caption, ...] = ()
    instructions: tuple[Instruction, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)


def same_words(question: str) -> str:
    """Reduce a question to its words, without case and punctuation, to find duplicates."""
    return " ".join(re.findall(r"[\w'-]+", question.casefold()))


def distinct(record: Record) -> Record:
    """Keep every question of a record once, and drop a question with two different answers."""
    answers: dict[str, set[str]] = {}
    for i in record.instructions:
        answers.setdefault(same_words(i.question), set()).add(i.answer)
    if len(answers) == len(record.instructions):
        return record
    first = {same_words(i.question): i for i in reversed(record.instructions)}
    kept = [i for i in record.instructions if first[words := same_words(i.question)] is i and len(answers[words]) == 1]
    return replace(record, instructions=tuple(kept))


def to_row(record: Record) -> dict[str, Any]:
    """Convert a record to a row (keys of `SCHEMA`), with coordinates rounded to `scale`."""
    row: dict[str, Any] = dict.fromkeys(SCHEMA.names)
    for name in ("id", "source", "recording", "split", "licence", "video"):
        row[name] = getattr(record, name)
    if record.motion is not None:
        motion = record.motion
        scale = max(STEP, float(np.abs(motion.joints).max()) / 32767)
        row |= {
            "dimensions": motion.dimensions,
            "fps": motion.fps,
            "frames": motion.frames,
            "scale": scale,
            "joints": np.rint(motion.joints / np.float32(scale)).astype(np.int16).ravel(),
        }
        if motion.confidence is not None:
            row["confidence"] = np.rint(motion.confidence * 255).astype(np.uint8).ravel()
    if record.video_span is not None:
        row["video_span"] = dict(zip(("start", "end"), record.video_span, strict=True))
    row["actions"] = [{"action": part.action, "start": part.start, "end": part.end} for part in record.actions]
    row["captions"] = [
        {"text": c.text, "tokens": c.tokens, "generator": c.generator, "start": c.start, "end": c.end}
        for c in record.captions
    ]
    plain = ("kind", "style", "form", "question", "answer", "wording", "start", "end", "generator")
    row["instructions"] = [
        {name: getattr(i, name) for name in plain}
        | {"options": list(i.options), "slots": _json(i.slots), "evidence": _json(i.evidence)}
        | {"end": i.start if i.end is None else i.end}  # a moment has equal start and end
        for i in record.instructions
    ]
    row["provenance"] = _json(record.provenance)
    return row


def from_row(row: Mapping[str, Any]) -> Record:
    """Convert a row of `to_row` back to a record.

    Raises:
        InputError: the joints do not fill frames x 22 x 3.
    """
    span = row["video_span"]
    return Record(
        **{name: row[name] for name in ("id", "source", "recording", "split", "licence", "video")},
        motion=motion_of(row),
        video_span=None if span is None or span["start"] is None else (span["start"], span["end"]),
        actions=tuple(Part(**a) for a in row["actions"] or ()),
        captions=tuple(Caption(**{**c, "tokens": c["tokens"] or ""}) for c in row["captions"] or ()),
        instructions=tuple(
            Instruction(
                **{
                    **i,
                    "options": tuple(i["options"] or ()),
                    "slots": json.loads(i["slots"] or "{}"),
                    "evidence": json.loads(i["evidence"] or "{}"),
                }
            )
            for i in row["instructions"] or ()
        ),
        provenance=json.loads(row["provenance"] or "{}"),
    )


def motion_of(row: Mapping[str, Any]) -> Motion | None:
    """Convert the movement of a row to a Motion, or None (see `from_row`)."""
    if row["joints"] is None:
        return None
    joints, confidence = arrays_of(row)
    return Motion(
        joints, row["fps"], row["id"], row["source"], row["fps"], confidence=confidence, dimensions=row["dimensions"]
    )


def arrays_of(row: Mapping[str, Any]) -> tuple[Any, Any]:
    """Decode joints float32 [T, 22, 3], m, and confidence float32 [T, 22] in 0..1 (or None) of a row."""
    frames, scale, fps = row["frames"], row["scale"], row["fps"]
    if not (isinstance(frames, int) and frames > 0 and scale and fps and 0 < scale < 1e3 and 0 < fps < 1e4):
        raise InputError(f"{row['id']}: {frames} frames of scale {scale} at {fps} frames/s are no movement.")
    joints, confidence = np.asarray(row["joints"], np.float32), row["confidence"]
    if joints.size != frames * 66 or (confidence is not None and len(confidence) != frames * 22):
        raise InputError(f"{row['id']}: {joints.size} coordinates do not fill {frames} frames of 22 joints.")
    seen = None if confidence is None else (np.asarray(confidence, np.float32) / 255).reshape(frames, 22)
    return joints.reshape(frames, 22, 3) * np.float32(scale), seen


def to_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Put rows of `to_row` into an Arrow table."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, default=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be stored as evidence")
