"""Build a dataset from ``babel``: BABEL (Punnakkal et al., CVPR 2021), timed action labels of AMASS recordings.

Layout after babel.is.tue.mpg.de/data.html and the code of github.com/abhinanda-punnakkal/BABEL: ``train.json``,
``val.json``, ``test.json``, each an object of sequences by ``babel_sid`` with ``feat_p`` (the AMASS file), ``dur`` (s),
``seq_ann`` and ``frame_ann``; an annotation has ``labels`` with ``raw_label``, ``proc_label``, ``act_cat`` and, in
``frame_ann``, ``start_t`` and ``end_t``. A sequence without frame labels is one action throughout.
The ``extra_*`` files (several annotators) are not read.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from vimonet.motion import Motion, load
from vimonet.utils.errors import InputError
from vimonet.vimos.builders import option, register
from vimonet.vimos.builders.recorded_clips import MAX_FRAMES, Source, records_of
from vimonet.vimos.dataset_writer import Shard, Skipped, chunk
from vimonet.vimos.parquet import Caption, Record
from vimonet.vimos.types import Part

LICENCE = "BABEL and AMASS: non-commercial scientific research"
SPLITS = ("train", "val", "test")
_ROWS = 50
_RENAMED = {"BioMotionLab_NTroje": "BMLrub", "DFaust_67": "DFaust", "MPI_mosh": "MoSh", "SSM_synced": "SSM"}
_COMMON = 3
"""Fewest occurrences of a label that is drawn as an absent action."""


@register("babel", "BABEL: timed action labels of AMASS recordings")
@dataclass(frozen=True)
class BabelBuilder:
    """Build rows from BABEL.

    Args:
        root: folder of train.json, val.json, test.json.
        motions: folder of the unpacked AMASS .npz files, or of joints [T, 22, 3] at 20 frames/s as .npy files of the
            same names.
        seed: seed of the questions.

    Raises:
        InputError: `shards` finds a folder or file missing or not in BABEL's layout.
    """

    root: str = option("folder of the source; with train.json and val.json", metavar="DIR")
    motions: str = option("folder of AMASS .npz files, or joints .npy of the same names", metavar="DIR")
    seed: int = option("seed of every random draw", 0, "N")

    name = "vimos-babel"

    def settings(self) -> dict[str, Any]:
        """Return the options and the hash of the label files."""
        digest = hashlib.sha256()
        for split in SPLITS:
            path = Path(self.root) / f"{split}.json"
            digest.update(path.read_bytes() if path.is_file() else b"-")
        return {"builder": "babel", "seed": self.seed, "labels": digest.hexdigest()}

    def shards(self) -> list[Shard]:
        """List the sequences by the published splits."""
        if not Path(self.motions).is_dir():
            raise InputError(f"{self.motions}: no such folder; give --motions the folder of AMASS, or of joints.")
        found = []
        for split in SPLITS:
            found += chunk(split, list(_sequences(self.root, split)), _ROWS)
        if not found:
            raise InputError(f"{self.root}: none of train.json, val.json, test.json is there; give BABEL's folder.")
        return found

    def records(self, shard: Shard) -> Iterator[Record | Skipped]:
        """Read the clips of the sequences of a shard."""
        sequences = _sequences(self.root, shard.split)
        others = _common(self.root, shard.split)
        for key in shard.keys:
            sequence = sequences[key]
            try:
                yield from self._clips(key, sequence, shard.split, others)
            except InputError as error:
                yield Skipped(f"{shard.split}/{key} {sequence.get('feat_p', '')}", str(error))

    def _clips(self, key: str, sequence: dict[str, Any], split: str, others: list[str]) -> Iterator[Record | Skipped]:
        file = str(sequence.get("feat_p") or "")
        motion = self._motion(file, key)
        parts, texts = timed_actions(sequence, motion.duration, f"sequence {key}")
        # A sequence label describes the whole recording, so only a row of the whole recording gets it.
        captions = [Caption(text) for text in texts] if motion.frames <= MAX_FRAMES else []
        source = Source("babel", f"{split}/{key}", f"babel/{file}", split, LICENCE, self.seed)
        provenance = {"feat_p": file, "babel_sid": sequence.get("babel_sid", key), "sequence_labels": texts}
        yield from records_of(motion, source, captions, parts, others, provenance=provenance)

    def _motion(self, file: str, key: str) -> Motion:
        path = Path(file)
        if not file or path.is_absolute() or ".." in path.parts:
            raise InputError(f"sequence {key}: feat_p '{file}' is no path of AMASS.")
        renamed = Path(*(_RENAMED.get(part, part) for part in path.parts))
        stems = {p.with_suffix("") for p in (path, renamed)}
        stems |= {s.with_name(s.name.removesuffix("_poses") + end) for s in tuple(stems) for end in ("", "_stageii")}
        for stem in sorted(stems, key=lambda s: (s != path.with_suffix(""), str(s))):
            # BABEL repeats the archive name ("KIT/KIT/..."), AMASS archives unpack to one folder.
            for depth in range(min(2, len(stem.parts) - 1) + 1):
                for suffix in (".npz", ".npy"):
                    place = Path(self.motions, *stem.parts[depth:]).with_name(stem.name + suffix)
                    if place.is_file():
                        return load(place, fps=20.0 if suffix == ".npy" else None)
        raise InputError(f"{file} is not below {self.motions}, neither as .npz nor as .npy.")

    def describe(self) -> str:
        """Write the text of the card."""
        return (
            "BABEL (Punnakkal et al., CVPR 2021): its labels as timed actions (processed labels; overlapping ones "
            "kept) of AMASS recordings, cut into windows of at most 9.8 s. Order is asked where actions follow one "
            "another. Its test labels are not public, so rows of its test split carry measured questions alone."
        )


def timed_actions(sequence: dict[str, Any], duration: float, where: str) -> tuple[list[Part], list[str]]:
    """List the timed actions of a sequence in order of time, and the labels of the whole sequence.

    Args:
        sequence: an entry of BABEL's files.
        duration: duration of the recording, s.
        where: name of the sequence in errors.

    Raises:
        InputError: the labels are not in the published layout.
    """
    try:
        frame, whole = sequence.get("frame_ann"), sequence.get("seq_ann")
        texts = [str(label.get("raw_label") or "").strip() for label in (whole or {}).get("labels") or ()]
        labels = (frame or whole or {}).get("labels") or ()
        parts = []
        for label in labels:
            action = str(label.get("proc_label") or label.get("raw_label") or "").strip().lower()
            start = float(label["start_t"]) if frame else 0.0
            end = min(duration, float(label["end_t"])) if frame else duration
            if action and 0 <= start < end:
                parts.append(Part(action, start, end))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{where}: labels are not laid out as BABEL's ({error!r}).") from None
    return sorted(parts, key=lambda p: (p.start, p.end, p.action)), list(dict.fromkeys(text for text in texts if text))


@lru_cache(maxsize=3)
def _sequences(root: str, split: str) -> dict[str, dict[str, Any]]:
    path = Path(root) / f"{split}.json"
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not readable as JSON ({error}).") from None
    if not isinstance(found, dict) or not all(isinstance(entry, dict) for entry in found.values()):
        raise InputError(f"{path}: expected an object of sequences by babel_sid, as BABEL's files are.")
    return dict(sorted(found.items()))


@lru_cache(maxsize=3)
def _common(root: str, split: str) -> list[str]:
    """List the labels that occur in several sequences of a split."""
    counts: Counter[str] = Counter()
    for key, sequence in _sequences(root, split).items():
        try:
            parts, _ = timed_actions(sequence, float("inf"), key)
        except InputError:
            continue
        counts.update({part.action for part in parts})
    return sorted(action for action, n in counts.items() if n >= _COMMON)
