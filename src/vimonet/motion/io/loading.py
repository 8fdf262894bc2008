"""Load recordings by name: a path, a folder, ``sample:NAME``, or an address such as ``s3://bucket/clips``.

`pyarrow.fs` reads addresses (``s3://``, ``gs://``, ``abfs://``, ``hdfs://``, ``hf://``, ``file://``) with the
credentials of their tools. A recording behind an address is copied to this machine while it is read.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit, urlunsplit

import numpy as np

from vimonet import video
from vimonet.motion.io import joint_arrays
from vimonet.motion.io.addresses import connect, copy_recording, is_address, readable
from vimonet.motion.io.joint_finding import JointMap, apply_joint_map, read_joint_map
from vimonet.motion.io.keypoint_json import FRAME_FILE
from vimonet.motion.io.readers import READERS, Content, Recording, plain, read_limited, reader_of, suffixes
from vimonet.motion.io.recording_to_motion import to_motion
from vimonet.motion.joint_names import LAYOUTS
from vimonet.motion.motion import FPS, Motion
from vimonet.samples import sample_path
from vimonet.utils.errors import InputError, named_in_full


class Listing(NamedTuple):
    """Hold the recordings of a folder, as paths below it with forward slashes.

    Attributes:
        recordings: sorted; ``.`` if the folder itself is one.
        videos: {recording: video of the same name beside it}; these videos are not recordings themselves.
    """

    recordings: list[str]
    videos: dict[str, str]


def list_recordings(folder: str | os.PathLike[str]) -> Listing:
    """Search a folder at any depth for files of every registered format, videos included.

    Hidden files and folders are ignored. A folder of one ``*_keypoints.json`` per frame is one recording.

    Raises:
        InputError: no such folder.
    """
    if not os.path.isdir(folder):
        raise InputError(f"{folder}: there is no such folder; give the folder of your recordings.")
    files: list[str] = []
    closed: list[str] = []  # folders that cannot be read: listed, so that their loading says so

    def below(path: str | Path) -> str:
        return Path(path).relative_to(folder).as_posix()

    for place, folders, names in os.walk(folder, onerror=lambda error: closed.append(below(error.filename))):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [below(os.path.join(place, name)) for name in names]
        if not folders and not names and place.lower().endswith(suffixes(listed=True)):
            closed.append(below(place))  # an empty folder that is named like a recording
    found = _listing(files)
    return Listing(sorted({*found.recordings, *closed}), found.videos)


def check_name(file: str) -> None:
    """Check that the name of a file can stand in an index or a dataset, whose text is UTF-8; else InputError."""
    try:
        file.encode()
    except UnicodeEncodeError:
        raise InputError(f"{plain(file)}: its name is not text in UTF-8; rename it.") from None


def _listing(files: Iterable[str]) -> Listing:
    """Choose the recordings among the files of a folder, given as paths below it."""
    wanted = suffixes(listed=True)
    found: set[str] = set()
    video_files: dict[str, list[str]] = {}
    for file in files:
        path = PurePosixPath(file)
        if any(part.startswith(".") for part in path.parts) or not file.lower().endswith(wanted):
            continue
        if file.endswith(FRAME_FILE):
            found.add(str(path.parent))
        elif path.suffix.lower() in video.SUFFIXES:
            video_files.setdefault(_stem(file), []).append(file)
        else:
            found.add(file)
    beside: dict[str, str] = {}
    for recording in sorted(found):
        if (stem := _stem(recording)) in video_files:
            # Of several (a rendered GIF) the MP4 is the recorded video.
            beside[recording] = min(video_files[stem], key=lambda file: (not file.lower().endswith(".mp4"), file))
    with_motion = {_stem(recording) for recording in beside}
    alone = [file for stem, same in video_files.items() if stem not in with_motion for file in same]
    return Listing(sorted([*found, *alone]), beside)


def _stem(file: str) -> str:
    return file.removesuffix(PurePosixPath(file).suffix)


def find_recordings(names: Iterable[str]) -> list[str]:
    """Replace folders by their recordings (at any depth, sorted), each once, in the given order.

    Raises:
        InputError: a folder without a recording; an address that cannot be listed.
    """
    found: dict[str, None] = {}
    several = list(names)
    for name in several:
        if is_address(name):
            inside = _listed(name)
        elif os.path.isdir(name):
            inside = [name if file == "." else os.path.join(name, file) for file in list_recordings(name).recordings]
        else:
            inside = [name]
        if not inside and len(several) > 1:
            inside = [name]  # one empty folder does not end a batch: its loading says so
        if not inside:
            raise InputError(
                f"{name}: no recording in this folder; expected files ending in {', '.join(suffixes(listed=True))}."
            )
        found.update(dict.fromkeys(inside))
    return list(found)


def load(
    source: Any,
    *,
    fps: float | None = None,
    up: str | None = None,
    unit: str | float | None = None,
    format: str | None = None,
    name: str | None = None,
    joint_map: JointMap | str | os.PathLike[str] | None = None,
    person: int | None = None,
    size: str | tuple[float, float] | None = None,
    target_fps: float | None = FPS,
) -> Motion:
    """Load a recording, of several people one; `load_people` loads them all.

    Args:
        source: a path; ``sample:NAME``; an address such as ``s3://bucket/walk.bvh``; '-' for standard input; bytes; a
            Motion (returned as it is); or an array: joints [T, 22, 3] (also 24 or 52 SMPL joints), HumanML3D features
            [T, 263], keypoints [T, 17 | 25 | 33 ..., 2..4].
        fps: frames/s, if the source has no rate or a wrong one.
        up: axis that points up ('y', 'z', '-y' ...); None detects it.
        unit: 'm', 'cm', 'mm', 'inch', 'ft', 'cmu' or metres per unit; None detects it.
        format: a key of `READERS`, or a layout of ``joint_names.LAYOUTS``; None detects it by content.
        name: name of the motion; None for the file's stem.
        joint_map: {joint of the 22: joint name in the file}, or the path of a YAML file of it, for a skeleton whose
            names are not known.
        person: number of the person to read, of several: the file's track number, or else 1 for the first who appears.
        size: width and height of the picture ('1920x1080'), for coordinates that are fractions of it.
        target_fps: frames/s of the motion; None for the rate of the source. Models and measurements want 20.

    Returns:
        The motion at ``target_fps``, metres, Y up.

    Raises:
        InputError: the source cannot be read.
    """
    if isinstance(source, Motion):
        return source if name is None else source.named(name)
    if person is not None and (not isinstance(person, int) or person < 0):
        raise InputError(f"person {person!r} is no number of a person; give 1, 2 ..., or use load_people for all.")
    joints = read_joint_map(joint_map)

    def finished(recording: Recording, title: str, name: str) -> Motion:
        return to_motion(recording, title, up=up, unit=unit, size=size, target_fps=target_fps).named(name)

    def read(content: Content) -> Recording:
        content.joint_map, content.person, content.target_fps = joints, person, target_fps
        return _read(content, fps, format)

    if isinstance(source, Content):
        with _damage_named(source.name):
            return finished(read(source), source.name, Path(source.name).stem if name is None else name)
    if isinstance(source, (str, Path)) and str(source) != "-":
        given = str(source)
        with on_this_machine(given) as path, renamed_errors(given, path), _damage_named(Path(path).name):
            title = Path(path).name or path
            return finished(read(Content(Path(path), title)), title, Path(path).stem if name is None else name)
    if isinstance(source, (str, bytes, bytearray, memoryview)):
        data = read_limited(sys.stdin.buffer) if isinstance(source, str) else bytes(source)
        stem, title = "stdin" if isinstance(source, str) else "motion", name or "standard input"
        with _damage_named(title):
            return finished(read(Content(data, title)), title, stem if name is None else name)
    title = name or "array"
    recording = _read_array(source, title, fps, format)
    apply_joint_map(recording, joints, title)
    return finished(recording, title, "motion" if name is None else name)


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    """Turn every failure on a file's content into one sentence, so that one damaged file never ends a batch."""
    try:
        with np.errstate(all="ignore"):  # what is not finite is looked for, and refused or unseen
            yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{name}: it cannot be read ({error.strerror or error}); check its rights.") from None
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:120]
        raise InputError(f"{name}: the content is damaged ({reason}); export or copy the recording again.") from error


