"""``python -m vimonet``."""

from __future__ import annotations

import sys

from vimonet.cli import main

if __name__ == "__main__":
    sys.exit(main())
