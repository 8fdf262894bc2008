"""How often an endpoint may be asked."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

_MINUTE = 60.0


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