def recording_info(source: Any, **options: Any) -> dict[str, Any]:
    """Describe how a recording was read, JSON-ready.

    Keys: name, format, skeleton, joints found and interpolated, source frames, rate and duration, unit, up axis, notes;
    frames and duration after loading. Options and errors are those of `load`.
    """
    motion = load(source, **options)
    details = dict(motion.details)
    details.pop("picture", None)  # where the joints lie in it, for drawing alone
    info: dict[str, Any] = {
        "name": motion.name,
        "format": details.pop("format", motion.source),
        "skeleton": details.pop("skeleton", "humanml3d22"),
        "dimensions": motion.dimensions,
        "source_frames": details.pop("source_frames", motion.frames),
        "source_fps": motion.source_fps,
        "frames": motion.frames,
        "fps": motion.fps,
        "duration": round(motion.duration, 3),
        **details,
        "notes": list(motion.notes),
    }
    info["source_duration"] = round(info["source_frames"] / motion.source_fps, 3)
    if motion.confidence is not None:
        info["seen"] = round(float((motion.confidence > 0).mean()), 3)
    return info


def detect_format(source: str | Path | bytes) -> str:
    """Detect the format of a file, a folder or bytes by content: a key of `READERS`.

    Raises:
        InputError: no reader knows it, or the file cannot be read.
    """
    if isinstance(source, bytes):
        return reader_of(Content(source, "standard input")).format
    return reader_of(Content(Path(source), Path(source).name)).format


