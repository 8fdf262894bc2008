"""Exchange requests with a chat endpoint over HTTP: what a refusal means, the rate limit, and the cost."""

from __future__ import annotations

import email.utils
import json
import os
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from vimonet.utils.errors import InputError

_MINUTE = 60.0  # s
_LARGEST = 16 << 20  # bytes of an answer; the longest chat completions have some hundred thousand
_LARGEST_REFUSAL = 1 << 16  # bytes of a refusal that are read


@dataclass(frozen=True)
class Failure:
    """An exchange that gave no answer.

    Attributes:
        what: in a few words, the key of the service left out.
        again: trying again may help.
        fatal: no request will do better (wrong key, unknown model, no quota).
        wait: seconds the service asked to wait; None when it did not say.
        status: HTTP status; 0 when none came.
    """

    what: str
    again: bool
    fatal: bool = False
    wait: float | None = None
    status: int = 0


_LATE = Failure("gave no whole answer in time", again=True, status=408)


class Wire:
    """Sends a request body and returns the decoded answer, or a `Failure`. Never shows the key.

    Args:
        base_url: as ``http://localhost:8000/v1``.
        key_env: environment variable with the key; unset, none is sent (local servers need none).
        timeout: seconds until the last byte of an answer.
        waiting: called with the seconds passed, every `every` seconds of waiting for an answer.
        every: seconds between two such calls.

    Raises:
        InputError: an address or key that cannot be used, or the extra ``llm`` is not installed.
    """

    def __init__(
        self,
        base_url: str,
        key_env: str,
        timeout: float,
        waiting: Callable[[float], object] = lambda _: None,
        every: float = 15.0,
    ) -> None:
        try:
            import httpx2
            import jsonschema  # noqa: F401  checks the answers
        except ImportError:
            raise InputError(
                "asking an endpoint needs the packages of the extra 'llm'; install them with: uv pip install "
                "'vimonet[llm]'."
            ) from None
        self.url = f"{_check_url(base_url)}/chat/completions"
        self.key_env = key_env
        self._key = os.environ.get(key_env, "").strip() if key_env else ""
        if not (self._key.isascii() and self._key.isprintable()) or " " in self._key:
            raise InputError(f"${key_env} holds blanks or letters that no key has; set it to the key alone.")
        self._timeout, self._waiting, self._every = timeout, waiting, every
        # Compressed, a few bytes could become gigabytes.
        headers = {"Accept-Encoding": "identity", **({"Authorization": f"Bearer {self._key}"} if self._key else {})}
        self._errors = (httpx2.TimeoutException, httpx2.ConnectError, httpx2.RequestError)
        self._client = httpx2.Client(
            headers=headers,
            timeout=httpx2.Timeout(timeout, connect=min(timeout, 10.0), pool=None),
            limits=httpx2.Limits(max_connections=None),
        )

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def post(self, body: Mapping[str, Any]) -> dict[str, Any] | Failure:
        """Send one request and wait for its answer, no longer than the timeout in all."""
        answered: queue.SimpleQueue[dict[str, Any] | Failure | BaseException] = queue.SimpleQueue()
        late = threading.Event()

        def exchange() -> None:
            try:
                answered.put(self._exchange(body, late))
            except BaseException as error:
                answered.put(error)

        # A server may send a byte now and then for ever, in its headers too: only a clock beside the exchange ends it.
        threading.Thread(target=exchange, name="endpoint-exchange", daemon=True).start()
        began = time.monotonic()
        while True:
            passed = time.monotonic() - began
            try:
                outcome = answered.get(timeout=max(0.0, min(self._every, self._timeout - passed)))
                break
            except queue.Empty:
                if (passed := time.monotonic() - began) >= self._timeout:
                    late.set()
                    return _LATE
                self._waiting(passed)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _exchange(self, body: Mapping[str, Any], late: threading.Event) -> dict[str, Any] | Failure:
        timed_out, unreachable, dropped = self._errors
        try:
            with self._client.stream("POST", self.url, json=dict(body)) as response:
                if response.headers.get("content-encoding", "identity").lower() != "identity":
                    return Failure("answered in a compressed form, which was not asked for", again=False, status=200)
                most = _LARGEST if response.status_code == 200 else _LARGEST_REFUSAL
                parts, size = [], 0
                for part in response.iter_raw():
                    size += len(part)
                    parts.append(part)
                    if late.is_set():
                        return _LATE
                    if size > most:
                        break
                content = b"".join(parts)
        except unreachable as error:
            return Failure(f"cannot be reached ({self._safe(str(error))})", again=True)
        except timed_out:
            return _LATE
        except dropped as error:
            return Failure(f"dropped the connection ({self._safe(str(error))})", again=True, status=-1)
        if response.status_code != 200:
            return self._refusal(response, content[:_LARGEST_REFUSAL])
        if size > most:
            return Failure(f"answered with more than {most >> 20} MB", again=False, status=200)
        try:
            answer: dict[str, Any] = json.loads(content)
            if isinstance(answer["choices"][0]["message"], dict):
                return answer
        except (ValueError, KeyError, IndexError, TypeError, RecursionError):
            pass
        return Failure("answered with something that is no chat completion", again=True, status=200)

    def _refusal(self, response: Any, content: bytes) -> Failure:
        status = int(response.status_code)
        reason, code = _error_of(content.decode("utf-8", errors="replace"))
        words = f"answered {status}" + (f": {self._safe(reason)}" if reason else "")
        if status in (401, 403):
            hint = f"check the key in ${self.key_env}" if self._key else f"put its key into ${self.key_env}"
            return Failure(f"{words}; {hint}", again=False, fatal=True, status=status)
        if status == 404 or 300 <= status < 400:
            return Failure(f"{words}; check the address and the model's name", False, True, status=status)
        if status == 429 and code == "insufficient_quota":
            return Failure(words, again=False, fatal=True, status=status)
        again = status in (408, 409, 425, 429) or status >= 500
        return Failure(words, again, wait=_retry_after(response.headers) if again else None, status=status)

    def _safe(self, text: str) -> str:
        text = " ".join("".join(c if c.isprintable() else " " for c in text[:2000]).split())[:300]
        return text.replace(self._key, "[key]") if self._key else text


