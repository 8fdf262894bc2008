"""Measure what the page costs a watch: delay and drops of a camera's frames, with no page, no browser, and eight.

    python -m benchmarks.watch_page [--seconds 15]     # needs the extra serve

Two people walk about at 25 frames/s, with the detectors that `vimonet watch` runs. Browsers are clients in another
process; those that are stuck open the stream and never read. The reference is the watch without a page in the same
run: the ratio is of the median and of the 95th percentile of the delay from a frame's arrival to the end of its
detectors. Then the same frames are looked at as fast as the machine can, with no page and with eight browsers: the
ratio is of the processor time that the process takes for a frame, the page's thread included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import numpy as np

from benchmarks.generated_poses import GeneratedPoses
from benchmarks.watch import counts_of
from vimonet.motion.joint_names import LAYOUTS
from vimonet.watch.detectors import detectors_for
from vimonet.watch.loop import Watch
from vimonet.watch.page_sink import PageSettings, PageSink
from vimonet.watch.readings import PoseReading, SeenPerson

RATE, BROWSERS = 25.0, 8
CLIENT = """
import http.client, sys, time
port, count, reads = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "read"
held = []
for _ in range(count):
    one = http.client.HTTPConnection("127.0.0.1", port)
    one.request("GET", "/v1/watch/live")
    held.append((one, one.getresponse()))
print("ready", flush=True)
import threading
got = [0] * count
def read(k):
    while line := held[k][1].readline():
        got[k] += b'"frame"' in line
if reads:
    threads = [threading.Thread(target=read, args=(k,)) for k in range(count)]
    [one.start() for one in threads]
    [one.join() for one in threads]
else:
    sys.stdin.read()
print(min(got), flush=True)
"""


class Walkers(GeneratedPoses):
    """Give the keypoints of two people who walk about, at a camera's pace or as fast as they are taken."""

    name = "two people"

    def __init__(self, seconds: float, live: bool) -> None:
        super().__init__()
        self.seconds, self.live = seconds, live

    def readings(self) -> Iterator[PoseReading]:
        """Walk two people about."""
        rng, begun = np.random.default_rng(0), time.time()
        body = np.linspace(0, 1, 17)[:, None] * (40, 300) + rng.uniform(0, 60, (17, 2))
        for number in range(int(self.seconds * RATE)):
            at = number / RATE
            if self.live:
                time.sleep(max(0.0, begun + at - time.time()))
            people = []
            for person in range(2):
                points = body + np.array([300 + 500 * person + 100 * np.sin(at), 200]) + rng.normal(0, 1, (17, 2))
                people.append(SeenPerson(np.column_stack([points, np.full(17, 0.9)]), person + 1))
            about = {"names": LAYOUTS["coco17"], "size": (1280, 720)}
            yield PoseReading(begun + at if self.live else at, tuple(people), about)


def run(seconds: float, live: bool, page: bool, browsers: int = 0, reads: bool = True) -> dict[str, Any]:
    """Watch the walkers; say delays, drops, frames/s, and what the browsers were sent."""
    sink = PageSink(PageSettings(port=0, clients=BROWSERS)) if page else None
    watch = Watch(Walkers(seconds, live), [*detectors_for(None), *([sink] if sink else [])])
    clients = None
    if sink:
        port = sink.start(watch).rstrip("/").rsplit(":", 1)[1]
        if browsers:
            command = [sys.executable, "-c", CLIENT, port, str(browsers), "read" if reads else "stuck"]
            clients = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            assert clients.stdout is not None and clients.stdout.readline() == "ready\n"
    begun, work = time.perf_counter(), time.process_time()
    for event in watch.events():
        if sink:
            sink.event(event)
    took, work = time.perf_counter() - begun, time.process_time() - work
    found = counts_of(watch.summary)
    lags = np.array(watch.summary.lags)
    out = {
        "frames_per_s": round(found["looked_at"] / took, 1),
        "dropped": found["dropped"],
        "delay_ms": {
            name: round(1000 * float(np.quantile(lags, q)), 2)
            for name, q in (("median", 0.5), ("p95", 0.95), ("most", 1))
        },
        "processor_ms_per_frame": round(1000 * work / found["looked_at"], 2),
    }
    if sink:
        sink.close()
    if clients is not None:
        said = clients.communicate()[0]
        out["frames_sent_per_s"] = round(int(said) / took, 1) if reads else None
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="length of each run (default: 15)")
    args = parser.parse_args()
    runs = {
        "no page": run(args.seconds, True, False),
        "page, no browser": run(args.seconds, True, True),
        f"page, {BROWSERS} browsers": run(args.seconds, True, True, BROWSERS),
        f"page, {BROWSERS} browsers that are stuck": run(args.seconds, True, True, BROWSERS, reads=False),
        "as fast as it can, no page": run(20 * args.seconds, False, False),
        f"as fast as it can, {BROWSERS} browsers": run(20 * args.seconds, False, True, BROWSERS),
    }
    print(f"load {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    for name, found in runs.items():
        print(f"{name}: {json.dumps(found)}")
    for what, of, to in (
        ("median delay", lambda found: found["delay_ms"]["median"], ("no page", f"page, {BROWSERS} browsers")),
        ("95th percentile", lambda found: found["delay_ms"]["p95"], ("no page", f"page, {BROWSERS} browsers")),
        ("processor time a frame", lambda found: found["processor_ms_per_frame"], tuple(runs)[-2:]),
    ):
        print(f"{what}, {to[1]} over {to[0]}: {of(runs[to[1]]) / of(runs[to[0]]):.2f}")


if __name__ == "__main__":
    main()