def _layout(format: str | None) -> str | None:
    if format is None or format in READERS:
        return None
    if format not in LAYOUTS:
        raise InputError(f"format {format!r} is not known; give one of {', '.join(READERS)}, or {', '.join(LAYOUTS)}.")
    return format


def _read(content: Content, fps: float | None, format: str | None) -> Recording:
    layout = _layout(format)
    reader = READERS[format] if format in READERS else reader_of(content)
    recording = reader.read(content, fps=fps, layout=layout)
    content.people, content.source_fps = recording.details.get("people", {}), recording.source_fps or recording.fps
    content.chosen = recording.details.get("person", 1)
    if content.person not in (None, 1) and "people" not in recording.details:
        raise InputError(f"{content.name}: it holds one person only; leave --person out.")
    apply_joint_map(recording, content.joint_map, content.name)
    return recording


def _read_array(source: Any, name: str, fps: float | None, format: str | None) -> Recording:
    if hasattr(source, "detach"):  # a torch tensor, without importing torch
        source = source.detach().cpu().numpy()
    try:
        array = np.asarray(source)
    except ValueError:
        raise InputError(f"{name}: not a regular array; expected [frames, 22, 3].") from None
    return joint_arrays.read_array(array, name, fps=fps, layout=_layout(format))


def load_recording(name: str, **options: Any) -> Motion:
    """Load a recording; errors contain the given name, since several folders may hold a file of one name.

    Arguments are those of `vimonet.motion.load`.

    Raises:
        InputError: the recording cannot be read.
    """
    with errors_in_full(name):
        return load(name, **options)


@contextmanager
def errors_in_full(name: str) -> Iterator[None]:
    """Make errors contain the given name, where they begin with the file's alone."""
    try:
        yield
    except InputError as error:
        if (told := named_in_full(name, str(error))) == str(error):
            raise
        raise InputError(told) from None


def names_a_file(text: str) -> bool:
    """Test whether a text names a recording: it ends in a suffix of a reader."""
    endings = "|".join(re.escape(suffix) for suffix in (*suffixes(), ".asf"))
    return re.fullmatch(rf"\S+({endings})", text, re.IGNORECASE) is not None


@contextmanager
def on_this_machine(name: str) -> Iterator[str]:
    """Yield the path of a recording or video; for an address, that of a copy that exists within the context.

    Raises:
        InputError: no sample of that name, or an unreadable address.
    """
    if not is_address(name):
        yield path_of(name)
        return
    system, path = connect(name)
    with TemporaryDirectory(prefix="vimonet-") as folder:
        # A subfolder: copied files cannot collide with others.
        copy = Path(folder, "copy", PurePosixPath(path).name)
        with readable(name):
            copy_recording(system, path, copy)
        yield str(copy)


def path_of(name: str) -> str:
    """Resolve ``sample:NAME`` to its file; any other name is the path itself."""
    return str(sample_path(name.removeprefix("sample:"))) if name.startswith("sample:") else name


@contextmanager
def renamed_errors(name: str, path: str) -> Iterator[None]:
    """Make errors about a sample or the copy of an address contain the given name."""
    try:
        yield
    except InputError as error:
        if not is_address(name):
            raise
        text = str(error).replace(path, name).replace(os.path.dirname(path), name.rpartition("/")[0])
        file = os.path.basename(path)
        raise InputError(name + text.removeprefix(file) if text.startswith(file) else text) from None


def _listed(address: str) -> list[str]:
    """List the addresses of the recordings behind an address."""
    from pyarrow.fs import FileSelector, FileType

    system, root = connect(address)
    with readable(address):
        if system.get_file_info(root).type in (FileType.File, FileType.Unknown):  # a pipe, which its loading refuses
            return [address]
        infos = system.get_file_info(FileSelector(root, recursive=True))
    scheme, host, path, query, _ = urlsplit(address)
    files = (info.path.removeprefix(root).lstrip("/") for info in infos if info.type != FileType.Directory)
    return [
        address if file == "." else urlunsplit((scheme, host, f"{path.rstrip('/')}/{quote(file)}", query, ""))
        for file in _listing(files).recordings
    ]
