"""Kill long jobs at random moments by SIGKILL, begin them again, and print whether anything was lost or doubled.

    python tests/fuzz/kill_campaign.py --count 100 --seed 0 [--job "train align"] ...

Every job runs once undisturbed, then in rounds of kills until it is done; what it leaves must be equal to the byte.
Exit code 1 if anything differs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from long_jobs import Job, import_all, jobs, prepare

LONGEST = 600.0
"""Seconds after which a job counts as hanging."""
KILLS_A_ROUND = 3


class Attempt:
    """One process that does a job until it is done or killed."""

    def __init__(self, name: str, job: Job, parts: Path, folder: Path) -> None:
        self.log = folder.with_name(folder.name + ".log")
        self.ended: int | None = None
        if job.fresh:
            script = Path(__file__).with_name("long_jobs.py")
            with self.log.open("ab") as stream:
                self.process: subprocess.Popen[bytes] | None = subprocess.Popen(
                    [sys.executable, str(script), name, str(parts), str(folder)],
                    stdout=stream,
                    stderr=stream,
                    env={**os.environ, "OMP_NUM_THREADS": "1"},
                )
            self.pid = self.process.pid
            return
        self.process = None
        sys.stdout.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            with contextlib.suppress(BaseException):
                with self.log.open("ab") as stream:
                    os.dup2(stream.fileno(), 1)
                    os.dup2(stream.fileno(), 2)
                try:
                    job.run(folder)
                    code = 0
                except BaseException:
                    import traceback

                    traceback.print_exc()
                    sys.stderr.flush()
            os._exit(code)

    def wait(self, seconds: float) -> int | None:
        """Return the exit code, or None if it is still at work after so many seconds."""
        end = time.monotonic() + seconds
        while self.ended is None:
            if self.process is not None:
                code = self.process.poll()
            else:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                code = None if pid == 0 else os.waitstatus_to_exitcode(status)
            self.ended = code
            if time.monotonic() > end:
                break
            time.sleep(0.005 if code is None else 0)
        return self.ended

    def kill(self) -> None:
        """Kill the process alone; what it started must not get in the way of the next."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.wait(60)


def undisturbed(name: str, job: Job, parts: Path, work: Path) -> tuple[dict[str, str], float, float]:
    """Run a job once; return what it leaves, its seconds, and those of its work after it has begun."""
    folder = work / "whole"
    folder.mkdir(parents=True)
    began = time.monotonic()
    attempt = Attempt(name, job, parts, folder)
    start = _until_begun(attempt, job, folder)
    if (code := attempt.wait(LONGEST)) != 0:
        if code is None:
            attempt.kill()
        raise SystemExit(f"{name}: undisturbed it ended with {code}:\n{attempt.log.read_text()[-3000:]}")
    return job.outcome(folder), time.monotonic() - began, time.monotonic() - start


def _until_begun(attempt: Attempt, job: Job, folder: Path) -> float:
    """Wait until the work of an attempt has begun, or the attempt has ended; return when that was."""
    end = time.monotonic() + LONGEST
    while attempt.wait(0.0) is None and not job.begun(folder) and time.monotonic() < end:
        time.sleep(0.02)
    return time.monotonic()


def disturbed(
    name: str, job: Job, parts: Path, folder: Path, most: int, spans: tuple[float, float], rng: random.Random
) -> tuple[int, int, str]:
    """Kill a job up to `most` times and let it finish; return kills, kills inside its work, and what went wrong.

    `spans` are the seconds of an undisturbed run, and of its work alone. A job of its own process, which takes long to
    start, is killed once its work has begun, or is begun anew by the first kill.
    """
    folder.mkdir(parents=True)
    kills = inside = 0
    while True:
        before = job.begun(folder)
        attempt = Attempt(name, job, parts, folder)
        if job.fresh and kills < most and not before:
            _until_begun(attempt, job, folder)
            code = attempt.wait(rng.uniform(0.0, 0.7) * spans[1])
        else:
            code = attempt.wait(rng.uniform(0.2, 0.9) * spans[0] if kills < most else LONGEST)
        if code is None and kills >= most:
            attempt.kill()
            return kills, inside, f"hangs for more than {LONGEST:g} s"
        if code is None:
            kills, inside = kills + 1, inside + job.begun(folder)
            attempt.kill()
            continue
        if code != 0:
            return kills, inside, f"ended with {code}: {attempt.log.read_text()[-600:]}"
        return kills, inside, ""


def campaign(count: int, seed: int, names: list[str], work: Path) -> int:
    """Kill jobs in turn; print a line per job and the sum; return the number of rounds that went wrong."""
    parts = work / "parts"
    parts.mkdir(parents=True)
    import_all()
    # In a fork, as the jobs: threads of a training that ran here would be lost in them.
    making = Job(lambda folder: prepare(folder, training=any(n.startswith("train") for n in names)), dict, bool)
    attempt = Attempt("prepare", making, parts, parts)
    if attempt.wait(LONGEST) != 0:
        raise SystemExit(attempt.log.read_text()[-3000:])
    chosen = {name: job for name, job in jobs(parts).items() if name in names}
    kills, inside, rounds, faults = Counter[str](), Counter[str](), Counter[str](), 0
    began = time.monotonic()
    whole: dict[str, tuple[dict[str, str], float, float]] = {}
    while sum(kills.values()) < count:
        name = min(chosen, key=lambda one: (kills[one], rounds[one]))
        job, place = chosen[name], work / name.replace(" ", "-").replace(",", "")
        if name not in whole:
            whole[name] = undisturbed(name, job, parts, place)
        expected, *spans = whole[name]
        rounds[name] += 1
        most = min(KILLS_A_ROUND, count - sum(kills.values()))
        folder = place / f"round-{rounds[name]}"
        rng = random.Random(f"{seed}/{name}/{rounds[name]}")
        done, within, wrong = disturbed(name, job, parts, folder, most, (spans[0], spans[1]), rng)
        kills[name], inside[name] = kills[name] + done, inside[name] + within
        if not wrong:
            try:
                found = job.outcome(folder)
                differing = sorted(key for key in expected | found if expected.get(key) != found.get(key))
                wrong = f"differs: {', '.join(differing)}" if differing else ""
            except (AssertionError, OSError, ValueError) as error:
                wrong = str(error)
        if wrong:
            faults += 1
            print(f"{name}, round {rounds[name]} after {done} kills: {wrong}", flush=True)
    for name in chosen:
        if rounds[name]:
            print(f"{name}: {kills[name]} kills, {inside[name]} inside its work, {rounds[name]} rounds")
    total, within = sum(kills.values()), sum(inside.values())
    print(
        f"{total} kills of {len(whole)} jobs ({within} inside their work), seed {seed}, "
        f"{time.monotonic() - began:.0f} s: {faults} of {sum(rounds.values())} rounds went wrong"
    )
    return faults


def main() -> int:
    """Run the campaign."""
    every = list(jobs(Path()))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=100, help="kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--job", action="append", choices=every, help="one job only; repeatable")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kills-") as work:
        return 1 if campaign(args.count, args.seed, args.job or every, Path(work)) else 0


if __name__ == "__main__":
    sys.exit(main())
