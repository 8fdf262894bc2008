"""``python -m vimonet.vimos.synthesis OUT``: write the embedded samples and their truth into the folder OUT."""

from __future__ import annotations

import argparse
from pathlib import Path


def main() -> None:
    """Parse the folder and write the samples."""
    from vimonet.vimos.synthesis.embedded_samples import write_samples

    parser = argparse.ArgumentParser(prog="python -m vimonet.vimos.synthesis", description=__doc__)
    parser.add_argument("out", type=Path, help="folder to write into, such as src/vimonet/samples")
    for path in write_samples(parser.parse_args().out):
        print(f"{path}  {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
