"""Build, update and search an index."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vimonet.motion.io import suffixes
from vimonet.motion.io.loading import list_recordings
from vimonet.retrieval import storage
from vimonet.retrieval.storage import Entry
from vimonet.retrieval.window_features import Reading, process_count, read_all
from vimonet.utils.errors import InputError
from vimonet.utils.locks import only_writer

if TYPE_CHECKING:
    from vimonet.retrieval.text_motion_encoder import TextMotionEncoder

FPS = 20.0
WINDOWS = (3.0, 9.0)
"""Window lengths, s; windows of one length overlap by half. Short windows locate, long windows hold longer actions."""

_BATCH = 256
"""Windows that are encoded together, in batches of similar length."""
_SAVE_EVERY = 30.0  # seconds


@dataclass(frozen=True)
class Hit:
    """Hold a matching span of a recording.

    Attributes:
        path: path of the recording.
        start, end: span, s.
        score: cosine similarity of sentence and movement, -1..1, which is no probability.
    """

    path: str
    start: float
    end: float
    score: float

    def to_dict(self) -> dict[str, Any]:
        """Convert to a JSON-ready mapping."""
        return asdict(self)


class Index:
    """Hold the vectors of the windows of many recordings; `build` makes an index and `open` reads one.

    Attributes:
        root: folder of the recordings.
        entries: one entry per recording.
        windows: window lengths, s.
        encoder_folder, fingerprint: text-motion encoder that made the vectors.
        complete: False during a build and after an interrupted one.
        failed: (recording, reason) of recordings that the last build could not read.
    """

    def __init__(
        self,
        root: Path,
        entries: Sequence[Entry],
        *,
        windows: Sequence[float],
        fingerprint: str,
        encoder_folder: str = "",
        complete: bool = True,
    ) -> None:
        self.root, self.entries, self.windows, self.complete = root, list(entries), tuple(windows), complete
        self.fingerprint, self.encoder_folder = fingerprint, encoder_folder
        self.failed: list[tuple[str, str]] = []
        self._encoder: TextMotionEncoder | None = None
        self._arrays: tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]] | None = None

    def __len__(self) -> int:
        """Count the windows."""
        return sum(len(entry.bounds) for entry in self.entries)

    @classmethod
    def build(
        cls,
        folder: str | os.PathLike[str],
        out: str | os.PathLike[str],
        *,
        encoder: TextMotionEncoder | str | os.PathLike[str] | None = None,
        windows: Sequence[float] | None = None,
        rebuild: bool = False,
        progress: bool = False,
    ) -> Index:
        """Index a folder, or update an index of it.

        Args:
            folder: folder, searched recursively for recordings that `vimonet.motion.load` reads.
            out: file of the index; an existing index is updated.
            encoder: a loaded text-motion encoder, or its folder; None for the shipped one.
            windows: window lengths, s; None for those of an existing index, else `WINDOWS`.
            rebuild: replace an index of another encoder, of other windows, or a damaged one.
            progress: show a progress bar.

        Raises:
            InputError: the folder holds no recording, `out` is no index or has other settings, or the encoder or a
                window length is unusable.
        """
        root, out = Path(folder), Path(out)
        found = list_recordings(root).recordings
        if not found:
            raise InputError(f"{root}: no recording in this folder; expected files ending in {', '.join(suffixes())}.")
        if not out.parent.is_dir() or out.is_dir():
            raise InputError(f"{out}: not a place for an index; give the name of a file in a folder that exists.")
        with only_writer(out, "give another -o"):
            return cls._build(root, out, found, encoder, windows, rebuild, progress)

    @classmethod
    def _build(
        cls,
        root: Path,
        out: Path,
        found: Sequence[str],
        encoder: TextMotionEncoder | str | os.PathLike[str] | None,
        windows: Sequence[float] | None,
        rebuild: bool,
        progress: bool,
    ) -> Index:
        from vimonet.retrieval.text_motion_encoder import TextMotionEncoder, shipped_encoder

        where = "" if isinstance(encoder, TextMotionEncoder) else os.path.abspath(encoder or shipped_encoder())
        model = encoder if isinstance(encoder, TextMotionEncoder) else TextMotionEncoder.load(encoder)
        old = None if rebuild or not out.exists() else cls.open(out)
        seconds = tuple(windows) if windows else old.windows if old else WINDOWS
        _check_windows(seconds, model.max_frames / FPS)
        if old and (old.fingerprint != model.fingerprint or old.windows != seconds):
            what = (
                "another text-motion encoder" if old.fingerprint != model.fingerprint else "windows of another length"
            )
            raise InputError(f"{out}: this index was made with {what}; give --rebuild to replace it, or another -o.")
        known = {entry.path: entry for entry in old.entries} if old else {}
        index = cls(
            root.resolve(),
            [known[path] for path in found if path in known],
            windows=seconds,
            fingerprint=model.fingerprint,
            encoder_folder=where,
            complete=False,
        )
        index._encoder = model
        index._update(found, out, progress=progress)
        return index

    def _update(self, found: Sequence[str], out: Path, *, progress: bool) -> None:
        """Encode new and changed recordings of `found`, save at intervals, and drop unreadable recordings."""
        import torch
        from tqdm import tqdm

        from vimonet.model.weight_files import has_bfloat16

        assert self._encoder is not None
        encoder, bfloat16 = self._encoder, has_bfloat16()
        frames = [round(seconds * FPS) for seconds in self.windows]
        entries = {entry.path: entry for entry in self.entries}
        waiting: list[Reading] = []
        saved = time.monotonic()

        def embed() -> None:
            features = [(values, reading.dimensions) for reading in waiting for values in reading.features]
            vectors = encoder.features(features, bfloat16=bfloat16).astype(np.float16)
            for reading in waiting:
                read, own = reading.entry, len(reading.features)
                entries[read.path] = Entry(read.path, read.stamp, read.digest, read.bounds, vectors[:own])
                vectors = vectors[own:]
            waiting.clear()

        def keep(*, complete: bool) -> None:
            self.entries = [entries[path] for path in found if path in entries]
            self.complete, self._arrays = complete, None
            self.save(out)

        processes = process_count(found, entries)
        readings = read_all(self.root, found, dict(entries), frames, encoder.extractor, processes)
        threads = torch.get_num_threads()
        if processes > 1:
            torch.set_num_threads(1)  # waiting threads of torch would take the cores from the processes that read
        bar = tqdm(readings, total=len(found), unit="file", desc="index", disable=not progress)
        try:
            for path, reading in bar:
                unread = reading.failed or encoder.unread(reading.dimensions)
                if unread:
                    entries.pop(path, None)
                    self.failed.append((path, unread))
                elif not reading.features:
                    entries[path] = reading.entry
                else:
                    waiting.append(reading)
                if sum(len(reading.features) for reading in waiting) >= _BATCH:
                    embed()
                if time.monotonic() - saved > _SAVE_EVERY:
                    embed()
                    keep(complete=False)
                    saved = time.monotonic()
            embed()
        except BaseException:  # also an interruption: save the finished part
            keep(complete=False)
            raise
        finally:
            bar.close()
            readings.close()
            torch.set_num_threads(threads)
        if not entries:
            path, reason = self.failed[0]
            raise InputError(f"{self.root}: none of {len(found)} recordings could be read (first: {path}: {reason}).")
        keep(complete=True)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the index atomically."""
        about = {
            "root": str(self.root),
            "windows": list(self.windows),
            "fingerprint": self.fingerprint,
            "evaluator": self.encoder_folder,
            "complete": self.complete,
        }
        storage.write(path, about, self.entries)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Index:
        """Read an index.

        Raises:
            InputError: the file is missing, damaged, no index, or of a newer version.
        """
        about, entries = storage.read(path)
        return cls(
            Path(about["root"]),
            entries,
            windows=about["windows"],
            fingerprint=about["fingerprint"],
            encoder_folder=about["evaluator"],
            complete=about["complete"],
        )

    def encoder(self, folder: str | os.PathLike[str] | None = None) -> TextMotionEncoder:
        """Load the encoder that made the vectors from `folder`, else from the index's folder, else the shipped one.

        Raises:
            InputError: the encoder is missing or has another fingerprint.
        """
        from vimonet.retrieval.text_motion_encoder import TextMotionEncoder

        if self._encoder is None or folder is not None:
            noted = self.encoder_folder if os.path.isdir(self.encoder_folder) else None
            loaded = TextMotionEncoder.load(folder or noted)
            if loaded.fingerprint != self.fingerprint:
                raise InputError(
                    f"{folder or noted or 'the shipped one'}: the index was made with another text-motion encoder "
                    f"({self.encoder_folder or self.fingerprint}); name that one, or make the index again."
                )
            self._encoder = loaded
        return self._encoder

    def search(self, text: str, k: int = 10) -> list[Hit]:
        """Find the `k` best spans for a sentence, best first; spans of one recording never overlap.

        Raises:
            InputError: the text is empty, or the index's encoder is missing.
        """
        return self.nearest(self.encoder().texts([text])[0], k)

    def nearest(self, vector: NDArray[np.floating[Any]], k: int = 10) -> list[Hit]:
        """Find the `k` best spans for a vector [E] in the encoder's space, such as that of a movement."""
        vectors, bounds, owners = self.arrays()
        scores = vectors @ np.asarray(vector, np.float32)
        taken: dict[int, list[tuple[int, int]]] = {}
        hits: list[Hit] = []
        for row in _descending(scores, 32 * k):
            start, end = (int(frame) for frame in bounds[row])
            owner = int(owners[row])
            if any(start < b and a < end for a, b in taken.get(owner, ())):
                continue  # a better span overlaps this one
            taken.setdefault(owner, []).append((start, end))
            path = str(self.root / self.entries[owner].path)
            hits.append(Hit(path, start / FPS, end / FPS, round(float(scores[row]), 4)))
            if len(hits) == k:
                break
        return hits

    def arrays(self) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]]:
        """Stack the vectors of all windows [N, E], their frames [N, 2], and the index of their entry [N]."""
        if self._arrays is None:
            counts = [len(entry.bounds) for entry in self.entries]
            if not counts:
                raise InputError("the index holds no recording; build it again with 'vimonet index'.")
            self._arrays = (
                np.concatenate([entry.vectors for entry in self.entries]).astype(np.float32),
                np.concatenate([entry.bounds for entry in self.entries]),
                np.repeat(np.arange(len(counts)), counts),
            )
        return self._arrays


def _check_windows(windows: Iterable[float], longest: float) -> None:
    for seconds in windows:
        if not 0.5 <= seconds <= longest:
            raise InputError(f"windows of {seconds:g} s cannot be read; give 0.5 to {longest:g} s.")


def _descending(scores: NDArray[np.float32], first: int) -> Iterable[int]:
    """Yield rows by falling score; partition the first ones, and sort the rest only when they are needed."""
    if first < len(scores):
        best = np.argpartition(-scores, first)[:first]
        best = best[np.argsort(-scores[best], kind="stable")]
        yield from best.tolist()
        rest = np.setdiff1d(np.arange(len(scores)), best)
    else:
        rest = np.arange(len(scores))
    yield from rest[np.argsort(-scores[rest], kind="stable")].tolist()
