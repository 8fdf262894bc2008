"""Score counts of repetitions against counts made by hand, and false counts on movements done once.

    python -m benchmarks.repetitions --root DATA [--labels] [--json OUT.json]

`repetition_counts.json` lists clips of the public corpora (laid out as research/vimos_open/README.md says) and embedded
samples by id: with the number of repetitions, counted by eye on plots of wrists, ankles and pelvis over time (one is a
movement out and back; steps are counted per leg), and movements done once by their label. Thresholds were chosen on the
development half; the other half is the score, save for the clips under "looked at", which were seen while faults were
mended. "Not counted" means one. `--labels` counts up to 14 training clips of each label of a movement done once.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import zlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from research.vimos_open.sources import load_clips
from vimonet.motion import Motion, load
from vimonet.motion.kinematics import measure
from vimonet.utils.errors import InputError
from vimonet.utils.statistics import bootstrap_interval

LABELS = Path(__file__).parent / "repetition_counts.json"


def half_of(clip: str) -> str:
    """Name the half of a clip, by its id alone: 'development' or 'score'."""
    return "development" if zlib.crc32(clip.split("/")[-1].encode()) % 2 == 0 else "score"


def motions(ids: set[str], root: str | None) -> Iterator[tuple[str, Motion]]:
    """Read the clips of the given ids."""
    yield from ((name, load(name)) for name in sorted(ids) if name.startswith("sample:"))
    sources = tuple(sorted({name.split("/")[0] for name in ids if "/" in name}))
    yield from ((clip.id, clip.motion) for clip in load_clips(root, sources) if clip.id in ids)


def score(root: str | None) -> dict[str, Any]:
    """Count every listed clip: share exact and within one, false counts, each with a 95 % interval, by half."""
    listed = json.loads(LABELS.read_text(encoding="utf-8"))
    counts, once = listed["counts"], set(listed["once"])
    errors: dict[str, list[float]] = defaultdict(list)
    clips = []
    for name, motion in motions(set(counts) | once, root):
        again = measure(motion).repetitions
        found = 1 if again is None else again.count
        true = counts.get(name, 1)
        clips.append({"clip": name, "count": found, "by hand": true, "half": half_of(name)})
        kind = "repeated" if name in counts else "once"
        for part in (half_of(name), "all"):
            errors[f"{kind}, {part}"].append(found - true)
    rows = {}
    for kind, values in sorted(errors.items()):
        off = np.abs(np.array(values))
        for label, share in (("exact", off == 0), ("within one", off <= 1)):
            low, high = bootstrap_interval(share.astype(float), list(range(len(off))))
            rows[f"{kind}: {label}"] = {"n": len(off), "share": float(share.mean()), "low": low, "high": high}
    return {"rows": rows, "clips": clips}


def false_counts(root: str | None, each: int = 14) -> dict[str, tuple[int, int]]:
    """Count training clips of labels that name a movement done once: source -> counted more often, and all."""
    names = json.loads(LABELS.read_text(encoding="utf-8"))["once by label"]
    rng = random.Random(1)
    out = {}
    for source, labels in names.items():
        clips = [clip for clip in load_clips(root, (source,)) if clip.split == "train"]
        some = [clip for label in labels for clip in _sample(rng, [c for c in clips if c.action == label], each)]
        counts = [measure(clip.motion).repetitions for clip in some]
        out[source] = sum(again is not None for again in counts), len(counts)
    return out


def _sample(rng: random.Random, clips: list[Any], most: int) -> list[Any]:
    return rng.sample(clips, min(most, len(clips)))


def main() -> int:
    """Print the table and the clips that are wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", help="folder of the recordings (default: the environment variable VIMONET_DATA)")
    parser.add_argument("--labels", action="store_true", help="count the training clips of labels instead")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    args = parser.parse_args()
    try:
        if args.labels:
            wrong = false_counts(args.root)
            for source, (more, all_) in (wrong | {"all": tuple(map(sum, zip(*wrong.values(), strict=True)))}).items():
                print(f"{source:20} {more:3d} of {all_:3d} done once are counted more often")
            return 0
        found = score(args.root)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2
    for name, row in found["rows"].items():
        print(f"{name:38} n={row['n']:3d}  {row['share']:.2f} ({row['low']:.2f}-{row['high']:.2f})")
    for clip in found["clips"]:
        if clip["count"] != clip["by hand"]:
            print(f"  {clip['clip']} ({clip['half']}): counted {clip['count']}, by hand {clip['by hand']}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
