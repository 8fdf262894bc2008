"""Write the captions of KIT Motion-Language as a text file, the further sentences of ``vimonet train pretrain-lm``.

python -m research.vimos_open.kit_captions --root RECORDINGS -o data/kit-captions.txt
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from research.vimos_open.sources import data_folder
from vimonet.utils.errors import InputError
from vimonet.utils.files import whole_file


def kit_captions(folder: Path) -> list[str]:
    """Read the captions of KIT's train split alone, so that no test caption is seen.

    Raises:
        InputError: annotations or split that are missing or no JSON.
    """
    path = folder / "text" / "kitml_annotations_tmr.json"
    try:
        annotations = json.loads(path.read_text(encoding="utf-8"))
        train = set((folder / "text" / "kitml_train.txt").read_text(encoding="utf-8").split())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not the KIT-ML annotations of the recordings ({error}).") from error
    told = (a["text"] for key, entry in annotations.items() if key in train for a in entry["annotations"])
    return [" ".join(text.lower().split("\n")).strip() for text in told]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the file; returns the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--root", metavar="DIR", help="folder of the recordings (default: $VIMONET_DATA)")
    parser.add_argument("-o", "--output", default="data/kit-captions.txt", metavar="FILE", help="default: %(default)s")
    args = parser.parse_args(arguments)
    try:
        sentences = kit_captions(data_folder(args.root))
    except InputError as error:
        print(f"kit_captions: {error}", file=sys.stderr)
        return 2
    Path(args.output).parent.mkdir(parents=True, exist_ok=True)
    with whole_file(args.output) as path:
        path.write_text("\n".join(sentences) + "\n", encoding="utf-8")
    print(f"{args.output}: {len(sentences):,} sentences")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
