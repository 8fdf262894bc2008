"""Client of any OpenAI-compatible chat endpoint: text and images in, text or schema-checked JSON out.

    endpoint = Endpoint(Settings("http://localhost:8000/v1", "qwen2.5-vl", cache=Path("cache")))
    reply = endpoint.chat([message("user", "How many times?", images=[png])], schema={...})
    reply.value, endpoint.usage

What a long run over a paid service needs is here once: retries, a rate limit, a count of tokens and cost, and a cache
that makes a killed run cost nothing twice. Needs the extra ``llm``.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vimonet.llm.endpoint.http import Failure, RateLimit, Usage, Wire
from vimonet.llm.endpoint.messages import estimate_tokens, message, parse, with_schema
from vimonet.llm.endpoint.reply_cache import ReplyCache, default_cache, request_key
from vimonet.utils.errors import InputError

__all__ = ["Endpoint", "EndpointError", "Reply", "Request", "Settings", "Usage", "default_cache", "message"]

_LONGEST_WAIT = 60.0  # s, of our own back-off
_LONGEST_ASKED = 600.0  # s, that one request waits in all because a service asks for it or refuses
_WORTH_A_WORD = 5.0  # s of waiting before a repetition that the user is told of
_SILENT = 15.0  # s between two words to the user
_OPTIONAL = ("response_format", "temperature", "seed")


class EndpointError(InputError):
    """A request without a usable answer; ``fatal`` where no other request would fare better (wrong key, no quota)."""

    def __init__(self, text: str, *, fatal: bool = False) -> None:
        super().__init__(text)
        self.fatal = fatal


@dataclass(frozen=True)
class Settings:
    """How an endpoint is asked.

    Attributes:
        base_url: address up to ``/v1``.
        model: name of the model there.
        key_env: environment variable that holds the key; unset, no key is sent.
        cache: folder of answers; None keeps nothing.
        temperature, seed, max_tokens: of the generation; max_tokens counts completion tokens.
        timeout: s until the last byte of one answer.
        attempts: how often one request is tried in all.
        backoff: s before the first repetition; doubled each time up to 60 s, with jitter.
        requests_per_minute, tokens_per_minute: allowance in any 60 s; None for no limit.
        price_in, price_out: price of a million prompt (completion) tokens.
        workers: requests at a time.
    """

    base_url: str
    model: str
    key_env: str = "OPENAI_API_KEY"
    cache: Path | None = None
    temperature: float = 0.0
    seed: int = 0
    max_tokens: int = 1024
    timeout: float = 120.0
    attempts: int = 6
    backoff: float = 1.0
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    price_in: float | None = None
    price_out: float | None = None
    workers: int = 4

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise InputError("the endpoint's model has no name; give one, as the service calls it.")
        for name in ("attempts", "workers", "max_tokens", "timeout"):
            if not getattr(self, name) >= (1 if name != "timeout" else 0.001):
                raise InputError(f"{name} is {getattr(self, name)}; expected a positive number.")
        for name in ("requests_per_minute", "tokens_per_minute"):
            if (value := getattr(self, name)) is not None and not value >= 1:
                raise InputError(f"{name} is {value}; expected 1 or more, or nothing for no limit.")
        for name in ("price_in", "price_out", "backoff"):
            if (value := getattr(self, name)) is not None and not value >= 0:
                raise InputError(f"{name} is {value}; expected 0 or more.")


@dataclass(frozen=True)
class Request:
    """Messages to send; with a JSON schema the answer must satisfy it."""

    messages: Sequence[dict[str, Any]]
    schema: dict[str, Any] | None = None


@dataclass(frozen=True)
class Reply:
    """An answer.

    Attributes:
        text: the words of the reply.
        value: the checked JSON; None without a schema.
        model: the model that answered, as the service names it.
        prompt_tokens, completion_tokens: of all exchanges the answer took.
        cached: nothing was asked now.
    """

    text: str
    value: Any = None
    model: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached: bool = False


@dataclass
class Endpoint:
    """A chat endpoint that can be asked from many threads; use it in a ``with`` statement or `close` it.

    Args:
        settings: how it is asked.
        say: tells the user, in a sentence now and then, that the endpoint lets us wait; on standard error by default.

    Raises:
        InputError: settings that cannot be used, or the extra ``llm`` is not installed.
    """

    settings: Settings
    say: Callable[[str], object] = field(default_factory=lambda: _say)
    usage: Usage = field(init=False)

    def __post_init__(self) -> None:
        s = self.settings
        self.usage = Usage(s.price_in, s.price_out)
        self._stop = threading.Event()
        self._wire = Wire(s.base_url, s.key_env, s.timeout, self._waiting, _SILENT)
        self._said = -float("inf")
        self._cache = ReplyCache(s.cache)
        self._limit = RateLimit(s.requests_per_minute, s.tokens_per_minute, sleep=self._sleep)
        self._refused: dict[str, str | None] = {}  # parameter the service refuses -> its other name, or None
        self._asking: dict[str, threading.Lock] = {}
        self._lock = threading.Lock()
        self._answered = False

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; threads that wait for their turn give up."""
        self._stop.set()
        self._wire.close()

    def chat(self, messages: Sequence[dict[str, Any]], *, schema: dict[str, Any] | None = None) -> Reply:
        """Ask and wait for the answer.

        An answer that breaks the schema is shown to the model with what is wrong, and asked for again; one that was cut
        off is asked for again with twice the room. Every exchange is cached, the unusable ones too: a rerun pays for
        none of them again. To have a failed request tried anew, change the seed.

        Raises:
            EndpointError: no usable answer in all attempts, or one that no attempt could get.
        """
        s = self.settings
        body: dict[str, Any] = {
            "model": s.model,
            "messages": list(messages) if schema is None else with_schema(messages, schema),
            "temperature": s.temperature,
            "seed": s.seed,
            "max_tokens": s.max_tokens,
        }
        if schema is not None:
            spec = {"name": "answer", "strict": True, "schema": schema}
            body["response_format"] = {"type": "json_schema", "json_schema": spec}
        asked, tokens, cached, wrong = body["messages"], [0, 0], True, ""
        for attempt in range(1, s.attempts + 1):
            exchange, found = self._exchange(request_key(self._wire.url, body), body)
            cached &= found
            tokens = [tokens[0] + exchange["prompt_tokens"], tokens[1] + exchange["completion_tokens"]]
            text = exchange["text"]
            value, problem = (None, None) if schema is None else parse(text, schema)
            if problem is None and (text.strip() or schema is not None):
                return Reply(text, value, exchange["model"], tokens[0], tokens[1], cached)
            wrong = problem or "it is empty"
            if not found:
                self.usage.add(retries=1)
            if exchange["cut"]:
                body = {**body, "max_tokens": body["max_tokens"] * 2}
                continue
            complaint = f"That answer cannot be used: {wrong}. Answer the same question again, as it was asked for."
            # Only the last answer is shown, so that the conversation does not grow; another seed, as a model that gives
            # the same bad answer twice would otherwise be sent the same request, and find it in the cache.
            shown = [*asked, message("assistant", text), message("user", complaint)]
            body = {**body, "messages": shown, "seed": s.seed + attempt}
        raise EndpointError(f"{s.model} gave no usable answer in {s.attempts} attempts: {wrong}.")

    def chat_many(self, requests: Iterable[Request]) -> Iterator[Reply | EndpointError]:
        """Ask many, several at a time; answers come in the order of the requests, as they are ready.

        Requests are taken as they are needed, so they may be a stream. A request that fails gives its error in place
        of its answer. On an interrupt nothing more is sent; answers already paid for are awaited and cached.

        Raises:
            EndpointError: a fatal one; nothing more is sent.
        """
        waiting: deque[Future[Reply]] = deque()
        pool = ThreadPoolExecutor(self.settings.workers, thread_name_prefix="endpoint")
        try:
            for request in requests:
                waiting.append(pool.submit(self.chat, request.messages, schema=request.schema))
                if len(waiting) >= 4 * self.settings.workers:
                    yield _outcome(waiting.popleft())
            while waiting:
                yield _outcome(waiting.popleft())
        except BaseException as error:
            if not isinstance(error, GeneratorExit):
                self._stop.set()
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _exchange(self, key: str, body: dict[str, Any]) -> tuple[dict[str, Any], bool]:
        """Make or recall the exchange of a key; tell whether the cache had it. No request is under way twice."""
        with self._lock:
            turn = self._asking.setdefault(key, threading.Lock())
        try:
            with turn:
                kept = self._cache.get(key)
                if kept is None:
                    exchange = self._send(body)
                    self._cache.put(key, exchange)
                    return exchange, False
        finally:
            with self._lock:
                self._asking.pop(key, None)
        self.usage.add(cached=1)
        return kept, True

    def _sleep(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise EndpointError("the run was stopped before every request was sent.", fatal=True)

    def _waiting(self, seconds: float) -> None:
        s = self.settings
        self._tell(f"{s.base_url}: no answer after {seconds:.0f} s; waiting up to {s.timeout:.0f} s")

    def _tell(self, text: str) -> None:
        """Pass a sentence on, unless another thread has just said one."""
        with self._lock:
            now = time.monotonic()
            if now - self._said < _SILENT - 1:
                return
            self._said = now
        self.say(text)

    def _send(self, body: dict[str, Any]) -> dict[str, Any]:
        """One exchange over the wire, repeated while that can help."""
        s = self.settings
        guess = estimate_tokens(body["messages"])
        attempt, waited = 0, 0.0
        while True:
            ticket = self._limit.acquire(guess + body["max_tokens"])
            self._sleep(0.0)
            spoken = self._spoken(body)
            answer = self._wire.post(spoken)
            if not isinstance(answer, Failure):
                self._answered = True
                exchange = self._count(answer, guess)
                self._limit.settle(ticket, exchange["prompt_tokens"] + exchange["completion_tokens"])
                return exchange
            self._limit.settle(ticket, 0)
            if answer.status in (400, 422) and self._adapt(answer.what, spoken):
                continue
            attempt += 1
            # A server that never answered is most likely not there: a wrong address should not take a minute to tell.
            attempts = s.attempts if self._answered or answer.status else min(2, s.attempts)
            asked = answer.wait or 0.0
            if not answer.again or attempt >= attempts or waited + asked > _LONGEST_ASKED:
                tries = f" ({attempt} attempts)" if attempt > 1 else ""
                late = f"; it asks to wait {waited + asked:.0f} s" if waited + asked > _LONGEST_ASKED else ""
                fatal = answer.fatal or answer.status == 0 or bool(late)
                raise EndpointError(f"{s.base_url}: the endpoint {answer.what}{late}{tries}.", fatal=fatal)
            self.usage.add(retries=1)
            if answer.wait is not None:
                self._limit.hold(answer.wait)
            pause = max(min(s.backoff * 2 ** (attempt - 1), _LONGEST_WAIT) * random.uniform(0.5, 1.0), asked)
            waited += pause
            if pause >= _WORTH_A_WORD:
                self._tell(f"{s.base_url}: the endpoint {answer.what}; asking again in {pause:.0f} s")
            self._sleep(pause)

    def _spoken(self, body: dict[str, Any]) -> dict[str, Any]:
        """Leave out of the body what this service refuses; the key stays that of the full request."""
        names = {name: self._refused.get(name, name) for name in body}
        return {new: body[name] for name, new in names.items() if new is not None}

    def _adapt(self, refusal: str, spoken: dict[str, Any]) -> bool:
        """Learn from a refusal which parameter the service does not take; False when that is not it."""
        if "max_completion_tokens" in refusal and "max_tokens" in spoken:
            self._refused["max_tokens"] = "max_completion_tokens"
            return True
        for name in _OPTIONAL:
            if name in spoken and (name in refusal or (name == "response_format" and "json_schema" in refusal)):
                self._refused[name] = None
                return True
        return False

    def _count(self, answer: dict[str, Any], guess: int) -> dict[str, Any]:
        choice = answer["choices"][0]
        content = choice["message"].get("content")
        text = _whole_letters(content) if isinstance(content, str) else ""
        stated = answer.get("usage")
        stated = stated if isinstance(stated, dict) else {}
        counts = [stated.get(name) for name in ("prompt_tokens", "completion_tokens")]
        known = all(isinstance(count, int) and 0 <= count < 2**31 for count in counts)
        prompt = stated["prompt_tokens"] if known else guess
        completion = stated["completion_tokens"] if known else len(text) // 4 + 1
        self.usage.add(requests=1, prompt_tokens=prompt, completion_tokens=completion, estimated=int(not known))
        return {
            "text": text,
            "model": _whole_letters(str(answer.get("model") or self.settings.model))[:200],
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "cut": choice.get("finish_reason") == "length",
        }


def _whole_letters(text: str) -> str:
    """Replace halves of letters (lone surrogates), which no file or terminal takes."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def _say(text: str) -> None:
    from tqdm import tqdm

    tqdm.write(f"vimonet: {text}", file=sys.stderr)


def _outcome(future: Future[Reply]) -> Reply | EndpointError:
    try:
        return future.result()
    except EndpointError as error:
        if error.fatal:
            raise
        return error
