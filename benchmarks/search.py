"""Measure the speed of a search over many windows: `Index.nearest` against brute force in torch and in numpy.

    python benchmarks/search.py [--windows 10000] [--json]

The index holds random unit vectors (half precision, as stored) of recordings with 20 overlapping windows. Brute force
sorts all cosines, drops overlaps, and must find the same windows. The first search also converts half precision to
single. Needs neither data nor weights; --evaluator also times embedding the sentence.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
import torch  # noqa: E402

from vimonet.retrieval import WINDOWS, Index  # noqa: E402
from vimonet.retrieval.index import Entry  # noqa: E402

DIM, PER_RECORDING, K = 128, 20, 10


def made_up(windows: int, seed: int = 0) -> Index:
    """Make an index of random vectors."""
    rng = np.random.default_rng(seed)
    entries = []
    for number, start in enumerate(range(0, windows, PER_RECORDING)):
        size = min(PER_RECORDING, windows - start)
        vectors = rng.standard_normal((size, DIM), np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        begin = np.arange(size, dtype=np.int32) * 30
        bounds = np.stack([begin, begin + 60], axis=1)
        entries.append(Entry(f"recordings/{number:06d}.bvh", "0:0", "0" * 64, bounds, vectors.astype(np.float16)))
    return Index(Path("/library"), entries, windows=WINDOWS, fingerprint="0" * 16)


def without_overlaps(order: Any, bounds: Any, owners: Any) -> list[tuple[int, int]]:
    """Take the first K windows of a full ranking that do not overlap a better one."""
    kept: list[tuple[int, int]] = []
    spans: list[tuple[int, int, int]] = []
    for row in order:
        owner, (start, end) = int(owners[row]), bounds[row]
        if not any(owner == o and start < b and a < end for o, a, b in spans):
            spans.append((owner, int(start), int(end)))
            kept.append((owner, int(start)))
            if len(kept) == K:
                break
    return kept


def milliseconds(work: Callable[[], Any], repeats: int) -> tuple[float, float]:
    """Time a function; return the first run and the median of the others, ms."""
    taken = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - start))
    return taken[0], float(np.median(taken[1:]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--windows", type=int, default=10_000, help="windows in the index (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=50, help="timed queries; their median counts (default: 50)")
    parser.add_argument("--evaluator", metavar="DIR", help="also time embedding a sentence with this evaluator")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.index"
        made_up(options.windows).save(path)
        size = path.stat().st_size
        start = time.perf_counter()
        index = Index.open(path)
        opened = 1000 * (time.perf_counter() - start)
    query = np.random.default_rng(1).standard_normal(DIM).astype(np.float32)
    query /= np.linalg.norm(query)
    ours = milliseconds(lambda: index.nearest(query, K), options.repeats)
    vectors, bounds, owners = index.arrays()
    tensor = torch.from_numpy(vectors)

    def by_torch() -> list[tuple[int, int]]:
        order = torch.sort(tensor @ torch.from_numpy(query), descending=True).indices
        return without_overlaps(order.tolist(), bounds, owners)

    def by_numpy() -> list[tuple[int, int]]:
        return without_overlaps(np.argsort(-(vectors @ query), kind="stable"), bounds, owners)

    place = {str(index.root / entry.path): i for i, entry in enumerate(index.entries)}
    found = [(place[hit.path], round(hit.start * 20)) for hit in index.nearest(query, K)]
    same = found == by_torch() == by_numpy()
    rows = {
        "Index.nearest": ours,
        "brute force, torch": milliseconds(by_torch, options.repeats),
        "brute force, numpy": milliseconds(by_numpy, options.repeats),
    }
    if options.evaluator:
        from vimonet.retrieval.text_motion_encoder import TextMotionEncoder

        evaluator = TextMotionEncoder.load(options.evaluator)
        rows["embedding a sentence"] = milliseconds(
            lambda: evaluator.texts(["someone waves with the left hand"]), options.repeats
        )
    if options.json:
        table = {name: {"first_ms": first, "median_ms": median} for name, (first, median) in rows.items()}
        print(json.dumps({"windows": len(index), "bytes": size, "open_ms": opened, "same": same, "times": table}))
        return
    print(f"{len(index)} windows of {len(index.entries)} recordings, {size / 1e6:.1f} MB, one core; k = {K}")
    print(f"opening the index    {opened:8.1f} ms")
    for name, (first, median) in rows.items():
        print(f"{name:20} {median:8.2f} ms   (first {first:.1f} ms)")
    print("the same windows as brute force" if same else "NOT the same windows as brute force")
    if not same:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
