"""Annotate rows of a dataset with a language model behind an endpoint: captions and questions that cite evidence.

The prompt numbers every fact, caption and key frame, and the model cites the numbers it relies on. Answers without a
valid citation, empty answers and answers outside their options are dropped and counted, because a wrong annotation
costs more than a missing one. The prompts are in ``llm.yaml``; their hash is part of every annotation's generator.
"""

from __future__ import annotations

import hashlib
import io
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from vimonet.llm.endpoint import Endpoint, EndpointError, Reply, Request, message
from vimonet.motion.kinematics import measure
from vimonet.utils.errors import InputError
from vimonet.video import read
from vimonet.vimos.annotators.annotate import MIN_FRAMES
from vimonet.vimos.parquet import Caption, Instruction, Record

STYLES = ("sequence", "direction", "body_part", "reasoning", "hallucination")
_FILE = resources.files("vimonet.vimos.annotators").joinpath("llm.yaml").read_bytes()
PROMPT_VERSION = hashlib.sha256(_FILE).hexdigest()[:12]

_STRINGS = {"type": "array", "items": {"type": "string"}}


def _list_of(**properties: Any) -> dict[str, Any]:
    def closed(fields: dict[str, Any]) -> dict[str, Any]:
        return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}

    return closed({"items": {"type": "array", "items": closed(properties)}})


_CAPTIONS = _list_of(text={"type": "string"}, evidence=_STRINGS)
_QUESTIONS = _list_of(question={"type": "string"}, answer={"type": "string"}, options=_STRINGS, evidence=_STRINGS)


