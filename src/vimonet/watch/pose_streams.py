"""Read poses as they come: JSON lines of a file or of standard input, a growing folder, ZeroMQ."""

from __future__ import annotations

import json
import os
import re
import select
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

from vimonet.motion.io.json_metadata import natural
from vimonet.motion.io.keypoint_json import frames_in
from vimonet.motion.io.limits import MAX_MEMBER
from vimonet.utils.errors import InputError
from vimonet.watch.pose_messages import LONGEST, BadMessage, parse_message, read_message
from vimonet.watch.readings import PoseReading, SourceEnded, SourceLost

POLL: Final = 0.02
"""Seconds between two looks at a file or folder that may have grown."""
STILL: Final = 10.0
"""Seconds without growth after which a file counts as finished."""
_WAIT: Final = 0.2  # s, for one read
_WRITING: Final = 1.0  # s after which a file that cannot be parsed counts as damaged, not as being written
_RATE: Final = 30.0
_FIRST_BAD: Final = 20  # unreadable messages before anything readable: it is another kind of data
_LIKE: Final = 'such as {"time": 0.0, "people": [{"id": 1, "keypoints": [[x, y, confidence], ...]}]}.'


class _Messages:
    """Turn messages into readings, count bad ones, and give frames without a time that of their number."""

    def __init__(self, name: str, fps: float | None, numbered: bool) -> None:
        self.name, self.fps, self.numbered = name, fps, numbered
        self.number = self.bad = self.good = 0
        self._about: dict[str, Any] = {}

    def reading(self, data: bytes, number: int | None = None) -> PoseReading | None:
        """Read one message; None for a bad one, or one that only describes the data.

        Raises:
            InputError: nothing but bad messages came.
        """
        try:
            value = parse_message(data)
        except BadMessage as problem:
            self.bad += 1
            if not self.good and self.bad >= _FIRST_BAD:
                raise InputError(
                    f"{self.name}: none of its first {self.bad} messages is a frame of keypoints ({problem}); expected "
                    f"JSON {_LIKE}"
                ) from None
            return None
        return self.timed(value, number)

    def timed(self, found: PoseReading, number: int | None = None) -> PoseReading | None:
        """Give a reading a time where it has none and none comes with its arrival."""
        self._about |= found.about
        if not found.moment:
            return None
        self.good += 1
        about, self._about = self._about, {}
        self.fps = self.fps or about.get("fps")
        at = found.time
        if at is None and self.numbered:
            at = (self.number if number is None else number) / (self.fps or _RATE)
        self.number += 1
        return found._replace(time=at, about=about)

    def check_end(self) -> None:
        """Refuse, at its end, a source that gave nothing."""
        if not self.good:
            expected = f"expected JSON, a frame per line or per file, {_LIKE}"
            raise InputError(f"{self.name}: it holds no frame of keypoints; {expected}")


class FilePoses:
    """Read JSON lines of a file that may still grow, or a file of keypoint JSON."""

    live = pictures = endless = False

    def __init__(self, path: Path, fps: float | None = None, once: bool = False) -> None:
        self.path, self.name, self.once = path, str(path), once
        self.live = path.is_fifo()
        self.messages = _Messages(self.name, fps, numbered=not self.live)
        self._stream: IO[bytes] | None = None
        self._rest = b""
        self._grown, self._size = 0.0, 0
        self._whole: deque[PoseReading] = deque()

    def open(self) -> None:
        """See ``Source``."""
        try:
            self._stream = self.path.open("rb")
            found = self.path.stat()
        except OSError as error:
            raise InputError(f"{self.name}: it cannot be read ({error.strerror}).") from None
        self._grown, self._size = time.monotonic() - max(0.0, time.time() - found.st_mtime), found.st_size
        self._rest = b""

    def read(self) -> PoseReading | None:
        """See ``Source``."""
        assert self._stream is not None
        if self._whole:
            return self._whole.popleft()
        until = time.monotonic() + _WAIT
        while True:
            line = self._stream.readline(LONGEST + 1 - len(self._rest))
            if line:
                self._rest += line
                if not self._rest.endswith(b"\n") and len(self._rest) <= LONGEST:
                    continue
                line, self._rest = self._rest, b""
                found = self._line(line)
                if found is not None:
                    return found
                if time.monotonic() > until:
                    return None
                continue
            size = os.fstat(self._stream.fileno()).st_size
            if size != self._size:
                self._grown, self._size = time.monotonic(), size
            if self.once or self.live or time.monotonic() - self._grown > STILL:
                if self._rest.strip():  # the last line has no end
                    line, self._rest = self._rest, b""
                    found = self._line(line)
                    if found is not None:
                        return found
                self.messages.check_end()
                raise SourceEnded
            if time.monotonic() > until:
                return None
            time.sleep(POLL)

    def _line(self, line: bytes) -> PoseReading | None:
        if not line.strip():
            return None
        if not self.messages.good and not self.messages.bad and not self.live and self._is_whole(line):
            return self._whole.popleft() if self._whole else None
        return self.messages.reading(line)

    def _is_whole(self, first: bytes) -> bool:
        """Read a file that is one JSON value with all its frames, as `vimonet pose` writes; whether it is one."""
        assert self._stream is not None
        at = self._stream.tell()
        value = _json(first)
        following = self._stream.read(1 if value is not None else MAX_MEMBER)
        if value is None:
            value = _json(first + following)
        frames = [] if value is None else frames_in(value)
        single = len(frames) == 1 and frames[0] is value
        if single or not frames or (isinstance(value, list) and following.strip() and _json(first) is not None):
            self._stream.seek(at)
            return False
        about = _about_of(value, self.name)
        for frame in _by_picture(frames):
            found = self.messages.timed(_frame(frame, about, self.name))
            about = {}
            self._whole += [found] if found is not None else []
        return True

    def close(self) -> None:
        """See ``Source``."""
        if self._stream is not None:
            self._stream.close()