class RateLimit:
    """At most so many requests, and so many tokens, in any 60 seconds; shared by threads.

    Tokens are reserved by an estimate before a request and corrected by the true count after it. A request larger than
    the whole allowance is let through alone, as it could never pass otherwise.

    Args:
        requests: requests per minute; None for no limit.
        tokens: tokens per minute, prompt and completion together; None for no limit.
        clock: seconds that never run back.
        sleep: waits so many seconds.
    """

    def __init__(
        self,
        requests: float | None = None,
        tokens: float | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._requests, self._tokens = requests, tokens
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._sent: deque[list[float]] = deque()  # [time, tokens]
        self._held_until = -float("inf")

    def acquire(self, tokens: int) -> list[float]:
        """Wait until a request of so many tokens may go; returns its ticket for `settle`."""
        while True:
            with self._lock:
                now = self._clock()
                wait = self._wait(now, tokens)
                if wait <= 0:
                    ticket = [now, float(tokens)]
                    self._sent.append(ticket)
                    return ticket
            self._sleep(wait)

    def settle(self, ticket: list[float], tokens: int) -> None:
        """Replace the estimate of a ticket by what the request really took (0 where it was refused)."""
        with self._lock:
            ticket[1] = float(tokens)

    def hold(self, seconds: float) -> None:
        """Let nobody through for so many seconds: the service asked for it."""
        with self._lock:
            self._held_until = max(self._held_until, self._clock() + seconds)

    def _wait(self, now: float, tokens: int) -> float:
        while self._sent and self._sent[0][0] <= now - _MINUTE:
            self._sent.popleft()
        wait = self._held_until - now
        if self._requests is not None and len(self._sent) >= max(1, int(self._requests)):
            wait = max(wait, self._sent[-max(1, int(self._requests))][0] + _MINUTE - now)
        if self._tokens is not None:
            excess = sum(ticket[1] for ticket in self._sent) + tokens - self._tokens
            for at, used in self._sent:
                if excess <= 0:
                    break
                excess -= used
                wait = max(wait, at + _MINUTE - now)
        return wait


@dataclass
class Usage:
    """Count what a run asked and what it cost; safe to add to from many threads.

    Attributes:
        price_in, price_out: price of a million prompt (completion) tokens, in any currency; None when not given.
        requests: requests that the service answered.
        cached: replies taken from the cache, which cost nothing.
        retries: repeated requests (429, 5xx, timeout, dropped connection, unusable reply).
        prompt_tokens, completion_tokens: as the service counts them.
        estimated: requests whose tokens the service did not state; theirs are our estimate.
    """

    price_in: float | None = None
    price_out: float | None = None
    requests: int = 0
    cached: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def add(self, **counts: int) -> None:
        """Add to the counts named."""
        with self._lock:
            for name, count in counts.items():
                setattr(self, name, getattr(self, name) + count)

    def price(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Price so many tokens; None when no price is known."""
        if self.price_in is None and self.price_out is None:
            return None
        return (prompt_tokens * (self.price_in or 0.0) + completion_tokens * (self.price_out or 0.0)) / 1e6

    @property
    def cost(self) -> float | None:
        """Price of everything asked so far; None when no price is known."""
        return self.price(self.prompt_tokens, self.completion_tokens)

    def to_dict(self) -> dict[str, float | int | None]:
        """Give JSON-ready counts with the cost."""
        names = ("requests", "cached", "retries", "prompt_tokens", "completion_tokens", "estimated", "cost")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        """One line for a person."""
        words = (
            f"{self.requests:,} requests ({self.cached:,} more from the cache, {self.retries:,} repeated), "
            f"{self.prompt_tokens:,} tokens in, {self.completion_tokens:,} out"
        )
        if self.estimated:
            words += f" (estimated for {self.estimated:,} requests)"
        return words if self.cost is None else f"{words}, cost {self.cost:.4f}"


def _check_url(base_url: str) -> str:
    base = base_url.strip().rstrip("/").removesuffix("/chat/completions")
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable, parts = False, urlsplit("")
    if not usable:
        raise InputError(f"{base_url!r} is no address of an endpoint; give one such as http://localhost:8000/v1.")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise InputError(
            "the endpoint's address holds a user, password or query; give the plain address, and the key in an "
            "environment variable."
        )
    return base


def _error_of(text: str) -> tuple[str, str]:
    """Read the message and the code of the service from the body of a refusal."""
    try:
        error = json.loads(text)
    except (ValueError, RecursionError):
        return text[:300], ""
    if isinstance(error, dict):
        error = error.get("error", error)
    if isinstance(error, dict):
        return str(error.get("message") or error.get("detail") or ""), str(error.get("code") or "")
    return str(error), ""


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header (RFC 9110, 10.2.3: seconds or a date)."""
    value = headers.get("retry-after")
    if value is None:
        return None
    try:
        wait = float(value)
    except ValueError:
        try:
            wait = email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError):
            return None
    return max(wait, 0.0) if wait == wait else None