@dataclass
class Annotation:
    """Hold the captions and questions that a model wrote about one row.

    Attributes:
        id: id of the row.
        captions: captions.
        instructions: questions with answers; their evidence holds the cited lines or frames.
        dropped: reason -> number of dropped answers.
        failed: reason of each failed request, one sentence each.
    """

    id: str
    captions: list[Caption] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def drop(self, reason: str) -> None:
        """Count a dropped answer."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


@dataclass(frozen=True)
class _Job:
    annotation: Annotation
    style: str | None  # None: captions
    shown: dict[str, str]  # evidence id -> its text
    request: Request | None  # None: the row is done


class LLMAnnotator:
    """Write captions and questions through an endpoint, whose cache answers repeated requests.

    Args:
        endpoint: endpoint of the language model.
        styles: question styles, out of `STYLES`.
        questions: questions per row and style.
        captions: captions per row; 0 for none.
        frames: key frames of a video.

    Raises:
        InputError: an unknown style, or a number below 0.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        styles: Sequence[str] = STYLES,
        questions: int = 3,
        captions: int = 2,
        frames: int = 8,
    ) -> None:
        import jinja2

        unknown = [style for style in styles if style not in STYLES]
        if unknown:
            raise InputError(f"there is no style {unknown[0]!r}; the styles are {', '.join(STYLES)}.")
        if min(questions, captions) < 0:
            raise InputError(f"{min(questions, captions)} questions or captions cannot be written; expected 0 or more.")
        if frames < 1:
            raise InputError(f"{frames} key frames show nothing; expected 1 or more.")
        self.endpoint, self.questions, self.captions, self.frames = endpoint, questions, captions, frames
        self.styles = tuple(dict.fromkeys(styles))
        self.generator = f"llm:{endpoint.settings.model}/{PROMPT_VERSION}"
        prompts = yaml.safe_load(_FILE)
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
        self._system: str = prompts["system"]
        self._guides: dict[str, str] = prompts["styles"]
        self._prompts = {
            name: environment.from_string(prompts[name]) for name in ("motion_captions", "video_captions", "questions")
        }

    def annotate(self, records: Iterable[Record], folder: str | Path = ".") -> Iterator[Annotation]:
        """Annotate rows, in order: movements from their measured facts and captions, videos from their key frames.

        Args:
            records: rows, drawn lazily; a row without movement and video gets an empty annotation.
            folder: folder of the dataset, with the videos.

        Raises:
            EndpointError: the endpoint answers no request; earlier answers are in its cache.
        """
        waiting: deque[_Job] = deque()  # the endpoint draws requests before it yields earlier replies

        def requests() -> Iterator[Request]:
            for job in self._jobs(records, Path(folder)):
                waiting.append(job)
                if job.request is not None:
                    yield job.request

        for reply in self.endpoint.chat_many(requests()):
            while waiting[0].request is None:
                yield waiting.popleft().annotation
            job = waiting.popleft()
            if isinstance(reply, EndpointError):
                job.annotation.failed.append(f"{job.style or 'captions'}: {reply}")
            else:
                self._keep(job, reply)
        yield from (job.annotation for job in waiting)

    def _jobs(self, records: Iterable[Record], folder: Path) -> Iterator[_Job]:
        for record in records:
            annotation = Annotation(record.id)
            if record.motion is not None and record.motion.frames >= MIN_FRAMES:
                yield from self._motion_jobs(record, annotation)
            if record.video is not None and self.captions:
                try:
                    yield self._video_job(record, folder / record.video, annotation)
                except InputError as error:
                    annotation.failed.append(f"video: {error}")
            yield _Job(annotation, None, {}, None)

    def _motion_jobs(self, record: Record, annotation: Annotation) -> Iterator[_Job]:
        assert record.motion is not None
        captions = [one.text for one in record.captions if one.generator == "people" and one.start is None]
        shown = {f"F{i}": line for i, line in enumerate(measure(record.motion).lines(), 1)}
        shown |= {f"C{i}": text for i, text in enumerate(captions, 1)}
        evidence = "Evidence:\n" + "\n".join(f"{name}: {' '.join(text.split())}" for name, text in shown.items())
        if self.captions:
            text = self._prompts["motion_captions"].render(evidence=evidence, count=self.captions)
            yield _Job(annotation, None, shown, self._request(text, None))
        for style in self.styles if self.questions else ():
            guide = self._guides[style].strip()
            text = self._prompts["questions"].render(
                evidence=evidence, count=self.questions, style=style.replace("_", " "), guide=guide
            )
            yield _Job(annotation, style, shown, self._request(text, style))

    def _video_job(self, record: Record, path: Path, annotation: Annotation) -> _Job:
        found = key_frames(path, self.frames, span=record.video_span)
        shown = {f"V{i}": f"frame at {time:.2f} s" for i, time in enumerate(found.times, 1)}
        text = self._prompts["video_captions"].render(
            evidence="Evidence: " + ", ".join(f"{name}: {frame}" for name, frame in shown.items()),
            frames=len(found.images),
            duration=f"{found.duration:.1f}",
            count=self.captions,
        )
        return _Job(annotation, None, shown, self._request(text, None, found.images))

    def _request(self, text: str, style: str | None, images: Sequence[bytes] = ()) -> Request:
        schema = _CAPTIONS if style is None else _QUESTIONS
        return Request([message("system", self._system), message("user", text, images)], schema)

    def _keep(self, job: _Job, reply: Reply) -> None:
        for row in reply.value["items"]:
            evidence = {name: job.shown[name] for name in row["evidence"] if name in job.shown}
            if not evidence or len(evidence) < len(set(row["evidence"])):
                job.annotation.drop("evidence that was not shown" if row["evidence"] else "no evidence named")
            elif job.style is None:
                self._keep_caption(job, row)
            else:
                self._keep_question(job, job.style, row, {"lines": evidence, "model": reply.model})

    def _keep_caption(self, job: _Job, row: dict[str, Any]) -> None:
        text = " ".join(row["text"].split())
        if len(text.split()) < 3:
            job.annotation.drop("caption of fewer than three words")
        elif any(text.casefold() == caption.text.casefold() for caption in job.annotation.captions):
            job.annotation.drop("twice the same")
        else:
            job.annotation.captions.append(Caption(text, self.generator))

    def _keep_question(self, job: _Job, style: str, row: dict[str, Any], evidence: dict[str, Any]) -> None:
        question, answer = (" ".join(row[name].split()) for name in ("question", "answer"))
        options = tuple(dict.fromkeys(" ".join(option.split()) for option in row["options"]))
        annotation = job.annotation
        if not answer or not question.endswith("?"):
            annotation.drop("no answer, or no question")
        elif options and (answer not in options or len(options) < 2):
            annotation.drop("answer not among its options")
        elif style == "hallucination" and (answer not in ("yes", "no") or set(options) - {"yes", "no"}):
            annotation.drop("hallucination question without yes or no")
        elif any(question.casefold() == other.question.casefold() for other in annotation.instructions):
            annotation.drop("twice the same")
        else:
            kind = "yes_no" if set(options) == {"yes", "no"} else style
            annotation.instructions.append(
                Instruction(kind, f"llm_{style}", question, answer, style, self.generator, options, {}, evidence)
            )


@dataclass(frozen=True)
class KeyFrames:
    """Hold frames of a video: PNG bytes in order, times in s, and the duration in s that they cover."""

    images: tuple[bytes, ...]
    times: tuple[float, ...]
    duration: float


def key_frames(
    path: str | Path, count: int = 8, *, longest_side: int = 512, span: tuple[float, float] | None = None
) -> KeyFrames:
    """Read the middle frame of each of `count` equal parts of a video.

    Args:
        path: a video that PyAV reads.
        count: number of frames; a shorter video gives each of its frames once.
        longest_side: largest side, pixels; smaller frames keep their size.
        span: span of the video, s, to read evenly spaced frames from instead.

    Raises:
        InputError: the file is missing, no video, or damaged.
    """
    if span is None:
        clip = read(path, count, by="parts", max_side=longest_side)
    else:
        clip = read(path, count, start=span[0], end=span[1], max_side=longest_side)
    if clip.notes:  # a caption of missing frames would be wrong
        raise InputError(f"{path}: {'; '.join(clip.notes)}; expected an undamaged video.")
    duration = clip.duration if span is None else span[1] - span[0]
    return KeyFrames(tuple(map(_png, clip.images)), tuple(clip.times.tolist()), duration)


def _png(frame: NDArray[np.uint8]) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(frame).save(stream, "PNG")
    return stream.getvalue()
