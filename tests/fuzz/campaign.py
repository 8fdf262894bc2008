"""Damage thousands of recordings, videos, model folders, indexes and datasets; print what went wrong.

Wrong are tracebacks, hangs, crashes, memory, and impossible motions.

    python tests/fuzz/campaign.py --count 20000 --seed 0 [--kind bvh] [--keep FOLDER]

Exit code 1 if anything went wrong; ``--keep`` writes those inputs to a folder.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import signal
import sys
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from damage import damage
from other_inputs import other_inputs
from whole_inputs import whole_inputs

LONGEST = 10.0
"""Seconds of work after which reading hangs, also on a busy machine."""
LONGEST_WAIT = 120.0
"""Seconds by the clock."""
MOST_MEMORY = 1 << 20
"""KiB above the start."""
FARTHEST = 10_000.0
"""Metres."""


def fault(name: str, data: bytes, kind: str = "") -> str | None:
    """Read an input; return what is wrong with the outcome, or None if it is read or refused as it should be.

    Args:
        name: file name of a recording.
        data: the damaged bytes.
        kind: key of `other_inputs`; any other is a recording.
    """
    import numpy as np

    from vimonet.motion import load
    from vimonet.utils.errors import InputError

    try:
        joints = other_inputs()[kind].read(data) if kind in other_inputs() else load(data, name=name).joints
    except InputError as error:
        text = str(error)
        # The command line replaces control characters; recordings have none even in the message.
        sound = len(text) < 1000 and (text.isprintable() or kind in other_inputs())
        return None if sound else f"unprintable or endless message {text[:80]!r}"
    except MemoryError:
        return "MemoryError"
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:120]
    if joints is None:
        return None
    if not np.isfinite(joints).all():
        return "a coordinate is not finite"
    far = float(np.abs(joints).max())
    return f"a coordinate of {far:.0f} m" if far > FARTHEST else None


def _work(pipe: Connection) -> None:
    """Read the inputs that come through a pipe, and send back what was wrong, with the memory above the start."""
    import torch  # noqa: F401  # what reading a PyTorch file imports is no part of reading it

    import vimonet.motion  # noqa: F401

    if (first := pipe.recv()) is not None:  # imports, and what they and a first model take, are no part of reading
        pipe.send((fault(*first), 0))
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while (task := pipe.recv()) is not None:
        signal.setitimer(signal.ITIMER_VIRTUAL, LONGEST)  # whose signal ends the process
        wrong = fault(*task)
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        pipe.send((wrong, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start))


def main() -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", help="one kind of input only")
    parser.add_argument("--keep", type=Path, help="folder for the inputs that went wrong")
    args = parser.parse_args()
    every = {**whole_inputs(), **{kind: (one.name, one.data) for kind, one in other_inputs().items()}}
    kinds = {kind: one for kind, one in every.items() if args.kind in (None, kind)}
    wrong: Counter[str] = Counter()
    most, began, worker = 0, time.monotonic(), None
    context = multiprocessing.get_context("spawn")
    for number in range(args.count):
        kind = list(kinds)[number % len(kinds)]
        name, whole = kinds[kind]
        data = damage(whole, args.seed * 1_000_003 + number)
        if worker is None:
            pipe, other = context.Pipe()
            worker = context.Process(target=_work, args=(other,), daemon=True)
            worker.start()
            other.close()
            pipe.send((name, whole, kind))
            pipe.recv()
        told: str | None
        pipe.send((name, data, kind))
        try:
            told, memory = pipe.recv() if pipe.poll(LONGEST_WAIT) else (f"hangs for more than {LONGEST_WAIT:g} s", 0)
        except EOFError:
            worker.join()
            slow = worker.exitcode == -signal.SIGVTALRM
            told, memory = f"hangs for more than {LONGEST:g} s" if slow else "the process died", 0
        most = max(most, memory)
        if memory > MOST_MEMORY:
            told = told or f"takes {memory >> 10} MiB"
        if told is not None:
            wrong[f"{kind}: {told}"] += 1
            print(f"input {number} of {kind}: {told}", flush=True)
            if args.keep:
                args.keep.mkdir(parents=True, exist_ok=True)
                (args.keep / f"{kind.replace(' ', '-')}-{number}.bin").write_bytes(data)
        if told is not None and (memory > MOST_MEMORY or told.startswith(("hangs", "the process"))):
            worker.kill()
            worker = None
    if worker is not None:
        pipe.send(None)
    tracebacks = sum(count for what, count in wrong.items() if "hangs" not in what and "takes" not in what)
    hangs = sum(count for what, count in wrong.items() if "hangs" in what)
    print(
        f"{args.count} damaged inputs of {len(kinds)} kinds, seed {args.seed}, {time.monotonic() - began:.0f} s: "
        f"{tracebacks} tracebacks or impossible motions, {hangs} hangs over {LONGEST:g} s, "
        f"memory at most {most >> 10} MiB above the start"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
