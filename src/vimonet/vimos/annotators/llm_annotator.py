"""Captions and questions by a language model behind an endpoint, each resting on evidence that the model was shown.

Every fact, caption and frame is numbered; the model has to name those it relies on. A row that names none, names one
that was not shown, has no answer, or whose answer is not among its options is dropped and counted: an annotator that is
wrong costs more than one that says less. Prompts: ``llm.yaml``, our own; their hash is part of every row's generator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import yaml

from vimonet.llm.endpoint import Endpoint, EndpointError, Reply, Request, message
from vimonet.motion.kinematics import measure
from vimonet.utils.errors import InputError
from vimonet.vimos.annotators.frame_images import key_frames
from vimonet.vimos.parquet import Caption, Instruction
from vimonet.vimos.types import Clip

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
    """What a model wrote about one clip.

    Attributes:
        id: the clip's id, or the video's path.
        captions: sentences.
        instructions: questions with answers; evidence holds the lines or frames each rests on.
        dropped: reason -> number of rows that were not kept.
        failed: why a request about the clip has no usable answer, one sentence each.
    """

    id: str
    captions: list[Caption] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)

    def drop(self, reason: str) -> None:
        """Count a row that is not kept."""
        self.dropped[reason] = self.dropped.get(reason, 0) + 1


@dataclass(frozen=True)
class _Job:
    annotation: Annotation
    style: str | None  # None: captions
    shown: dict[str, str]  # evidence id -> what it says
    request: Request
    last: bool = False


class LLMAnnotator:
    """Writes captions and questions through an endpoint; its cache makes a killed run continue for nothing.

    Args:
        endpoint: what is asked.
        styles: styles of questions, some of STYLES.
        questions: wanted per clip and style.
        captions: wanted per clip; 0 for none.

    Raises:
        InputError: an unknown style, or a number below 0.
    """

    def __init__(
        self, endpoint: Endpoint, *, styles: Sequence[str] = STYLES, questions: int = 3, captions: int = 2
    ) -> None:
        import jinja2

        unknown = [style for style in styles if style not in STYLES]
        if unknown:
            raise InputError(f"there is no style {unknown[0]!r}; the styles are {', '.join(STYLES)}.")
        if min(questions, captions) < 0:
            raise InputError(f"{min(questions, captions)} questions or captions cannot be written; expected 0 or more.")
        self.endpoint, self.questions, self.captions = endpoint, questions, captions
        self.styles = tuple(dict.fromkeys(styles))
        self.generator = f"llm:{endpoint.settings.model}/{PROMPT_VERSION}"
        prompts = yaml.safe_load(_FILE)
        environment = jinja2.Environment(undefined=jinja2.StrictUndefined, autoescape=False)
        self._system: str = prompts["system"]
        self._guides: dict[str, str] = prompts["styles"]
        self._prompts = {
            name: environment.from_string(prompts[name]) for name in ("motion_captions", "video_captions", "questions")
        }

    def clips(self, clips: Iterable[Clip]) -> Iterator[Annotation]:
        """Annotate movements, in order, from their measured facts and captions.

        Raises:
            EndpointError: the endpoint answers nothing at all; answers so far are in its cache.
        """
        return self._run(self._clip_jobs(clips))

    def videos(self, paths: Iterable[str | Path], *, frames: int = 8) -> Iterator[Annotation]:
        """Caption videos, in order, from key frames that cover their whole time.

        Raises:
            InputError: a file that is no video, or (EndpointError) an endpoint that answers nothing at all.
        """
        return self._run(self._video_jobs(paths, frames))

    def _clip_jobs(self, clips: Iterable[Clip]) -> Iterator[_Job]:
        for clip in clips:
            annotation = Annotation(clip.id)
            shown = {f"F{i}": line for i, line in enumerate(measure(clip.motion).lines(), 1)}
            shown |= {f"C{i}": text for i, text in enumerate(clip.captions, 1)}
            evidence = "Evidence:\n" + "\n".join(f"{name}: {' '.join(text.split())}" for name, text in shown.items())
            wanted: list[str | None] = ([None] if self.captions else []) + list(self.styles if self.questions else ())
            for style in wanted:
                if style is None:
                    text = self._prompts["motion_captions"].render(evidence=evidence, count=self.captions)
                else:
                    text = self._prompts["questions"].render(
                        evidence=evidence,
                        count=self.questions,
                        style=style.replace("_", " "),
                        guide=self._guides[style].strip(),
                    )
                yield _Job(annotation, style, shown, self._request(text, style), last=style is wanted[-1])

    def _video_jobs(self, paths: Iterable[str | Path], frames: int) -> Iterator[_Job]:
        for path in paths:
            found = key_frames(path, frames)
            shown = {f"V{i}": f"frame at {time:.2f} s" for i, time in enumerate(found.times, 1)}
            text = self._prompts["video_captions"].render(
                evidence="Evidence: " + ", ".join(f"{name}: {said}" for name, said in shown.items()),
                frames=len(found.images),
                duration=f"{found.duration:.1f}",
                count=max(self.captions, 1),
            )
            yield _Job(Annotation(str(path)), None, shown, self._request(text, None, found.images), last=True)

    def _request(self, text: str, style: str | None, images: Sequence[bytes] = ()) -> Request:
        schema = _CAPTIONS if style is None else _QUESTIONS
        return Request([message("system", self._system), message("user", text, images)], schema)

    def _run(self, jobs: Iterator[_Job]) -> Iterator[Annotation]:
        asked: list[_Job] = []  # those under way: the endpoint takes requests ahead of the answers

        def requests() -> Iterator[Request]:
            for job in jobs:
                asked.append(job)
                yield job.request

        for reply in self.endpoint.chat_many(requests()):
            job = asked.pop(0)
            if isinstance(reply, EndpointError):
                job.annotation.failed.append(f"{job.style or 'captions'}: {reply}")
            else:
                self._keep(job, reply)
            if job.last:
                yield job.annotation

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
