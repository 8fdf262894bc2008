"""Implement `vimonet caption`: describe many recordings, one line each; ``-o FILE.jsonl`` continues a stopped run."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import sys
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from vimonet.cli import shared
from vimonet.cli.shared import one_line
from vimonet.utils.errors import InputError
from vimonet.utils.files import append
from vimonet.utils.locks import Lock, in_use
from vimonet.weights import model_source

if TYPE_CHECKING:
    from vimonet.inference.answer import MotionAssistant

_WHOLE = 256 * 2**20  # bytes; larger files are identified by size and time, because hashing 14 GB takes too long


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command."""
    caption = commands.add_parser(
        "caption",
        help="describe recordings in a sentence each",
        description="Describe each recording in a sentence. With -o FILE.jsonl the same command continues an "
        "interrupted run: it skips the recordings that the file holds and appends the others.",
    )
    caption.add_argument(
        "recordings",
        nargs="+",
        metavar="RECORDING",
        help="files, folders, addresses of either (s3://bucket/clips), '-', or sample:NAME",
    )
    shared.add_flag(caption, "--output", "recordings already there are skipped", metavar="FILE.jsonl")
    caption.add_argument(
        "--no-resume", action="store_true", help="replace the --output file instead of appending to it"
    )
    timed = caption.add_argument_group("what happens when", "a file for one recording, a folder for several")
    timed.add_argument("--srt", metavar="OUT", help="also write timed actions as SubRip: FILE.srt or a folder")
    timed.add_argument("--vtt", metavar="OUT", help="also write timed actions as WebVTT: FILE.vtt or a folder")
    many = caption.add_argument_group("many processes or machines")
    many.add_argument(
        "--ray",
        action="store_true",
        help="use Ray: all cores of this machine, or the cluster of $RAY_ADDRESS (extra: ray)",
    )
    shared.add_flag(many, "--workers", "processes of --ray, each with a model (default and most: one per core)")
    shared.add_flag(caption, "--answer-policy")
    shared.add_flag(caption, "--device", "with --ray and cuda each worker has a GPU")
    shared.add_common(caption, shared.PER_RECORDING)
    caption.set_defaults(run=_caption)


def _caption(args: argparse.Namespace) -> int:
    from tqdm import tqdm

    from vimonet.motion.io.loading import find_recordings

    if args.ray and "-" in args.recordings:
        raise InputError("the processes of --ray cannot read standard input; leave out '-' or --ray.")
    if args.workers is not None and not args.ray:
        raise InputError("--workers sets the number of Ray processes; give --ray as well.")
    recordings = [one for one in find_recordings(args.recordings) if not args.output or not _same(one, args.output)]
    name = model_source(args.model)
    fingerprint = model_fingerprint(name)
    output = CaptionFile(args.output, fingerprint, resume=not args.no_resume) if args.output else None
    subtitles = _subtitle_files(args, recordings)
    waiting = [path for path in recordings if output is None or path not in output.done]
    done = len(recordings) - len(waiting)
    failed: list[tuple[str, str]] = []
    with (
        tqdm(total=len(recordings), initial=done, unit="clip", desc="caption", disable=None) as bar,
        contextlib.closing(_captions(args, waiting)) as captions,
        output or contextlib.nullcontext(),
    ):
        for path, record in zip(waiting, captions, strict=True):
            if isinstance(record, InputError):
                if len(recordings) == 1:
                    raise record
                failed.append((path, str(record)))
            else:
                for note in record["notes"]:
                    bar.write(one_line(f"vimonet: {path}: {note}."), file=sys.stderr)
                for target in subtitles.get(path, ()):
                    _write_subtitles(record["cues"], target)
                lines = [{"file": path, **one, "model": fingerprint or name} for one in record["captions"]]
                if output is not None:
                    output.write(lines)
                for one in lines if output is None else ():
                    whose = [one_line(path)] if len(recordings) > 1 else []
                    whose += [f"person {one['person']}"] if "person" in one else []
                    text = "\t".join([*whose, shared.printable(one["text"])])
                    bar.write(shared.json_line(one) if args.json else text, file=sys.stdout)
                    sys.stdout.flush()
            bar.update()
    if subtitles and done:
        print(
            f"vimonet: {args.output}: it held {done} recordings already, whose subtitles were not written anew; "
            "--no-resume does.",
            file=sys.stderr,
        )
    return shared.list_failed(failed, "recordings")


