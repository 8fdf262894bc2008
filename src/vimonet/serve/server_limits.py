"""Define the limits of the server: one dataclass, filled from a YAML file and from flags.

Every limit has a default that suits a machine of two cores and 8 GiB; `docs/serve.md` lists them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vimonet.serve.reading_process import ReadingLimits
from vimonet.utils import settings
from vimonet.utils.settings import Count, NonNegative


@dataclass
class ServerLimits:
    """Hold every limit of the server."""

    places: Count = 32
    """Requests that are read, wait or are answered at one time; the next one gets 429."""
    batch: Count = 8
    """Questions that the model answers in one pass."""
    deadline_seconds: NonNegative = 60.0
    """Time from the first byte of a request to its answer; then 504."""
    drain_seconds: Count = 60
    """Time that SIGTERM leaves to requests that are being answered."""
    body_mib: Count = 64
    """Size of one request; recordings in base64 take a third more than their file."""
    bodies_mib: Count = 256
    """Size of all requests that are held at one time; the next one gets 429."""
    body_seconds: NonNegative = 30.0
    """Time in which a request must have arrived."""
    json_values: Count = 20_000
    """Values in the JSON of one request, which bounds what parsing it can take."""
    messages: Count = 64
    """Messages of a chat."""
    recordings: Count = 4
    """Recordings that one question may be about."""
    new_tokens: Count = 256
    """Most tokens of one answer (max_tokens)."""
    hits: Count = 100
    """Hits of one search."""
    files: Count = 100
    """Uploads that are held at one time."""
    files_mib: Count = 256
    """Size of all uploads that are held at one time; they are held in memory, never on disk."""
    unused_seconds: Count = 600
    """Time that an upload waits for its first answer."""
    stay_seconds: Count = 86_400
    """Longest time that an upload may be asked to stay."""
    reading: ReadingLimits = field(default_factory=ReadingLimits)
    hosts: tuple[str, ...] = ()
    """Names under which clients may call this server, beside its own address (the Host header)."""
    origins: tuple[str, ...] = ()
    """Pages of other sites that may call this server, such as https://app.example (the Origin header)."""


def read_limits(path: str | Path | None = None, overrides: Sequence[str] = ()) -> ServerLimits:
    """Fill the limits from a YAML file and ``key=value`` overrides.

    Raises:
        InputError: an unreadable file, an unknown key, or a value out of bounds.
    """
    limits = ServerLimits()
    if path is not None:
        settings.fill(limits, settings.read_mapping(Path(path), "file of limits"), str(path))
    for override in overrides:
        settings.fill(limits, settings.parse_override(override), f"override {override!r}")
    return limits


def limits_table() -> str:
    """Write the limits as a Markdown table: key, default, meaning."""
    rows = ["| limit | default | meaning |", "|---|---|---|"]
    for key in settings.keys_of(ServerLimits):
        if key.branch:
            continue
        default = key.default if key.default != () else "none"
        rows.append(f"| `{key.name}` | {default} | {key.help} |")
    return "\n".join(rows)