def _json(data: bytes) -> Any:
    """Parse JSON; None if it is not, or not yet."""
    try:
        return json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _about_of(value: Any, name: str) -> dict[str, Any]:
    """Collect what a file says beside its frames."""
    if not isinstance(value, dict):
        return {}
    try:
        return read_message(
            {key: part for key, part in value.items() if not isinstance(part, list) or key == "names"}
        ).about
    except BadMessage as problem:
        raise InputError(f"{name}: {problem}; expected keypoints per frame.") from None


def _by_picture(frames: list[Any]) -> Iterator[Any]:
    """Put the people of one picture together, which COCO's and AlphaPose's results list one by one."""
    group: list[Any] = []
    for frame in frames:
        image = frame.get("image_id") if isinstance(frame, dict) else None
        if group and (image is None or image != group[0]["image_id"]):
            yield {"people": group}
            group = []
        if image is None:
            yield frame
        else:
            group.append(frame)
    if group:
        yield {"people": group}


def _frame(value: Any, about: dict[str, Any], name: str) -> PoseReading:
    """Read a frame of a file: null, [] and {} are moments without anybody."""
    try:
        found = read_message({"people": []} if value in (None, [], {}) else value)
    except BadMessage as problem:
        raise InputError(f"{name}: one of its frames is none of keypoints: {problem}.") from None
    return found._replace(about={**about, **found.about}, moment=True)


class InputPoses:
    """Read JSON lines from standard input; frames without a time have that of their arrival."""

    live = True
    pictures = endless = False
    name = "standard input"

    def __init__(self, fps: float | None = None) -> None:
        self.messages = _Messages(self.name, fps, numbered=fps is not None)
        self._rest = bytearray()
        self._ended = False

    def open(self) -> None:
        """See ``Source``."""
        if sys.stdin is None or sys.stdin.closed:
            raise InputError("standard input is closed; give a file, or pipe JSON lines into vimonet watch -.")

    def read(self) -> PoseReading | None:
        """See ``Source``."""
        end = self._rest.find(b"\n")
        if end < 0 and not self._ended:
            data = self._more()
            if data is None:
                return None
            self._ended = not data
            self._rest += data
            end = self._rest.find(b"\n")
        if end < 0 and (self._ended or len(self._rest) > LONGEST):
            end = len(self._rest)
        if end < 0:
            return None
        line = bytes(self._rest[:end])
        del self._rest[: end + 1]
        if line.strip():
            return self.messages.reading(line)
        if self._ended and not self._rest:
            self.messages.check_end()
            raise SourceEnded
        return None

    def _more(self) -> bytes | None:
        """Read what is there; None if nothing comes for a while, b"" at the end."""
        stream = sys.stdin.buffer
        try:
            number = stream.fileno()
        except (OSError, ValueError):  # a stream without a file, of tests and notebooks
            return stream.readline(LONGEST)
        if os.name == "posix" and not select.select([number], [], [], _WAIT)[0]:
            return None
        return os.read(number, 1 << 20)

    def close(self) -> None:
        """See ``Source``."""


