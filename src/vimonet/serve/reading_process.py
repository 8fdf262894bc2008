"""Read what clients send in processes that may hang, swell or die without the server.

    with ReadingProcess() as reading:
        motion = reading.read("walk.bvh", data)

A parser of foreign files is the likeliest part of a server to fail. It runs in `vimonet.serve.reading_child`, with
limits of memory and CPU time; after a deadline by the clock it is killed. One process more than may read at once is
always ready, so that the next recording does not wait for a dead one's successor to start.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, NoReturn, TypeVar

import numpy as np

from vimonet.motion import Motion
from vimonet.serve.reading_child import array_of, read_message, write_message
from vimonet.utils.errors import InputError
from vimonet.utils.settings import Count, NonNegative
from vimonet.video import VideoFrames, VideoInfo

T = TypeVar("T")
Reply = tuple[dict[str, Any], list[bytes]]

_CHILD: Final = (sys.executable, "-P", "-m", "vimonet.serve.reading_child")
_KEPT: Final = {"PATH", "HOME", "LANG", "TMPDIR", "TMP", "TEMP", "SYSTEMROOT"}
_KEPT_BEGINNINGS: Final = ("LC_", "PYTHON", "LD_LIBRARY_PATH", "DYLD_", "OMP_", "VIMONET_POSE")
"""Variables that a process gets, by name and by the beginning of their names; none of them holds a secret."""
_OUT_OF_TIME: Final = -getattr(signal, "SIGXCPU", 0) or None
_START: Final = 60.0
"""Seconds that a process may take to start on a busy machine."""
_LOOK: Final = 0.05
"""Seconds between looks at whether the client has left."""
_GRACE: Final = 0.5
"""Seconds of a reading that are not worth a process, though the client has left."""
_MOST_MESSAGE: Final = 1000
_REASONS: Final = {
    "late": "reading takes longer than the {seconds} s that this server allows; send a shorter recording.",
    "died": "reading it ended the process that reads; export the recording again.",
    "left": "the client has left.",
    "nonsense": "reading it gave nothing usable; export the recording again.",
}


@dataclass
class ReadingLimits:
    """Hold what reading one recording may cost."""

    readers: Count = 2
    """Recordings that are read at one time."""
    reading_seconds: Count = 40
    """Time that reading one recording may take; keypoints of a minute of video take some 25 s on two cores."""
    reading_mib: Count = 2048
    """Memory that reading one recording may take, beyond that of an idle process."""
    readings: Count = 200
    """Recordings after which a process that reads is replaced."""
    unpacked_mib: Count = 256
    """Size of an archive's content."""
    megapixels: NonNegative = 8.3
    """Size of the pictures of a video, or of an image; 3840 x 2160 pixels are 8.3."""
    recording_seconds: NonNegative = 600.0
    """Duration of a recording."""
    read_mib: Count = 512
    """Size of the joints or pictures of one recording."""


class ReadingBusyError(RuntimeError):
    """Report that no process became free in time; the same request may succeed later."""


