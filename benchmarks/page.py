"""Measure the page in a Chromium: first paint of a 10 s clip, and frames per second of a minute of skeleton.

    python benchmarks/page.py [--repeats 5]

Reference of the same run: an empty page, whose first paint is what the browser itself takes, and whose frames per
second are what it draws at best. Chromium runs without a GPU, so what a reader sees is faster.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from vimonet.motion import Motion
from vimonet.motion.io.loading import load
from vimonet.page.document import write_document
from vimonet.page.html import write_page

EMPTY = "<!doctype html><title>empty</title><p>empty</p>"
PAINT = "name => performance.getEntriesByName(name)[0]?.startTime ?? null"
FIRST = "first-contentful-paint"
FRAMES = """seconds => new Promise(done => {
  const times = [];
  const step = now => {
    times.push(now);
    if (now - times[0] < 1000 * seconds) requestAnimationFrame(step);
    else done(times);
  };
  requestAnimationFrame(step);
})"""


def time_to(name: str, browser: Any, file: Path, repeats: int) -> float:
    """Return the median time from navigation to an entry of the browser's own clock, ms."""
    times = []
    for _ in range(repeats):
        page = browser.new_page(viewport={"width": 1280, "height": 800})
        page.goto(file.as_uri())
        while (paint := page.evaluate(PAINT, name)) is None:
            page.wait_for_timeout(50)
        times.append(paint)
        page.close()
    return statistics.median(times)


def frame_rate(browser: Any, file: Path, seconds: float, *, play: bool) -> tuple[float, float, float]:
    """Measure a page while it plays.

    Returns:
        frames per second, the 95th percentile of the time between two, ms, and the CPU time of the main thread per
        frame, ms, which does not depend on what else the machine does.
    """
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    page.goto(file.as_uri())
    page.wait_for_timeout(500)
    if play:
        page.keyboard.press("Home")
        page.keyboard.press("k")
    tools = page.context.new_cdp_session(page)
    tools.send("Performance.enable", {"timeDomain": "threadTicks"})

    def busy() -> float:
        return next(
            one["value"] for one in tools.send("Performance.getMetrics")["metrics"] if one["name"] == "TaskDuration"
        )

    start = busy()
    times = np.array(page.evaluate(FRAMES, seconds))
    used = busy() - start
    page.close()
    gaps = np.diff(times)
    rate = 1000 * len(gaps) / float(times[-1] - times[0])
    return rate, float(np.percentile(gaps, 95)), 1000 * used / len(gaps)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60.0, help="of playing")
    parser.add_argument("--chromium", default=os.environ.get("VIMONET_CHROMIUM") or shutil.which("chromium"))
    args = parser.parse_args()
    walk = load("sample:walk_turn_wave")
    ten = walk.window(0, 200)
    # There and back again and again, so that the minute has no jump.
    there_and_back = np.concatenate([walk.joints, walk.joints[::-1]])
    minute = Motion(np.tile(there_and_back, (3, 1, 1))[:1200], name="minute")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        files = {"empty": Path(folder, "empty.html")}
        files["empty"].write_text(EMPTY)
        for name, motion in (("10 s clip", ten), ("60 s clip", minute)):
            files[name] = write_page(Path(folder, f"{name[:2]}.html"), [write_document(motion)], name)
        browser = playwright.chromium.launch(executable_path=args.chromium, args=["--no-sandbox"])
        print(f"Chromium {browser.version}, load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        time_to(FIRST, browser, files["empty"], 1)
        base = time_to(FIRST, browser, files["empty"], args.repeats)
        for name in ("10 s clip", "60 s clip"):
            paint, done = (time_to(entry, browser, files[name], args.repeats) for entry in (FIRST, "drawn"))
            size = files[name].stat().st_size / 1e6
            print(
                f"{name} ({size:.2f} MB): first paint {paint:.0f} ms, skeleton drawn {done:.0f} ms; empty {base:.0f} ms"
            )
        best, _, idle = frame_rate(browser, files["empty"], min(5.0, args.seconds), play=False)
        rate, gap, used = frame_rate(browser, files["60 s clip"], args.seconds, play=True)
        print(
            f"60 s of skeleton, {args.seconds:.0f} s played: {rate:.1f} frames/s, 95 % of frames within {gap:.0f} ms, "
            f"main thread {used:.1f} ms a frame; empty page {best:.1f} frames/s, {idle:.1f} ms; ratio {rate / best:.2f}"
        )
        browser.close()


if __name__ == "__main__":
    main()
