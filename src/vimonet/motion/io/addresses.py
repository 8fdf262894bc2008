"""Reach recordings behind addresses such as ``s3://bucket/clips`` through `pyarrow.fs`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from vimonet.motion.io.keypoint_json import FRAME_FILE
from vimonet.motion.io.limits import MAX_BYTES
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem


def is_address(name: str) -> bool:
    """Test whether a name is an address, such as ``s3://bucket/walk.bvh``, not a path."""
    scheme, mark, _ = name.partition("://")
    return bool(mark) and len(scheme) > 1 and scheme.isalnum()


def copy_recording(system: FileSystem, path: str, copy: Path) -> None:
    """Copy a recording with the frames of its folder or the skeletons beside an AMC."""
    from pyarrow.fs import FileSelector, FileType, copy_files

    def listed(folder: str, ending: str) -> list[FileInfo]:
        return [info for info in system.get_file_info(FileSelector(folder)) if info.path.lower().endswith(ending)]

    info = system.get_file_info(path)
    if info.type == FileType.NotFound:
        raise FileNotFoundError("there is no such file")
    files, folder = [info], copy.parent
    if info.type == FileType.Directory:
        files, folder = listed(path, FRAME_FILE), copy
    elif copy.suffix.lower() == ".amc":
        files += listed(path.rpartition("/")[0], ".asf")
    folder.mkdir(parents=True)
    for file in files:
        if file.type != FileType.File:
            raise OSError("it is neither a file nor a folder")
        if file.size > MAX_BYTES:
            raise OSError(f"larger than {MAX_BYTES >> 30} GiB")
        copy_files(file.path, str(folder / file.base_name), source_filesystem=system)


@contextmanager
def readable(name: str) -> Iterator[None]:
    """Turn failures of the file system behind an address into an InputError."""
    try:
        yield
    except OSError as error:  # Arrow's own too
        raise InputError(f"{name}: it cannot be read ({str(error).rstrip('.')}).") from None


def connect(address: str) -> tuple[FileSystem, str]:
    """Return the file system of an address, and the path in it.

    Raises:
        InputError: an unknown kind of address, or one with a password.
    """
    scheme, host, path, query, fragment = urlsplit(address)
    if "@" in host and ":" in host.rpartition("@")[0]:
        # Names are printed beside answers: a password must not be part of them.
        raise InputError(f"{scheme}://***@{host.rpartition('@')[2]}{path}: keys belong into the environment.")
    if fragment:
        raise InputError(f"{address}: '#' in an address is written %23.")
    with readable(address):
        system, root = _connected(urlunsplit((scheme, host, "/", query, "")))
    return system, f"{root.rstrip('/')}/{unquote(path).strip('/')}".rstrip("/") or root


@lru_cache(maxsize=16)
def _connected(root: str) -> tuple[FileSystem, str]:
    """Connect to a file system once, since a new connection looks up the bucket's region."""
    from pyarrow import ArrowInvalid
    from pyarrow.fs import FileSystem

    try:
        return FileSystem.from_uri(root)
    except (ArrowInvalid, ImportError) as error:
        raise InputError(
            f"{root}: an address that cannot be read ({str(error).splitlines()[0].rstrip('.')}); "
            "give a path, or s3://, gs://, abfs://, hdfs:// or file://."
        ) from None