class ReadingProcess:
    """Read recordings of clients in guarded processes; safe to use from several threads.

    Args:
        limits: what one recording may cost.
        command: starts a process; for tests.
    """

    def __init__(self, limits: ReadingLimits | None = None, *, command: Sequence[str] = ()) -> None:
        self.limits = limits or ReadingLimits()
        self._command = tuple(command or _CHILD)
        self._free = threading.Semaphore(self.limits.readers)
        self._lock = threading.Lock()
        self._closed = False
        # The last of them is the spare.
        self._ready = [self._start() for _ in range(self.limits.readers + 1)]

    def __enter__(self) -> ReadingProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        with self._lock:
            self._closed = True
            ready, self._ready = self._ready, []
        for child in ready:
            child.end()

    def read(self, name: str, data: bytes, *, left: Callable[[], bool] | None = None, **options: Any) -> Motion:
        """Read a recording, or the movement in a video.

        Args:
            name: the client's name for it, for messages and the motion; no file of that name is opened.
            data: bytes of the file.
            left: tells whether the client has left; the process is then ended.
            options: of `vimonet.motion.load`: ``fps``, ``up``, ``unit``, ``format``, ``person``, ``size``.

        Raises:
            InputError: it cannot be read, exceeds a limit, or takes too long.
            ReadingBusyError: too many recordings are being read.
        """
        return self._ask("motion", name, data, left, options, lambda reply: _motion(name, *reply))

    def frames(self, name: str, data: bytes, *, left: Callable[[], bool] | None = None, **options: Any) -> VideoFrames:
        """Read key frames of a video, or the one picture of an image file.

        Args:
            name, data, left: as of `read`.
            options: of `vimonet.video.read`: ``count``, ``rate``, ``start``, ``end``, ``by``, ``max_side``.

        Raises:
            InputError, ReadingBusyError: as `read`.
        """
        return self._ask("frames", name, data, left, options, lambda reply: _frames(name, *reply))

    def poses(
        self, name: str, data: bytes, *, left: Callable[[], bool] | None = None, **options: Any
    ) -> dict[str, Any]:
        """Estimate the keypoints of a person in a video, as the keypoint JSON of `vimonet pose`.

        Args:
            name, data, left: as of `read`.
            options: of `vimonet.motion.pose.estimate`: ``person``, ``max_rate``.

        Raises:
            InputError, ReadingBusyError: as `read`.
        """
        return self._ask("poses", name, data, left, options, lambda reply: dict(json.loads(reply[1][0])))

    def _ask(
        self,
        wanted: str,
        name: str,
        data: bytes,
        left: Callable[[], bool] | None,
        options: dict[str, Any],
        understood: Callable[[Reply], T],
    ) -> T:
        """Let a process answer a request; if it dies, another one, since the cause may lie outside of the recording."""
        limits = self.limits
        given = {key: value for key, value in options.items() if value is not None}
        header = {
            "wanted": wanted,
            "name": name,
            "options": given,
            "cpu_seconds": limits.reading_seconds * (os.cpu_count() or 1),  # of all threads, should this process hang
            "unpacked": limits.unpacked_mib << 20,
            "megapixels": limits.megapixels,
            "duration": limits.recording_seconds,
        }
        if not self._free.acquire(timeout=limits.reading_seconds):
            raise ReadingBusyError("too many recordings are being read; try again in a few seconds.")
        failures: list[str] = []
        try:
            # One that is killed from outside is no fault of the recording, so another one tries it.
            while failures.count("died") < 2 and failures.count("gone") <= limits.readers + 2:
                child = self._take()
                try:
                    reply = child.ask(header, data, left or (lambda: False))
                    return _refused(reply[0]["error"]) if "error" in reply[0] else understood(reply)
                except InputError:
                    raise
                except _Failed as failed:
                    failures.append(failed.reason)
                except Exception:  # no reply but something else: the process cannot be trusted any more
                    child.end()
                    failures.append("nonsense")
                finally:
                    self._give(child)
                if failures[-1] not in ("died", "gone"):
                    break
        finally:
            self._free.release()
        if failures[-1] == "gone":
            raise ReadingBusyError("the processes that read recordings do not start; try again in a minute.")
        raise InputError(f"{name}: {_REASONS[failures[-1]].format(seconds=limits.reading_seconds)}")

    def _take(self) -> _Child:
        """Take the process that is ready longest; replace those that died while idle."""
        with self._lock:
            if self._closed:
                raise ReadingBusyError("the server is ending.")
            alive = [child for child in self._ready if child.usable]
            self._ready = alive + [self._start() for _ in range(len(self._ready) - len(alive))]
            return self._ready.pop(0)

    def _give(self, child: _Child) -> None:
        """Put a process back, or its successor."""
        if not child.usable:
            child.end()
        with self._lock:
            if not self._closed:
                # A used one goes first again: what it has imported stays warm, and the spare stays behind.
                self._ready.insert(0, child) if child.usable else self._ready.append(self._start())
                return
        child.end()

    def _start(self) -> _Child:
        return _Child(self._command, self.limits)


