"""Keep two processes from writing one output: a lock file beside it, which names its holder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shlex
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vimonet.utils.errors import InputError

_PATIENCE = 0.1  # s between two looks at a lock that is waited for
_COMMAND = 120  # letters of a command that a message repeats
_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT)
_IN_USE = (errno.EACCES, errno.EAGAIN, errno.EDEADLK, errno.EWOULDBLOCK)


@dataclass(frozen=True)
class Holder:
    """Name the process that holds a lock.

    Attributes:
        pid: number of the process.
        host: name of its machine.
        space: name of the machine's start and of the process's room of numbers, within which `pid` is unique; "" where
            the system does not tell.
        command: its command line.
        since: seconds since 1970 at which it took the lock.
    """

    pid: int
    host: str
    space: str
    command: str
    since: float

    @classmethod
    def this_process(cls) -> Holder:
        """Describe this process."""
        words = ["vimonet", *sys.argv[1:]] if Path(sys.argv[0]).name in ("vimonet", "__main__.py") else sys.argv
        return cls(os.getpid(), socket.gethostname(), _space(), shlex.join(words)[:_COMMAND], time.time())

    def is_dead(self) -> bool:
        """Tell whether the process is known to have ended; never of another machine or container."""
        if (self.host, self.space) != (socket.gethostname(), _space()) or os.name == "nt":
            return False
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:
            return False
        return False

    def __str__(self) -> str:
        """Name process, machine, command and time."""
        if not self.pid:
            return "another process"
        where = "" if self.host == socket.gethostname() else f" on {self.host}"
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self.since))
        return f"process {self.pid}{where} ({self.command}, since {when})"


_UNKNOWN = Holder(0, "", "", "", 0.0)


class Lock:
    """Hold the only right to write an output; the lock file ``.NAME.lock`` lies beside it.

    The operating system frees the lock of a process that ends, however it ends; a child that outlives its parent does
    not keep it. Where a file system knows no locks, writing goes on without one.

    Args:
        output: file or folder that is written.
    """

    def __init__(self, output: str | os.PathLike[str]) -> None:
        self.output = Path(output)
        absolute = Path(os.path.abspath(self.output))
        self.file = absolute.with_name(f".{absolute.name}.lock")
        self._handle: int | None = None
        self._pid = 0

    def take(self) -> Holder | None:
        """Take the lock; return None, or the process that holds it."""
        while True:
            try:
                handle = os.open(self.file, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
            except OSError as error:
                if error.errno in _NOT_WRITABLE:
                    return None  # writing the output will say so
                raise
            if not _lock(handle):
                holder = _read(handle)
                if holder is None or not holder.is_dead():
                    os.close(handle)
                    return holder or _UNKNOWN
                # A child of the dead process holds it still: the file is left to it, and another made.
                if _is_at(handle, self.file):
                    with contextlib.suppress(OSError):
                        os.unlink(self.file)
                os.close(handle)
                continue
            if not _is_at(handle, self.file):  # its last holder has deleted it meanwhile
                os.close(handle)
                continue
            self._handle, self._pid = handle, os.getpid()
            with contextlib.suppress(OSError):  # a full disk: the lock holds without a name
                os.ftruncate(handle, 0)
                os.write(handle, json.dumps(asdict(Holder.this_process())).encode())
            return None

    def free(self) -> None:
        """Free the lock and delete its file; a process forked from the holder leaves it alone."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        if self._pid == os.getpid() and _is_at(handle, self.file):
            with contextlib.suppress(OSError):
                os.unlink(self.file)
        os.close(handle)

    def __del__(self) -> None:
        """Free the lock of an output that nothing writes any more."""
        if self._handle is not None:
            self.free()


@contextlib.contextmanager
def only_writer(output: str | os.PathLike[str], remedy: str = "give another output") -> Iterator[None]:
    """Hold the lock of an output, or raise InputError that names the process which holds it.

    Args:
        output: file or folder that is written.
        remedy: what the user can do, besides waiting.
    """
    lock = Lock(output)
    if (holder := lock.take()) is not None:
        raise in_use(output, holder, remedy)
    try:
        yield
    finally:
        lock.free()


@contextlib.contextmanager
def turn_of(output: str | os.PathLike[str]) -> Iterator[bool]:
    """Wait for the lock of an output, with a word to the user; yield whether another process held it before."""
    lock, waited = Lock(output), False
    while (holder := lock.take()) is not None:
        if not waited:
            from tqdm import tqdm

            tqdm.write(f"vimonet: waiting for {holder}, which makes {Path(output).name}", file=sys.stderr)
        waited = True
        time.sleep(_PATIENCE)
    try:
        yield waited
    finally:
        lock.free()


def in_use(output: str | os.PathLike[str], holder: Holder, remedy: str) -> InputError:
    """Word the refusal of an output that another process writes."""
    return InputError(f"{output}: {holder} is writing it; wait until it has ended, or {remedy}.")


def _lock(handle: int) -> bool:
    """Lock an open file without waiting; False where another holds it."""
    try:
        if os.name == "nt":
            import msvcrt

            windows: Any = msvcrt
            os.lseek(handle, 1 << 30, os.SEEK_SET)  # behind the text, which others read
            windows.locking(handle, windows.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in _IN_USE
    return True


def _read(handle: int) -> Holder | None:
    try:
        os.lseek(handle, 0, os.SEEK_SET)
        found = Holder(**json.loads(os.read(handle, 4096)))
        return found if isinstance(found.pid, int) and isinstance(found.since, int | float) else None
    except (OSError, ValueError, TypeError):
        return None


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path))
    except OSError:
        return False


def _space() -> str:
    try:
        start = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{start} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""
