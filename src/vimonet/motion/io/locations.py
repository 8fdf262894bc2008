"""Recordings by the name a user gives: a file, a folder, ``sample:NAME``, or an address such as ``s3://bucket/clips``.

Addresses are read by `pyarrow.fs`: ``s3://``, ``gs://``, ``abfs://``, ``hdfs://``, ``hf://`` and ``file://``, with the
credentials their own tools use. A recording behind one is copied to this machine while it is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

    from vimonet.motion import Motion

RECORDINGS = (".bvh", ".amc", ".npz", ".npy", ".json")
_FRAME = "_keypoints.json"
"""A folder of one such JSON per frame, as OpenPose writes it, is one recording."""


def find_recordings(names: Iterable[str]) -> list[str]:
    """Files as given, and the recordings inside folders (at any depth, sorted); each once, in the order given.

    Raises:
        InputError: a folder without a recording; an address that cannot be listed.
    """
    found: dict[str, None] = {}
    for name in names:
        inside = _listed(name) if is_address(name) else _walked(name)
        if inside == []:
            raise InputError(f"{name}: no recording in this folder; expected files ending in {', '.join(RECORDINGS)}.")
        found.update(dict.fromkeys([name] if inside is None else inside))
    return list(found)


def load_recording(name: str, **options: Any) -> Motion:
    """Read a recording by its name; an error says that name, and not where a copy of it lay.

    Args:
        name: a path, ``-`` for standard input, ``sample:NAME``, or an address.
        options: as `vimonet.motion.load` takes them.

    Raises:
        InputError: it cannot be read.
    """
    from vimonet.motion import load

    with _on_this_machine(name) as path:
        try:
            return load(path, **options)
        except InputError as error:
            text, file = str(error), os.path.basename(path)
            if is_address(name):
                text = text.replace(path, name).replace(os.path.dirname(path), name.rpartition("/")[0])
            # The library names the file; among many, the same name may occur in several folders.
            if name not in text and path != "-" and text.startswith(file):
                text = name + text.removeprefix(file)
            raise InputError(text) from None


def is_address(name: str) -> bool:
    """Whether a name is an address, such as ``s3://bucket/walk.bvh``, and not a path."""
    scheme, mark, _ = name.partition("://")
    return bool(mark) and len(scheme) > 1 and scheme.isalnum()


def path_of(name: str) -> str:
    """The file behind the name of a recording on this machine; ``sample:NAME`` is one of the embedded ones."""
    if not name.startswith("sample:"):
        return name
    from vimonet.samples import sample_path

    return str(sample_path(name.removeprefix("sample:")))


def _walked(name: str) -> list[str] | None:
    """Recordings in a folder; None for what is one itself."""
    if not os.path.isdir(name) or any(Path(name).glob(f"*{_FRAME}")):
        return None
    return _recordings(str(file) for file in Path(name).rglob("*") if _is_one(file.name) and file.is_file())


def _listed(address: str) -> list[str] | None:
    """Recordings behind an address, each with its own; None for what is one itself."""
    from pyarrow.fs import FileSelector, FileType

    system, root = _system(address)
    with _readable(address):
        if system.get_file_info(root).type == FileType.File:
            return None
        infos = system.get_file_info(FileSelector(root, recursive=True))
    scheme, host, path, query, _ = urlsplit(address)
    paths = _recordings(info.path for info in infos if info.type == FileType.File and _is_one(info.base_name))
    if paths == [root]:
        return None
    within = [quote(each.removeprefix(root).lstrip("/")) for each in paths]
    return [urlunsplit((scheme, host, f"{path.rstrip('/')}/{each}", query, "")) for each in within]


def _is_one(file: str) -> bool:
    return file.lower().endswith(RECORDINGS)


def _recordings(files: Iterable[str]) -> list[str]:
    """Sorted; the frames of a folder stand as that folder."""
    return sorted({os.path.dirname(file) if file.endswith(_FRAME) else file for file in files})


@contextmanager
def _on_this_machine(name: str) -> Iterator[str]:
    """The path of a recording; behind an address, of a copy that lives as long as the context."""
    if not is_address(name):
        yield path_of(name)
        return
    system, path = _system(name)
    with TemporaryDirectory(prefix="vimonet-") as folder:
        # A folder of its own below: nothing that is copied can take the name of something else.
        copy = Path(folder, "copy", PurePosixPath(path).name)
        with _readable(name):
            _copy(system, path, copy)
        yield str(copy)


def _copy(system: FileSystem, path: str, copy: Path) -> None:
    """A recording and what is read with it: the frames of a folder, the skeletons beside an AMC."""
    from pyarrow.fs import FileSelector, FileType, copy_files

    from vimonet.motion.io.arrays import MAX_BYTES

    def listed(folder: str, ending: str) -> list[FileInfo]:
        return [info for info in system.get_file_info(FileSelector(folder)) if info.path.lower().endswith(ending)]

    info = system.get_file_info(path)
    if info.type == FileType.NotFound:
        raise FileNotFoundError("there is no such file")
    files, folder = [info], copy.parent
    if info.type == FileType.Directory:
        files, folder = listed(path, _FRAME), copy
    elif copy.suffix.lower() == ".amc":
        files += listed(path.rpartition("/")[0], ".asf")
    folder.mkdir(parents=True)
    for file in files:
        if file.size > MAX_BYTES:
            raise OSError(f"larger than {MAX_BYTES >> 30} GiB")
        copy_files(file.path, str(folder / file.base_name), source_filesystem=system)


@contextmanager
def _readable(name: str) -> Iterator[None]:
    """What goes wrong at the other end is told as one sentence."""
    try:
        yield
    except OSError as error:  # Arrow's own too
        raise InputError(f"{name}: it cannot be read ({str(error).rstrip('.')}).") from None


def _system(address: str) -> tuple[FileSystem, str]:
    """The file system of an address, and the path in it.

    Raises:
        InputError: no such kind of address, or one that carries a password.
    """
    scheme, host, path, query, fragment = urlsplit(address)
    if "@" in host and ":" in host.rpartition("@")[0]:
        # Names are printed beside the answers.
        raise InputError(f"{scheme}://***@{host.rpartition('@')[2]}{path}: keys belong into the environment.")
    if fragment:
        raise InputError(f"{address}: '#' in an address is written %23.")
    with _readable(address):
        system, root = _connected(urlunsplit((scheme, host, "/", query, "")))
    return system, f"{root.rstrip('/')}/{unquote(path).strip('/')}".rstrip("/") or root


@lru_cache(maxsize=16)
def _connected(root: str) -> tuple[FileSystem, str]:
    """Connected once: a new connection asks a bucket for its region."""
    from pyarrow import ArrowInvalid
    from pyarrow.fs import FileSystem

    try:
        return FileSystem.from_uri(root)
    except (ArrowInvalid, ImportError) as error:
        raise InputError(
            f"{root}: an address that cannot be read ({str(error).splitlines()[0].rstrip('.')}); "
            "give a path, or s3://, gs://, abfs://, hdfs:// or file://."
        ) from None
