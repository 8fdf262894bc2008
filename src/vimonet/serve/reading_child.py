"""Read recordings in a process of its own, which `vimonet.serve.reading_process` starts and watches.

The process has no secrets in its environment, writes to no file, and obeys limits of memory and CPU time that the
operating system enforces. It takes requests on standard input and replies on standard output; a message is a JSON
object and arrays in NumPy's format without pickle, so that a recording which takes over this process still hands
nothing but numbers and text to the server.
"""

from __future__ import annotations

import io
import json
import os
import struct
import sys
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

from vimonet.motion import load
from vimonet.samples import sample_path
from vimonet.utils.errors import InputError
from vimonet.video import VideoFrames, is_video, probe, read
from vimonet.video.container import opened

_MOST_HEADER: Final = 8 << 20
_IMAGES: Final = ("PNG", "JPEG", "WEBP", "BMP")
_OPEN_FILES: Final = 64


def write_message(stream: IO[bytes], header: dict[str, Any], parts: Sequence[bytes] = ()) -> None:
    """Write a message: the length of its header, the header as JSON, its parts one after the other."""
    text = json.dumps({**header, "sizes": [len(part) for part in parts]}, allow_nan=False).encode()
    stream.write(struct.pack(">Q", len(text)))
    stream.write(text)
    for part in parts:
        stream.write(part)
    stream.flush()


def read_message(stream: IO[bytes], most: int) -> tuple[dict[str, Any], list[bytes]]:
    """Read a message whose parts hold at most `most` bytes.

    Raises:
        EOFError: the stream ends before the message does.
        ValueError: it is no message, or too large.
    """
    (length,) = struct.unpack(">Q", _exactly(stream, 8))
    if length > _MOST_HEADER:
        raise ValueError("the header is too long")
    header = json.loads(_exactly(stream, length), parse_constant=_refuse)
    sizes = header.pop("sizes") if isinstance(header, dict) else None
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes) or sum(sizes) > most:
        raise ValueError("the parts are too large")
    return header, [_exactly(stream, size) for size in sizes]


def array_bytes(array: NDArray[Any]) -> bytes:
    """Write an array in NumPy's format, without pickle."""
    np.lib.format.write_array(stream := io.BytesIO(), array, allow_pickle=False)
    return stream.getvalue()


def array_of(data: bytes) -> NDArray[Any]:
    """Read an array in NumPy's format, without unpickling.

    Raises:
        ValueError: it is none.
    """
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    return array


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def reply(header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Do what a request wants of a recording: its ``motion``, ``frames`` or ``poses``.

    Args:
        header: ``wanted``, ``name``, ``options``, and the limits: ``megapixels`` of a picture, ``duration`` in s,
            ``unpacked`` bytes of an archive.
        data: bytes of the file.

    Raises:
        InputError: the recording cannot be read, or exceeds a limit.
    """
    name, wanted, options = header["name"], header["wanted"], header["options"]
    _check_archive(name, data, header["unpacked"])
    if is_video(data):
        with opened(data) as (_, stream):  # by its header, before a picture is decoded
            _check_pixels(name, (stream.codec_context.width, stream.codec_context.height), header["megapixels"])
        _check_duration(name, probe(data).duration, header["duration"])
    if wanted == "frames":
        frames = read(data, **options) if is_video(data) else _image(name, data, header["megapixels"])
        about = {"duration": frames.duration, "notes": frames.notes, "info": frames.info and asdict(frames.info)}
        indices = np.zeros(0, dtype=np.int64) if frames.indices is None else frames.indices
        return about, [array_bytes(array) for array in (frames.images, frames.times, indices)]
    if wanted == "poses":
        from vimonet.motion.pose import estimate

        return {}, [estimate(data, **options).to_json().encode()]
    motion = load(data, name=name, **options)
    _check_duration(name, motion.duration, header["duration"])
    about = {key: getattr(motion, key) for key in ("fps", "source", "source_fps", "dimensions", "notes")}
    arrays = [array for array in (motion.joints, motion.confidence) if array is not None]
    return {**about, "details": dict(motion.details)}, [array_bytes(array) for array in arrays]


def _check_archive(name: str, data: bytes, most: int) -> None:
    """Refuse an archive (NumPy's .npz, PyTorch's) by the sizes that it names, before anything is unpacked."""
    if not data.startswith(b"PK\x03\x04"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return  # its reader says what is wrong
    if unpacked > most:
        raise _exceeds(name, f"unpacked it holds {unpacked >> 20} MiB", f"{most >> 20} MiB")


def _check_pixels(name: str, size: tuple[int, int], most: float) -> None:
    if size[0] * size[1] > most * 1e6:
        raise _exceeds(name, f"its pictures measure {size[0]}x{size[1]} pixels", f"{most:g} megapixels")


def _check_duration(name: str, duration: float, most: float) -> None:
    if duration > most:
        raise _exceeds(name, f"it lasts {duration:.0f} s", f"{most:g} s")


def _exceeds(name: str, found: str, most: str) -> InputError:
    return InputError(f"{name}: {found}; this server reads up to {most}.")


def _image(name: str, data: bytes, megapixels: float) -> VideoFrames:
    """Read the one picture of an image file."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data), formats=_IMAGES) as opened:
            _check_pixels(name, opened.size, megapixels)
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (InputError, MemoryError):
        raise
    except Exception as error:
        raise InputError(f"{name}: it is no picture that can be read; give PNG, JPEG, WebP or a video.") from error
    return VideoFrames(np.asarray(picture)[None], np.zeros(1), name)


def _limit_memory(most: int) -> None:
    """Limit the address space to `most` bytes beyond what is used now; forbid writing to files."""
    try:
        import resource
    except ImportError:  # Windows: the deadline of the server is the only limit
        return
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (_OPEN_FILES, _OPEN_FILES))
    with suppress(OSError, ValueError):  # macOS knows the limit and does not enforce it
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
        resource.setrlimit(resource.RLIMIT_AS, (used + most, used + most))


def _limit_time(seconds: int) -> None:
    """Let the system end this process when it has used so many more seconds of CPU time."""
    with suppress(ImportError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        soft = int(used.ru_utime + used.ru_stime) + 1 + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.RLIM_INFINITY))


def _answer(header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], list[bytes]]:
    """Make the reply to a request; what a user can mend is its ``error``."""
    name = header["name"]
    try:
        return reply(header, data)
    except InputError as error:
        text, lacks_memory = str(error), isinstance(error.__cause__, MemoryError)
        own = "standard input"  # the name of bytes in the readers of video
        text = name + text.removeprefix(own) if text.startswith(own) else text
    except Exception as error:
        text, lacks_memory = f"{name}: it cannot be read ({type(error).__name__}).", isinstance(error, MemoryError)
    if lacks_memory:
        text = f"{name}: reading takes more memory than this server allows; send a shorter or smaller recording."
    return {"error": text}, []


def main() -> int:
    """Answer requests until standard input ends; the argument is the memory allowed, in bytes."""
    requests, replies = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no reply
    for name in ("walk", "squats_coco17"):  # imports what reading takes
        load(sample_path(name).read_bytes(), name=name)
    _limit_memory(int(sys.argv[1]))
    while True:
        try:
            header, (data,) = read_message(requests, 1 << 40)
        except EOFError:
            return 0
        write_message(replies, {"begun": True})
        _limit_time(header["cpu_seconds"])
        about, parts = _answer(header, data)
        try:
            text = json.loads(json.dumps(about, default=str), parse_constant=str)
            write_message(replies, text, parts)
        except BrokenPipeError:
            return 0


if __name__ == "__main__":
    sys.exit(main())