def _subtitle_files(args: argparse.Namespace, recordings: list[str]) -> dict[str, list[Path]]:
    """Name the files of subtitles of each recording; folders keep the tree of the recordings.

    Raises:
        InputError: a file for several recordings, another suffix, or a folder that cannot be.
    """
    from vimonet.inference.subtitles import check_subtitles

    found: dict[str, list[Path]] = {}
    for suffix, given in ((".srt", args.srt), (".vtt", args.vtt)):
        if given is None:
            continue
        target = Path(given)
        if target.suffix and not target.is_dir():
            if target.suffix.lower() != suffix:
                raise InputError(f"{target}: --{suffix[1:]} writes {suffix}; give a name that ends so, or a folder.")
            if len(recordings) > 1:
                raise InputError(
                    f"{target}: {len(recordings)} recordings are given; name a folder for their subtitles."
                )
            found.setdefault(recordings[0], []).append(check_subtitles(target))
            continue
        if target.is_file() or not target.parent.is_dir():
            raise InputError(f"{target}: it cannot be a folder of subtitles; give one in a folder that exists.")
        for recording, below in _below(args.recordings, recordings).items():
            found.setdefault(recording, []).append(target / below.with_name(below.name + suffix))
    return found


def _below(given: list[str], recordings: list[str]) -> dict[str, Path]:
    """Name each recording by its path below the folder that was given, without suffix where no two are alike."""
    paths = {}
    for recording in recordings:
        folder = next((one for one in given if recording != one and recording.startswith(one)), None)
        rest = (
            recording.removeprefix(folder).lstrip("/\\") if folder else recording.replace("\\", "/").rpartition("/")[2]
        )
        parts = [part for part in Path(rest.removeprefix("sample:")).parts if part not in ("..", os.sep)]
        paths[recording] = Path(*parts) if parts and rest != "-" else Path("stdin")
    short = [path.with_suffix("") for path in paths.values()]
    return {one: path if short.count(path.with_suffix("")) > 1 else path.with_suffix("") for one, path in paths.items()}


def _write_subtitles(cues: list[tuple[float, float, str]], target: Path) -> None:
    from vimonet.inference.subtitles import Cue, write_subtitles

    target.parent.mkdir(parents=True, exist_ok=True)
    write_subtitles([Cue(*cue) for cue in cues], target)


def _same(recording: str, output: str) -> bool:
    """Tell whether a recording found in a folder is the output of an earlier run."""
    return os.path.abspath(recording) == os.path.abspath(output)


def _captions(args: argparse.Namespace, recordings: list[str]) -> Generator[dict[str, Any] | InputError]:
    """Caption recordings in order; yield the error of an unreadable one. The first recording loads the model."""
    from vimonet.inference.parallel import in_process, on_ray

    reading, timed = shared.loading_people(args), bool(args.srt or args.vtt)
    if args.ray:
        # Other machines have the shipped model in another place, so workers get a path only for a named model.
        model = args.model or os.environ.get("VIMONET_MODEL")
        model = os.path.abspath(model) if model and os.path.isdir(model) else model
        make = partial(Captioner.load, model, args.device, reading, args.answer_policy, timed=timed)
        gpu = (args.device or "cpu").startswith("cuda")
        return on_ray(make, recordings, workers=args.workers, gpu=gpu)
    return in_process(lambda: Captioner(shared.assistant(args), reading, args.answer_policy, timed=timed), recordings)


class Captioner:
    """Caption recordings by name, in one process or in many.

    Args:
        assistant: the loaded model.
        loading: options of `vimonet.motion.load`; ``person`` may be ``all``.
        answer_policy: ``calibrated`` or ``raw``; None for the model's own.
        timed: also list what happens when.
    """

    def __init__(
        self,
        assistant: MotionAssistant,
        loading: Mapping[str, Any],
        answer_policy: str | None = None,
        *,
        timed: bool = False,
    ) -> None:
        self.assistant, self.loading, self.answer_policy = assistant, dict(loading), answer_policy
        self.timed = timed

    @classmethod
    def load(
        cls,
        model: str | None,
        device: str | None,
        loading: Mapping[str, Any],
        answer_policy: str | None = None,
        *,
        timed: bool = False,
    ) -> Captioner:
        """Load a captioner with its own model; see `vimonet.load` for `model` and `device`.

        Raises:
            InputError: the model is missing or damaged.
        """
        from vimonet.inference.assistant import load

        return cls(load(model, device), loading, answer_policy, timed=timed)

    def __call__(self, name: str) -> dict[str, Any]:
        """Caption one recording, JSON-ready: ``captions``, one a person, ``notes`` on these, timed ``cues`` on request.

        Raises:
            InputError: the recording cannot be read.
        """
        from vimonet.inference.subtitles import timed_cues

        people = shared.load_people_of(name, self.loading)
        everyone = self.loading.get("person") == shared.EVERYONE
        captions, cues = [], []
        for motion in people:
            answer = self.assistant.caption(motion, answer_policy=self.answer_policy)
            number = motion.details.get("person", 1)
            captions.append({**({"person": number, "people": len(people)} if everyone else {}), **answer.to_dict()})
            if self.timed:
                whose = f"person {number}: " if len(people) > 1 else ""
                actions = getattr(self.assistant, "actions", lambda _: ())(motion)
                view = motion.details.get("people", {}).get(str(number))
                seen = (0.0, motion.duration)
                if view is not None:
                    seen = (view["first"] / motion.source_fps, (view["last"] + 1) / motion.source_fps)
                cues += [(start, end, f"{whose}{text}") for start, end, text in timed_cues(answer, actions, seen)]
        return {"captions": captions, "notes": shared.people_notes(people[0], everyone=everyone), "cues": cues}


