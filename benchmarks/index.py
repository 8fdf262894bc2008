"""Measure how fast a folder is indexed against the commit before, c04983f, in the same run.

    python -m benchmarks.index FOLDER [--copies 300] [--seconds 0 20]

The folder's recordings are copied under new names until there are enough, of their own length (0) and repeated to 20
seconds. Either commit makes an index by its own `Index.build`, in a process of its own that has loaded the encoder
before. Vectors of both must agree for recordings whose reading has not changed. Prints milliseconds per recording of
both, their ratio, what both take of the processor, and where it goes: digest, reading, features of windows, model.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks.earlier import BEFORE, ROOT, make_library, readable, run_script, source_of

PROCESSOR = """
import json, multiprocessing, resource, sys, time
def processor():
    for child in multiprocessing.active_children():
        child.join()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)
"""
INDEX = """
model = Encoder.load(None)
for folder, out in ((sys.argv[1], sys.argv[3]), (sys.argv[2], sys.argv[4])):
    start, spent = time.perf_counter(), processor()
    index = Index.build(folder, out, **{name: model})
    took = time.perf_counter() - start
    spent = processor() - spent
print(json.dumps({"seconds": took, "processor": spent, "windows": len(index)}))
"""
OLD = """
from vimonet.model.evaluator import Evaluator as Encoder
from vimonet.search import Index
name = "evaluator"
"""
NEW = """
from vimonet.retrieval import Index
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder as Encoder
name = "encoder"
"""
PROFILE = """
import json, sys, time
from collections import Counter
from pathlib import Path
from vimonet.motion import load
from vimonet.motion.io.loading import list_recordings
from vimonet.retrieval import WINDOWS, storage
from vimonet.retrieval.index import FPS
from vimonet.model.weight_files import has_bfloat16
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder
from vimonet.retrieval.window_features import windows_of
import pyarrow.csv  # as processes that read much text do
root, clock, spent, rows = Path(sys.argv[1]), time.process_time, Counter(), []
model = TextMotionEncoder.load(None)
def timed(name, work):
    start = clock()
    out = work()
    spent[name] += clock() - start
    return out
paths = list_recordings(root).recordings
for path in paths:
    entry = timed("digest", lambda: storage.entry_of(root, path, None))
    motion = timed("reading", lambda: load(root / path))
    bounds = windows_of(motion.frames, [round(s * FPS) for s in WINDOWS])
    found = timed("features", lambda: model.extractor.extract_windows(motion, bounds))
    rows += [(one, motion.dimensions) for one in found]
for start in range(0, len(rows), 256):
    timed("model", lambda: model.features(rows[start:start + 256], bfloat16=has_bfloat16()))
print(json.dumps({name: 1000 * seconds / len(paths) for name, seconds in spent.items()}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--copies", type=int, default=300, help="recordings to index")
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=[0.0, 20.0], help="length of the recordings; 0: own"
    )
    args = parser.parse_args()
    found = readable(args.folder)
    found = found[:: max(1, len(found) // args.copies)][: args.copies]
    with source_of(BEFORE) as before:
        for seconds in args.seconds:
            with tempfile.TemporaryDirectory() as made:
                few, library = Path(made) / "few", Path(made) / "library"
                make_library(found, few, len(found), seconds)
                make_library(found, library, args.copies, seconds)
                outs = [str(Path(made) / name) for name in ("few.index", "library.index")]
                places = str(few), str(library)
                old = run_script(PROCESSOR + OLD + INDEX, before, *places, *(f"{out}.old" for out in outs))
                new = run_script(PROCESSOR + NEW + INDEX, ROOT / "src", *places, *outs)
                parts = run_script(PROFILE, ROOT / "src", str(few))
            length = f"of {seconds:g} s" if seconds else "of their own length"
            was, now = (1000 * one["seconds"] / args.copies for one in (old, new))
            print(f"{args.copies} recordings {length}, {new['windows']:.0f} windows")
            used = [1000 * one["processor"] / args.copies for one in (old, new)]
            print(f"  {was:.1f} ms each before, {now:.1f} ms now: ratio {was / now:.2f}")
            print(f"  of processor time, all processes: {used[0]:.1f} and {used[1]:.1f} ms")
            print(f"  20,000 take {now * 20_000 / 60_000:.1f} minutes")
            print(f"  processor time, one process: {', '.join(f'{name} {ms:.1f} ms' for name, ms in parts.items())}")


if __name__ == "__main__":
    main()
