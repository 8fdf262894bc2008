"""What a run has asked and what it cost."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field


@dataclass
class Usage:
    """Counts of one run; safe to add to from many threads.

    Attributes:
        price_in, price_out: price of a million prompt (completion) tokens, in any currency; None when not given.
        requests: requests that were answered by the service and therefore count.
        cached: answers taken from the cache, which cost nothing.
        retries: requests that had to be repeated (429, 5xx, timeout, dropped connection, unusable answer).
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

    def add(
        self,
        *,
        requests: int = 0,
        cached: int = 0,
        retries: int = 0,
        prompt_tokens: int = 0,
        completion_tokens: int = 0,
        estimated: int = 0,
    ) -> None:
        """Add to the counts."""
        with self._lock:
            self.requests += requests
            self.cached += cached
            self.retries += retries
            self.prompt_tokens += prompt_tokens
            self.completion_tokens += completion_tokens
            self.estimated += estimated

    def price(self, prompt_tokens: int, completion_tokens: int) -> float | None:
        """Price of so many tokens; None when no price is known."""
        if self.price_in is None and self.price_out is None:
            return None
        return (prompt_tokens * (self.price_in or 0.0) + completion_tokens * (self.price_out or 0.0)) / 1e6

    @property
    def cost(self) -> float | None:
        """Price of everything asked so far; None when no price is known."""
        return self.price(self.prompt_tokens, self.completion_tokens)

    def to_dict(self) -> dict[str, float | int | None]:
        """JSON-ready counts with the cost."""
        return {
            "requests": self.requests,
            "cached": self.cached,
            "retries": self.retries,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "estimated": self.estimated,
            "cost": self.cost,
        }

    def __str__(self) -> str:
        """One line for a person."""
        words = (
            f"{self.requests:,} requests ({self.cached:,} more from the cache, {self.retries:,} repeated), "
            f"{self.prompt_tokens:,} tokens in, {self.completion_tokens:,} out"
        )
        if self.estimated:
            words += f" (estimated for {self.estimated:,} requests)"
        return words if self.cost is None else f"{words}, cost {self.cost:.4f}"