class FolderPoses:
    """Read a folder with a file of keypoint JSON per frame, in the order of the numbers in their names.

    The time of a frame is its number / fps, so that a missing file is a gap.
    """

    live = pictures = False

    def __init__(self, path: Path, fps: float | None = None, once: bool = False) -> None:
        self.path, self.name, self.once, self.endless = path, str(path), once, not once
        self.messages = _Messages(self.name, fps, numbered=True)
        self._pending: deque[str] = deque()
        self._last: Any = None  # the greatest name that was taken
        self._changed: int | None = None
        self._waiting = 0.0

    def open(self) -> None:
        """See ``Source``."""
        if not self.path.is_dir():
            raise SourceLost("the folder is gone")
        self._changed = None

    def read(self) -> PoseReading | None:
        """See ``Source``."""
        until = time.monotonic() + _WAIT
        while True:
            if not self._pending:
                self._look()
            while self._pending:
                name = self._pending[0]
                found = self._read(name)
                if found is None and self._waiting:
                    break  # it is being written
                self._pending.popleft()
                if found is not None:
                    return found
            if self.once and not self._pending:
                self.messages.check_end()
                raise SourceEnded
            if time.monotonic() > until:
                return None
            time.sleep(POLL)

    def _look(self) -> None:
        """List the files that came since the last look."""
        try:
            changed = self.path.stat().st_mtime_ns
            if changed == self._changed:
                return
            names = [entry.name for entry in os.scandir(self.path) if entry.name.endswith(".json")]
        except OSError as error:
            raise SourceLost(f"the folder is gone ({error.strerror})") from None
        # A folder that changed just now may change again within the same tick of the file system's clock.
        self._changed = changed if time.time_ns() - changed > 100_000_000 else None
        keyed = ((natural(name), name) for name in names if not name.startswith("."))
        fresh = sorted(entry for entry in keyed if self._last is None or entry[0] > self._last)
        self._pending.extend(name for _, name in fresh)
        if fresh:
            self._last = fresh[-1][0]

    def _read(self, name: str) -> PoseReading | None:
        """Read one file; None for a bad one, or (``_waiting`` is then set) one that is being written."""
        path = self.path / name
        try:
            data = path.read_bytes() if path.stat().st_size <= LONGEST else b""
        except OSError:
            data = b""
        numbers = re.findall(r"\d+", name)
        try:
            parse = parse_message(data)
        except BadMessage:
            now = time.monotonic()
            self._waiting = self._waiting or now
            if now - self._waiting < _WRITING and not self.once:
                return None
            self._waiting = 0.0
            return self.messages.reading(data)
        self._waiting = 0.0
        return self.messages.timed(parse, int(numbers[-1]) if numbers and len(numbers[-1]) < 16 else None)

    def close(self) -> None:
        """See ``Source``."""


class ZmqPoses:
    """Receive JSON messages over ZeroMQ: the last part of each is a frame; an address with * waits for publishers.

    Args:
        address: ``host:port``; ``*:port`` binds instead of connecting. ``?topic=NAME`` receives one topic alone.
    """

    live = endless = True
    pictures = False

    def __init__(self, address: str) -> None:
        self.name = f"zmq://{address}"
        place, _, query = address.partition("?")
        topic = query.removeprefix("topic=")
        if not re.fullmatch(r"(\*|[\w.-]+|\[[\da-fA-F:]+\]):\d{1,5}", place) or (query and topic == query):
            raise InputError(f"{self.name}: expected zmq://HOST:PORT or zmq://*:PORT, with ?topic=NAME where wanted.")
        self._place, self._topic = place, topic
        self.messages = _Messages(self.name, None, numbered=False)
        self._context: Any = None
        self._socket: Any = None

    def open(self) -> None:
        """See ``Source``."""
        try:
            import zmq
        except ImportError:
            raise InputError(f"{self.name}: it needs pyzmq; install ViMoNet with its extra watch.") from None
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.SUB)
        self._socket.setsockopt(zmq.LINGER, 0)
        self._socket.setsockopt(zmq.MAXMSGSIZE, LONGEST)
        self._socket.setsockopt(zmq.RCVHWM, 100)
        self._socket.setsockopt_string(zmq.SUBSCRIBE, self._topic)
        try:
            if self._place.startswith("*"):
                self._socket.bind(f"tcp://{self._place}")
            else:
                self._socket.connect(f"tcp://{self._place}")
        except zmq.ZMQError as error:
            self.close()
            raise InputError(f"{self.name}: it cannot be opened ({error}).") from None

    def read(self) -> PoseReading | None:
        """See ``Source``."""
        if not self._socket.poll(int(1000 * _WAIT)):
            return None
        parts = self._socket.recv_multipart()
        data = parts[-1]
        if len(parts) == 1 and self._topic and data.startswith(self._topic.encode()):  # "topic {json}" in one part
            data = data[len(self._topic.encode()) :]
        return self.messages.reading(data)

    def close(self) -> None:
        """See ``Source``."""
        if self._socket is not None:
            self._socket.close()
            self._context.term()
            self._socket = self._context = None
