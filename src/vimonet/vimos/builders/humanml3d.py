"""Build a dataset from ``humanml3d``: HumanML3D (Guo et al., CVPR 2022) as its scripts write it.

Layout and text format after README.md of github.com/EricGuo5513/HumanML3D ("Data Structure"):
``new_joints/*.npy`` [T, 22, 3] or ``new_joint_vecs/*.npy`` [T, 263] at 20 frames/s, ``texts/*.txt`` with lines
``caption#word/POS ...#from#to`` (seconds; 0.0 twice for the whole clip), name lists ``train.txt``, ``val.txt``,
``test.txt``, and ``index.csv`` of the repository (source_path, start_frame, end_frame, new_name).
``M000000`` is the mirrored copy of ``000000``.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from vimonet.motion import load
from vimonet.utils.errors import InputError
from vimonet.vimos.builders import option, register
from vimonet.vimos.builders.recorded_clips import Source, records_of
from vimonet.vimos.dataset_writer import Shard, Skipped, chunk
from vimonet.vimos.parquet import Caption, Record

LICENCE = "HumanML3D texts MIT; motion under the licences of AMASS and HumanAct12 (non-commercial research)"
SPLITS = ("train", "val", "test")
_ROWS = 100
_FPS = 20.0


@register("humanml3d", "HumanML3D: texts, split lists, joints or features")
@dataclass(frozen=True)
class HumanML3DBuilder:
    """Build rows from HumanML3D.

    Args:
        root: folder with ``texts``, the name lists, and ``new_joints`` or ``new_joint_vecs`` (joints are preferred).
        mirror: keep its mirrored copies.
        seed: seed of the questions.
        licence: licence of every row.

    Raises:
        InputError: `shards` finds a part of the layout missing.
    """

    root: str = option("folder of the source; HumanML3D", metavar="DIR")
    mirror: bool = option("leave out mirrored copies; M000000 ...", True)
    seed: int = option("seed of every random draw", 0, "N")
    licence: str = option("licence of rows that name none", LICENCE)

    name = "vimos-humanml3d"

    def settings(self) -> dict[str, Any]:
        """Return the options and the hash of the name lists and of the present files."""
        names = _names(self.root)
        present = {folder: sorted(p.name for p in (Path(self.root) / folder).glob("*.npy")) for folder in _FOLDERS}
        listing = hashlib.sha256(repr((names, present)).encode()).hexdigest()
        options = {"mirrored": self.mirror, "seed": self.seed, "licence": self.licence}
        return {"builder": "humanml3d", **options, "listing": listing}

    def shards(self) -> list[Shard]:
        """List the clips by the published splits."""
        found = []
        for split, names in _names(self.root).items():
            kept = [name for name in names if self.mirror or not name.startswith("M")]
            found += chunk(split, kept, _ROWS)
        return found

    def records(self, shard: Shard) -> Iterator[Record | Skipped]:
        """Read the clips of a shard; a timed caption gives a separate row, cut to its span."""
        for name in shard.keys:
            try:
                yield from self._clip(name, shard.split)
            except InputError as error:
                yield Skipped(name, str(error))

    def _clip(self, name: str, split: str) -> Iterator[Record | Skipped]:
        root = Path(self.root)
        path = next((p for folder in _FOLDERS if (p := root / folder / f"{name}.npy").is_file()), None)
        if path is None:
            raise InputError(f"{name}.npy is neither in new_joints nor in new_joint_vecs.")
        captions = read_texts(root / "texts" / f"{name}.txt")
        motion = load(path, fps=_FPS)
        origin, start, end = _index(self.root).get(name.removeprefix("M"), ("", 0, -1))
        # The published lists divide cuts of one AMASS file among splits (the card says how many). They keep a clip and
        # its mirrored copy in one split, so the clip is the unit.
        source = Source("humanml3d", name, f"humanml3d/{name.removeprefix('M')}", split, self.licence, self.seed)
        provenance = {"features": path.parent.name, "mirrored": name.startswith("M")}
        if origin:
            provenance |= {"source_path": origin, "source_frames": [start, end]}
        whole = [c for c in captions if c.start is None]
        timed = [c for c in captions if c.start is not None and c.start < motion.duration]
        for lost in (c for c in captions if c.start is not None and c.start >= motion.duration):
            yield Skipped(
                name, f"caption '{lost.text}' begins at {lost.start:g} s, beyond its {motion.duration:.1f} s."
            )
        if whole or not timed:
            clips = [(0.0, motion.duration)]
            yield from records_of(motion, source, whole, clips=clips, provenance=provenance)
        for span in dict.fromkeys((c.start, c.end) for c in timed):
            start_s, end_s = float(span[0] or 0.0), min(motion.duration, float(span[1] or motion.duration))
            own = [c for c in timed if (c.start, c.end) == span]
            yield from records_of(motion, source, own, clips=[(start_s, end_s)], provenance=provenance)

    def describe(self) -> str:
        """Write the text of the card."""
        return (
            "HumanML3D (Guo et al., CVPR 2022): its captions with their lemmatised tokens, its published splits, its "
            "clips as rows; a caption with time tags gives a row cut to its time. Answers of generator `kinematic` are "
            "measured on the joints. Motion derives from AMASS and HumanAct12: what may be done with it is theirs to "
            f"say.{self._shared()}"
        )

    def _shared(self) -> str:
        """Count the source files that the published lists divide."""
        index, splits = _index(self.root), dict[str, set[str]]()
        for split, names in _names(self.root).items():
            for name in names:
                splits.setdefault(index.get(name.removeprefix("M"), (name, 0, 0))[0], set()).add(split)
        divided = sum(len(found) > 1 for found in splits.values())
        if not index or not divided:
            return ""
        return f" The published lists, which rows keep to, put cuts of {divided:,} source files into several splits."


_FOLDERS = ("new_joints", "new_joint_vecs")


def read_texts(path: Path) -> list[Caption]:
    """Read the captions of a text file: sentence, tokens and span (None for the whole clip, written 0.0#0.0 or nan).

    Raises:
        InputError: the file is unreadable or a line is not ``caption#tokens#from#to``.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"texts/{path.name}: not readable ({error.__class__.__name__}).") from None
    captions = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        fields = line.strip().split("#")
        try:
            text, tokens = fields[0].strip(), fields[1].strip()
            start, end = (0.0 if value.strip() == "nan" else float(value) for value in fields[2:4])
        except (IndexError, ValueError):
            raise InputError(f"texts/{path.name} line {number}: expected caption#word/POS ...#from#to.") from None
        if not text:
            continue
        if start == 0.0 and end == 0.0:
            captions.append(Caption(text, "people", tokens=tokens))
        elif 0 <= start < end:
            captions.append(Caption(text, "people", start, end, tokens))
        else:
            raise InputError(f"texts/{path.name} line {number}: {start:g}-{end:g} s is no span; expected from < to.")
    return captions


@lru_cache(maxsize=2)
def _names(root: str) -> dict[str, list[str]]:
    folder = Path(root)
    if not (folder / "texts").is_dir() or not any((folder / sub).is_dir() for sub in _FOLDERS):
        raise InputError(
            f"{root}: not HumanML3D's folder; expected texts/, new_joints/ or new_joint_vecs/, and train.txt, val.txt, "
            "test.txt in it."
        )
    found = {}
    for split in SPLITS:
        path = folder / f"{split}.txt"
        if path.is_file():
            found[split] = sorted({line.strip() for line in path.read_text("utf-8").splitlines() if line.strip()})
    if not found:
        raise InputError(f"{root}: none of train.txt, val.txt, test.txt is there; they name the clips of each split.")
    return found


@lru_cache(maxsize=2)
def _index(root: str) -> dict[str, tuple[str, int, int]]:
    """Map clips to their file in AMASS or HumanAct12 and its frames, where index.csv exists."""
    for path in (Path(root) / "index.csv", Path(root).parent / "index.csv"):
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as lines:
                rows = list(csv.DictReader(lines))
            try:
                return {
                    row["new_name"].removesuffix(".npy"): (
                        row["source_path"],
                        int(row["start_frame"]),
                        int(row["end_frame"]),
                    )
                    for row in rows
                }
            except (KeyError, TypeError, ValueError):
                raise InputError(f"{path}: expected source_path, start_frame, end_frame, new_name.") from None
    return {}
