"""Write the 2D keypoints of the labelled films once, by the package's own pose estimation (the extra ``pose``).

    python -m research.vimos_open.film_poses --root RECORDINGS -o FOLDER

The folder gets ``films.jsonl``, a line per film that was looked at, and the keypoints of those that show a person. It
stays outside the repository; the source ``films_2d`` finds it in the environment variable VIMONET_FILM_POSES. A run
that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tqdm import tqdm

from research.vimos_open.sources import data_folder
from vimonet.motion.pose import MAX_RATE, estimate
from vimonet.utils.errors import InputError

LOOKED_AT: Final = "films.jsonl"
"""A line per film: ``file``, ``poses`` (name in the folder, null where nobody is seen), ``people`` (number followed),
``seen`` (share of the frames with the person) and ``seconds`` that pose estimation took."""


def films(root: Path | str | None = None) -> list[dict[str, Any]]:
    """Read the index of the films.

    Raises:
        InputError: no folder of recordings, or none with films.
    """
    path = data_folder(root) / "video_labelled" / "index.jsonl"
    if not path.is_file():
        raise InputError(f"{path}: no such file; films are laid out as research/vimos_open/README.md says.")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def looked_at(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the lines of films that were looked at, by file; skip a line that an interruption cut short."""
    path = folder / LOOKED_AT
    if not path.is_file():
        return {}
    found: dict[str, dict[str, Any]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        found[row["file"]] = row
    return found


def write_poses(root: Path | str | None, folder: Path, max_rate: float = MAX_RATE) -> Iterator[dict[str, Any]]:
    """Estimate and write the films that were not looked at yet, short ones first, and yield their lines."""
    folder.mkdir(parents=True, exist_ok=True)
    known = looked_at(folder)
    with (folder / LOOKED_AT).open("a", encoding="utf-8") as lines:
        lines.write("\n" * bool(known))  # ends a line that was cut short
        for row in sorted(films(root), key=lambda film: film["duration"]):
            if row["file"] in known:
                continue
            begun = time.monotonic()
            line: dict[str, Any] = {"file": row["file"], "poses": None, "people": 0, "seen": 0.0}
            try:
                poses = estimate(data_folder(root) / "video_labelled" / row["file"], max_rate=max_rate)
            except InputError as error:
                line["reason"] = str(error)
            else:
                name = row["file"].removeprefix("clips/").replace("/", "_") + ".npz"
                poses.save(folder / name)
                line |= {"poses": name, "people": poses.people, "seen": round(poses.seen, 3)}
            line["seconds"] = round(time.monotonic() - begun, 2)
            lines.write(json.dumps(line) + "\n")
            lines.flush()
            yield line


def main() -> None:
    """Write the keypoints and report how many films show a person."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", help="folder of the recordings (default: $VIMONET_DATA)")
    parser.add_argument("-o", "--output", required=True, type=Path, metavar="FOLDER", help="where the keypoints go")
    parser.add_argument(
        "--max-rate", type=float, default=MAX_RATE, metavar="R", help="most frames read per second (default: 30)"
    )
    args = parser.parse_args()
    for _ in tqdm(write_poses(args.root, args.output, args.max_rate), total=len(films(args.root)), unit="film"):
        pass
    lines = list(looked_at(args.output).values())
    seen = sum(line["poses"] is not None for line in lines)
    print(f"{seen} of {len(lines)} films show a person; {sum(line['seconds'] for line in lines) / 60:.1f} minutes")


if __name__ == "__main__":
    main()