def _refused(text: object) -> NoReturn:
    plain = "".join(mark if mark.isprintable() else "?" for mark in str(text)[:_MOST_MESSAGE])
    raise InputError(plain)


def _motion(name: str, about: dict[str, Any], parts: list[bytes]) -> Motion:
    joints, *rest = (array_of(part) for part in parts)
    confidence = rest[0] if rest else None
    try:
        return Motion(
            joints,
            fps=float(about["fps"]),
            name=name,
            source=str(about["source"]),
            source_fps=float(about["source_fps"]),
            confidence=confidence,
            dimensions=int(about["dimensions"]),
            notes=tuple(str(note) for note in about["notes"]),
            details=dict(about["details"]),
        )
    except InputError as error:  # checked before it was sent
        raise ValueError from error


def _frames(name: str, about: dict[str, Any], parts: list[bytes]) -> VideoFrames:
    images, times, indices = (array_of(part) for part in parts)
    if images.ndim != 4 or images.dtype != np.uint8 or times.shape != images.shape[:1]:
        raise ValueError("no frames")
    info = about["info"]
    return VideoFrames(
        images,
        times.astype(np.float64),
        name,
        float(about["duration"]),
        indices.astype(np.int64) if len(indices) else None,
        None if info is None else VideoInfo(**{**info, "name": name, "size": tuple(info["size"])}),
        tuple(str(note) for note in about["notes"]),
    )


class _Failed(Exception):
    """Report that a process gave no reply: `reason` is a key of `_REASONS`, or ``gone`` if it had ended before."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


class _Child:
    """Hold one process that reads, and talk to it."""

    def __init__(self, command: Sequence[str], limits: ReadingLimits) -> None:
        self._limits, self._readings, self._begun = limits, 0, 0.0
        self._process = subprocess.Popen(
            [*command, str(limits.reading_mib << 20)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={k: v for k, v in os.environ.items() if k in _KEPT or k.startswith(_KEPT_BEGINNINGS)},
        )

    @property
    def usable(self) -> bool:
        """Whether it lives and may read on."""
        return self._process.poll() is None and self._readings < self._limits.readings

    def ask(self, header: dict[str, Any], data: bytes, left: Callable[[], bool]) -> Reply:
        """Send a request and return the reply.

        Raises:
            _Failed: there is none; the process has ended.
        """
        self._readings += 1
        replies: list[Reply | None] = []
        worker = threading.Thread(target=self._exchange, args=(header, data, replies), daemon=True)
        asked, reason = time.monotonic(), ""
        self._begun = 0.0
        worker.start()
        while worker.is_alive():
            worker.join(_LOOK)
            now = time.monotonic()
            late = now - self._begun > self._limits.reading_seconds if self._begun else now - asked > _START
            if not reason and (late or (now - asked > _GRACE and left())):
                reason = "late" if late else "left"
                self._process.kill()
        if replies and replies[0] is not None:
            return replies[0]
        self.end()
        if self._process.returncode == _OUT_OF_TIME:
            reason = "late"
        raise _Failed(reason or ("nonsense" if replies else "died" if self._begun else "gone"))

    def _exchange(self, header: dict[str, Any], data: bytes, replies: list[Reply | None]) -> None:
        """Write the request and read the reply, however long it takes; None if it is none."""
        out, back = self._process.stdin, self._process.stdout
        assert out is not None and back is not None
        try:
            write_message(out, header, [data])
            read_message(back, 0)  # it has begun
            self._begun = time.monotonic()
            replies.append(read_message(back, self._limits.read_mib << 20))
        except (OSError, EOFError):
            return  # the process has ended
        except Exception:
            replies.append(None)

    def end(self) -> None:
        """Kill the process, and forget what it still says."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
