"""Read what clients send, and measure it, off the event loop."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from vimonet.motion import Motion
from vimonet.serve.reading_process import ReadingBusyError, ReadingLimits, ReadingProcess
from vimonet.serve.server_errors import too_busy
from vimonet.serve.server_metrics import Metrics
from vimonet.video import VideoFrames

_Found = TypeVar("_Found")
_RETRY = 5.0
"""Seconds after which a client that found no process free may ask again."""


class ReadingPool:
    """Call `ReadingProcess` from requests; a reading whose client has left ends.

    Args:
        limits: of reading.
        metrics: times the reading.
    """

    def __init__(self, limits: ReadingLimits, metrics: Metrics) -> None:
        self._process = ReadingProcess(limits)
        self._threads = ThreadPoolExecutor(limits.readers, "vimonet-read")
        self._metrics = metrics

    async def motion(self, name: str, data: bytes, **options: Any) -> Motion:
        """Read a motion; options and errors are those of `vimonet.motion.load`."""
        return await self._timed(lambda left: self._process.read(name, data, left=left, **options))

    async def frames(self, name: str, data: bytes, **options: Any) -> VideoFrames:
        """Read the key frames of a video, or the one picture of an image; options as `vimonet.video.read`."""
        return await self._timed(lambda left: self._process.frames(name, data, left=left, **options))

    async def poses(self, name: str, data: bytes, **options: Any) -> dict[str, Any]:
        """Estimate the keypoints of a person in a video; options as `vimonet.motion.pose.estimate`."""
        return await self._timed(lambda left: self._process.poses(name, data, left=left, **options))

    async def work(self, job: Callable[[], _Found]) -> _Found:
        """Do something else off the event loop, such as measuring, within the same bound."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, job)

    async def _timed(self, job: Callable[[Callable[[], bool]], _Found]) -> _Found:
        start, left = time.perf_counter(), threading.Event()
        try:
            return await self.work(lambda: job(left.is_set))
        except ReadingBusyError:
            raise too_busy(_RETRY) from None
        finally:
            left.set()  # where the request was cancelled, the reading goes on until it sees this
            self._metrics.reading_seconds.observe(time.perf_counter() - start)

    def close(self) -> None:
        """End the processes."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._process.close()
