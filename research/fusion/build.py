"""Build the paired dataset: recorded movements, and films of them rendered with Panda3D.

python -m research.fusion.build --root RECORDINGS -o data/vimos-paired --count 3000
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import research.fusion.scenes.paired_builder  # noqa: F401  registers the builder "paired"
from vimonet.cli import main as command


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``vimonet data build paired`` with the arguments; returns the exit code."""
    return command(["data", "build", "paired", *(sys.argv[1:] if arguments is None else arguments)])


if __name__ == "__main__":
    raise SystemExit(main())