def model_fingerprint(model: str | os.PathLike[str]) -> str | None:
    """Hash a model directory: ``nano-3f2a91c0``; None for a hub id, whose files may change."""
    folder = Path(model)
    if not folder.is_dir():
        return None
    digest = hashlib.sha256()
    base = _adapter_base(folder)
    if base is not None:
        below = model_fingerprint(base)
        if below is None:
            return None
        digest.update(below.encode())
    for file in sorted(path for path in folder.iterdir() if path.is_file()):
        status = file.stat()
        digest.update(f"{file.name}\0{status.st_size}\0".encode())
        if status.st_size <= _WHOLE:
            with file.open("rb") as stream:
                digest.update(hashlib.file_digest(stream, "sha256").digest())
        else:
            digest.update(str(status.st_mtime_ns).encode())
    return f"{folder.resolve().name}-{digest.hexdigest()[:8]}"


def _adapter_base(folder: Path) -> str | None:
    """Return the base model that an adapter folder names; None for a whole model."""
    try:
        return json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (OSError, ValueError, KeyError, TypeError):
        return None


class CaptionFile:
    """Append captions to a JSON lines file, skip those it holds, and drop a last line that a kill cut off.

    Args:
        path: the file, created with the first line.
        model: fingerprint of the model in use; a file that another model wrote is refused.
        resume: False replaces the file.

    Raises:
        InputError: the path cannot be such a file, another process writes it, or it holds captions of another model.
    """

    def __init__(self, path: str | os.PathLike[str], model: str | None, *, resume: bool = True) -> None:
        self.path = Path(path)
        self.done: set[str] = set()
        self._resume = resume
        self._length = 0
        self._stream: Any = None
        if self.path.is_dir():
            raise InputError(f"{self.path}: this is a directory; give the name of a .jsonl file.")
        if not self.path.parent.is_dir():
            raise InputError(f"{self.path}: the folder {self.path.parent} does not exist; create it or choose another.")
        self._lock = Lock(self.path)
        if (holder := self._lock.take()) is not None:
            raise in_use(self.path, holder, "give a new name")
        try:
            if resume and self.path.exists():
                self._read(model)
        except BaseException:
            self._lock.free()
            raise

    def _read(self, model: str | None) -> None:
        data = self.path.read_bytes()
        lines = data.splitlines(keepends=True)
        left = 0
        begun: tuple[str, int] | None = None  # a recording of which not everyone is captioned yet, and where it begins
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                name = record["file"]
                whole = line.endswith(b"\n") and isinstance(record["text"], str)
            except (ValueError, KeyError, TypeError):
                whole, name = False, None
            if not whole:
                if number == len(lines) and not line.endswith(b"\n") and b'{"file": '.startswith(line[:9]):
                    break  # a kill tore this line; `write` truncates it before the next one
                raise InputError(
                    f"{self.path}: line {number} is not a caption; give a file that vimonet wrote, a new name, "
                    "or --no-resume to replace it."
                )
            if model is not None and record.get("model") not in (None, model):
                raise InputError(
                    f"{self.path}: holds captions by {record['model']}, not by {model}; give a new name, "
                    "or --no-resume to replace it."
                )
            first = begun is None or begun[0] != str(name)
            begun = (str(name), self._length) if first else begun
            left = int(record.get("people", 1)) - 1 if first else left - 1
            self.done.add(str(name))
            self._length += len(line)
            if not left:
                begun = None
        if begun is not None:
            self.done.discard(begun[0])
            self._length = begun[1]

    def __enter__(self) -> CaptionFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, and leave it to other processes."""
        self._lock.free()
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def write(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Append the lines of one recording and hand them to the operating system."""
        if self._stream is None:
            if self._resume and self.path.exists():
                os.truncate(self.path, self._length)
                self._stream = self.path.open("ab", buffering=0)
            else:
                self._stream = self.path.open("wb", buffering=0)
        lines = "".join(shared.json_line(dict(one)) + "\n" for one in records)
        append(self._stream, lines.encode("utf-8", errors="backslashreplace"))
