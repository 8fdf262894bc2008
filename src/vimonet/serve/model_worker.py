"""Run the model in one thread: questions that wait while it is busy are answered together in its next pass.

Everything that is handed in gets its result or its error, whatever happens to the others of its batch. Who no longer
waits (the future is cancelled) leaves the queue at once, and the model stops writing that answer at its next token.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from vimonet.serve.server_errors import ApiError
from vimonet.serve.server_limits import ServerLimits
from vimonet.serve.server_metrics import Metrics
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.inference.answer import Answer
    from vimonet.inference.assistant import Assistant
    from vimonet.inference.streaming import Listener
    from vimonet.inference.windows import WindowInput
    from vimonet.motion import Motion
    from vimonet.video import VideoFrames

LOG = logging.getLogger("vimonet.serve")
_SMOOTHING = 0.3
"""Weight of the newest pass in the mean time of a question."""


@dataclass(frozen=True)
class Answered:
    """Hold an answer with its counts.

    Attributes:
        answer: the answer.
        record: `Answer.to_dict` of it, with every measurement that bears on the question.
        prompt_tokens, tokens: read and written.
        ended: whether the model ended every part itself; False where the length limit did.
    """

    answer: Answer
    record: dict[str, Any]
    prompt_tokens: int
    tokens: int
    ended: bool


@dataclass(eq=False)
class Question:
    """Hold a question that waits for the model.

    Attributes:
        text: the question.
        clips: digests of the recordings; questions with the same ones share a pass over them.
        motions, videos: the recordings as the model reads them.
        history: earlier questions and answers.
        max_new_tokens, answer_policy: as in `Assistant.ask`.
        on_text: called with each piece of the text; None for whoever takes the whole answer.
        future: gets the answer.
    """

    text: str
    clips: tuple[str, ...] = ()
    motions: tuple[Motion, ...] = ()
    videos: tuple[VideoFrames, ...] = ()
    history: tuple[tuple[str, str], ...] = ()
    max_new_tokens: int | None = None
    answer_policy: str | None = None
    on_text: Callable[[str], None] | None = None
    future: Future[Answered] = field(default_factory=Future)


@dataclass(eq=False)
class _Call:
    """Hold other work that needs the model's thread, such as a search."""

    job: Callable[[], Any]
    future: Future[Any] = field(default_factory=Future)


