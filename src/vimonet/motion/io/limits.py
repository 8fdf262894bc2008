"""Name the limits of reading: beyond them a file is refused with one sentence, before memory or time is spent."""

from __future__ import annotations

from typing import Final

MAX_BYTES: Final = 2 << 30
"""Size of a file on disk."""
MAX_MEMBER: Final = 512 << 20
"""Size of one array of an archive, unpacked."""
MAX_RATIO: Final = 200
"""Unpacked by packed size of an archive's member of more than 16 MiB; deflate reaches a thousand, movement some ten."""
SMALL_MEMBER: Final = 16 << 20
"""Unpacked size up to which the ratio does not matter."""
PIPE_OPEN: Final = 5
"""Most seconds until a pipe that is given as a recording has a writer."""
PIPE_SILENT: Final = 60
"""Most seconds without a byte from the writer of a pipe."""
MAX_FRAMES: Final = 500_000
"""Frames of a recording, also after resampling to 20 frames/s: seven hours."""
MAX_JOINTS: Final = 2000
"""Joints or points of one frame."""
MAX_PEOPLE: Final = 1000
"""People of one frame."""
MAX_NESTING: Final = 64
"""Depth of dicts in a PyTorch file; JSON is as deep as its parser bears."""
LARGEST: Final = 1e9
"""Bound on coordinates, angles and offsets in any unit; beyond it, sums and squares could overflow."""
NO_BODY: Final = 0.02
"""Share of a body's size below which points lie in one place."""