class ModelWorker:
    """Own the model and the thread that runs it.

    Args:
        load: loads the model, in the thread.
        limits: of a batch.
        metrics: counts passes and tokens.
        name: name of the model for clients; empty for the model's own.
        on_failure: called with the error that kept the model from loading.

    Attributes:
        ready: set when the model has answered its first question.
        created: Unix time of the start, s.
    """

    def __init__(
        self,
        load: Callable[[], Assistant],
        limits: ServerLimits,
        metrics: Metrics,
        *,
        name: str = "",
        on_failure: Callable[[Exception], None] | None = None,
    ) -> None:
        self._load, self._limits, self._metrics = load, limits, metrics
        self._name, self._on_failure = name, on_failure
        self.created = int(time.time())
        self._assistant: Assistant | None = None
        self._queue: list[Question | _Call] = []
        self._changed = threading.Condition()
        self._closing = False
        self._running = 0
        self._seconds_each = 0.0
        self.ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="vimonet-model", daemon=True)

    def start(self) -> None:
        """Start the thread, which loads the model first."""
        self._thread.start()

    @property
    def assistant(self) -> Assistant:
        """Return the model.

        Raises:
            ApiError: it is not loaded yet.
        """
        if not self.alive or self._assistant is None:
            raise ApiError(503, "the model is not loaded yet.", "not_ready", headers={"Retry-After": "2"})
        return self._assistant

    @property
    def name(self) -> str:
        """Name of the model for clients; errors as `assistant`."""
        return self._name or self.assistant.name

    @property
    def alive(self) -> bool:
        """Whether questions are answered."""
        return self.ready.is_set() and self._thread.is_alive() and not self._closing

    def wait(self) -> float:
        """Estimate the seconds until one more question would be begun; 0 where nothing waits, however slow the last."""
        return self._seconds_each * (len(self._queue) + self._running)

    def submit(self, question: Question) -> Future[Answered]:
        """Hand in a question; cancel its future to leave.

        Raises:
            ApiError: the model is not loaded, or the server is shutting down.
        """
        self._put(question)
        return question.future

    def call(self, job: Callable[[], Any]) -> Future[Any]:
        """Run other work in the model's thread; errors as `submit`."""
        call = _Call(job)
        self._put(call)
        return call.future

    def close(self) -> None:
        """Finish what was handed in, take nothing more, and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(self._limits.drain_seconds)

    def _put(self, job: Question | _Call) -> None:
        with self._changed:
            _ = self.assistant
            self._queue.append(job)
            self._metrics.waiting.set(len(self._queue))
            self._changed.notify_all()
        job.future.add_done_callback(lambda _: self._leave(job))

    def _leave(self, job: Question | _Call) -> None:
        with self._changed, suppress(ValueError):
            self._queue.remove(job)
            self._metrics.waiting.set(len(self._queue))

    def _run(self) -> None:
        try:
            assistant = self._load()
            self._assistant = assistant
            self._warm_up(assistant)
        except Exception as error:
            LOG.error("the model cannot be loaded: %s", error)
            if self._on_failure is not None:
                self._on_failure(error)
            return
        self.ready.set()
        while batch := self._next():
            start = time.perf_counter()
            try:
                first = batch[0]
                if isinstance(first, _Call):
                    _settle(first.future, first.job)
                else:
                    self._answer(assistant, [job for job in batch if isinstance(job, Question)])
            except Exception as error:  # of ours: everybody is told, and the thread goes on
                LOG.error("the model's thread failed: %s", type(error).__name__, exc_info=LOG.isEnabledFor(10))
                for job in batch:
                    _fail(job.future, error)
            seconds = time.perf_counter() - start
            self._metrics.model_seconds.observe(seconds)
            self._metrics.batches.observe(len(batch))
            self._seconds_each += _SMOOTHING * (seconds / len(batch) - self._seconds_each)
            self._running = 0

    def _warm_up(self, assistant: Assistant) -> None:
        """Answer a first question, which pays for what is built on first use and says how long one takes."""
        from vimonet.motion import load
        from vimonet.samples import sample_path

        motion = load(sample_path("walk"))
        start = time.perf_counter()
        with suppress(InputError):  # a model that reads no 3D motion
            assistant.ask("what is the person doing?", motion)
        self._seconds_each = time.perf_counter() - start

    def _next(self) -> list[Question | _Call]:
        """Wait for work; return the oldest job with those that can share its pass, empty at the end."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    return []
                self._changed.wait()
            first = self._queue[0]
            batch = [first]
            if isinstance(first, Question):
                key = self._shared(first)
                others = [job for job in self._queue[1:] if isinstance(job, Question) and self._shared(job) == key]
                batch += others[: self._limits.batch - 1]
            taken = {id(job) for job in batch}
            self._queue = [job for job in self._queue if id(job) not in taken]
            self._running = len(batch)
            self._metrics.waiting.set(len(self._queue))
            return batch

    def _shared(self, job: Question) -> tuple[Any, ...]:
        """Name what the questions of one pass have in common.

        A model with a context reads one recording at a time and answers its questions together; the others answer
        questions about any recordings in one padded batch.
        """
        options = (job.max_new_tokens, job.answer_policy)
        context = self._assistant is not None and self._assistant.config.context
        return (*options, job.clips, job.history) if context else options

    def _answer(self, assistant: Assistant, batch: Sequence[Question]) -> None:
        from vimonet.inference.streaming import Listener

        builder = assistant.builder()
        clips: dict[tuple[str, ...], tuple[Any, Any]] = {}
        prepared: list[tuple[Question, list[WindowInput], list[Listener]]] = []
        for job in batch:
            motions, videos = clips.setdefault(job.clips, (list(job.motions) or None, list(job.videos) or None))
            builder.history = job.history
            try:
                windows = assistant.windows(builder, job.text, motions, videos)
                streams = job.on_text is not None and assistant.keeps_words(windows, job.answer_policy)
            except Exception as error:
                _fail(job.future, error)
                continue
            on_text = job.on_text if streams else None
            prepared.append((job, windows, [Listener(on_text, job.future.done) for _ in windows]))
        if not prepared:
            return
        try:
            self._generate(assistant, prepared)
        except Exception:
            if len(prepared) == 1:
                raise
            for one in prepared:  # one of them is to blame: the others are answered
                if not one[0].future.done():
                    one = (one[0], one[1], [Listener(None, one[0].future.done) for _ in one[1]])
                    try:
                        self._generate(assistant, [one])
                    except Exception as error:
                        _fail(one[0].future, error)

    def _generate(
        self, assistant: Assistant, prepared: Sequence[tuple[Question, list[WindowInput], list[Listener]]]
    ) -> None:
        first = prepared[0][0]
        answers = assistant.answer_windows(
            [windows for _, windows, _ in prepared],
            max_new_tokens=first.max_new_tokens,
            answer_policy=first.answer_policy,
            evidence=True,
            listeners=[listeners for _, _, listeners in prepared],
        )
        for (job, _, listeners), answer in zip(prepared, answers, strict=True):
            read, written = (sum(getattr(one, name) for one in listeners) for name in ("prompt_tokens", "tokens"))
            self._metrics.tokens.labels("read").inc(read)
            self._metrics.tokens.labels("written").inc(written)
            if not job.future.done():
                ended = all(one.ended for one in listeners)
                _settle(job.future, partial(_counted, answer, read, written, ended))


def _counted(answer: Answer, prompt_tokens: int, tokens: int, ended: bool) -> Answered:
    return Answered(answer, answer.to_dict(), prompt_tokens, tokens, ended)


def _settle(future: Future[Any], job: Callable[[], Any]) -> None:
    """Set a future to the result of a job, or to its error."""
    try:
        result = job()
    except Exception as error:
        _fail(future, error)
        return
    with suppress(InvalidStateError):
        future.set_result(result)


def _fail(future: Future[Any], error: Exception) -> None:
    with suppress(InvalidStateError):
        future.set_exception(error)
