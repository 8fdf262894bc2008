"""Load `vimonet serve`: several times what it can do, then mixed requests that must leave it as it was.

    python benchmarks/serve_load.py [--model nano] [--seconds 20] [--times 4] [--requests 1000] [--json]

The server is a second process. First a few clients that wait for each answer measure what it can do, in requests per
second. Then requests come at ``--times`` that rate, whether or not earlier ones are answered: each must get its answer
or 429, and none of the accepted ones may be later than the server's deadline. Questions and recordings vary, and every
answer must be the one that its question got when it was asked alone: an answer about somebody else's recording is
counted as wrong. Last, mixed requests (answers, streams, facts, uploads, mistakes, clients that leave) must leave
memory, threads and descriptors of the server and its readers flat: they are counted after each quarter.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import httpx2 as httpx
import numpy as np

from vimonet.samples import sample_path

DEADLINE = 30.0
SAMPLES = ("walk", "raise_left", "squats", "turn_left", "turn_right", "jumps", "fall", "sit")
QUESTIONS = ("Which arm is raised?", "Which way does the person turn?", "What is the person doing?")


def data_url(sample: str) -> str:
    return "data:;base64," + base64.b64encode(sample_path(sample).read_bytes()).decode()


URLS = {sample: data_url(sample) for sample in SAMPLES}


def chat(model: str, sample: str, question: str, stream: bool = False) -> dict[str, Any]:
    """Write the body of a question about a recording."""
    clip = {"type": "motion_url", "motion_url": {"url": URLS[sample], "name": f"{sample}.bvh"}}
    content = [clip, {"type": "text", "text": question}]
    return {"model": model, "messages": [{"role": "user", "content": content}], "stream": stream}


def counted(pid: int) -> dict[str, float]:
    """Count memory (MiB, resident), threads and descriptors of a process and its children."""
    children = [file.read_text().split() for file in Path(f"/proc/{pid}/task").glob("*/children")]
    tree = [pid, *(int(child) for of_thread in children for child in of_thread)]
    found = {"processes": float(len(tree)), "rss_mib": 0.0, "threads": 0.0}
    for one in tree:
        status = dict(line.split(":", 1) for line in Path(f"/proc/{one}/status").read_text().splitlines())
        found["rss_mib"] += int(status.get("VmRSS", "0 kB").split()[0]) / 1024  # one that is ending has none
        found["threads"] += int(status["Threads"])
    found["server_rss_mib"] = (
        int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
    )
    found["descriptors"] = float(len(os.listdir(f"/proc/{pid}/fd")))
    return {key: round(value, 1) for key, value in found.items()}


class Load:
    """Hold the clients' side: one connection per request, as from as many clients.

    Attributes:
        outcomes: number of requests by outcome: a status, or the kind of failure.
        seconds: of the accepted ones, from first byte to last.
    """

    def __init__(self, address: str, model: str) -> None:
        self.model = model
        # A connection for each request, as from as many clients, but one set of certificates, which takes long to load.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        self.client = httpx.AsyncClient(base_url=address, timeout=DEADLINE + 30, limits=limits)
        self.alone: dict[tuple[str, str], str] = {}
        self.outcomes: Counter[str] = Counter()
        self.seconds: list[float] = []

    async def ask(self, sample: str, question: str) -> str:
        """Ask one question and count its outcome."""
        start = time.perf_counter()
        try:
            reply = await self.client.post("/v1/chat/completions", json=chat(self.model, sample, question))
        except httpx.HTTPError as error:
            self.outcomes[f"lost: {type(error).__name__}"] += 1
            return ""
        if reply.status_code != 200:
            told_to_wait = reply.status_code == 429 and "retry-after" in reply.headers
            self.outcomes["429" if told_to_wait else f"error {reply.status_code}"] += 1
            return ""
        self.seconds.append(time.perf_counter() - start)
        text = str(reply.json()["choices"][0]["message"]["content"])
        same = self.alone.setdefault((sample, question), text) == text
        self.outcomes["answered" if same else "answered wrongly"] += 1
        return text

    async def capacity(self, seconds: float, clients: int = 8) -> float:
        """Measure what the server can do, in answers per second."""
        pairs = [(sample, question) for sample in SAMPLES for question in QUESTIONS]
        for pair in pairs:
            await self.ask(*pair)
        self.outcomes.clear()
        end = time.perf_counter() + seconds

        async def client(number: int) -> None:
            while time.perf_counter() < end:
                number += 1
                await self.ask(*pairs[number % len(pairs)])

        await asyncio.gather(*(client(5 * number) for number in range(clients)))
        return self.outcomes["answered"] / seconds

    async def flood(self, rate: float, seconds: float) -> dict[str, Any]:
        """Send requests at a rate, whatever becomes of them."""
        self.outcomes.clear()
        self.seconds.clear()
        random, begun, tasks = np.random.default_rng(0), time.perf_counter(), []
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, begun + number / rate - time.perf_counter()))
            pair = SAMPLES[random.integers(len(SAMPLES))], QUESTIONS[random.integers(len(QUESTIONS))]
            tasks.append(asyncio.create_task(self.ask(*pair)))
        await asyncio.gather(*tasks)
        taken = np.array(self.seconds or [0.0])
        return {
            "sent": len(tasks),
            **self.outcomes,
            "sent_per_s": len(tasks) / seconds,
            "p50_s": float(np.quantile(taken, 0.5)),
            "p99_s": float(np.quantile(taken, 0.99)),
            "longest_s": float(taken.max()),
        }

    async def mixed(self, number: int) -> None:
        """Send one of the mixed requests."""
        sample = SAMPLES[number % len(SAMPLES)]
        kind = number % 10
        client = self.client
        if kind in (0, 1, 2):
            reply = await client.post("/v1/chat/completions", json=chat(self.model, sample, QUESTIONS[kind]))
        elif kind == 3:
            body = chat(self.model, sample, QUESTIONS[0], True)
            async with client.stream("POST", "/v1/chat/completions", json=body) as reply:
                await reply.aread()
        elif kind == 4:
            reply = await client.post("/v1/motion/facts", json={"motion": {"url": URLS[sample]}})
        elif kind == 5:
            reply = await client.post("/v1/motion/caption", json={"motion": {"url": URLS[sample]}})
        elif kind == 6:
            files = {"file": (f"{sample}.bvh", sample_path(sample).read_bytes())}
            upload = await client.post("/v1/files", data={"purpose": "user_data"}, files=files)
            reply = await client.post("/v1/motion/facts", json={"motion": {"file_id": upload.json()["id"]}})
        elif kind == 7:
            broken = {"motion": {"data": base64.b64encode(bytes(number % 256 for _ in range(5000))).decode()}}
            reply = await client.post("/v1/motion/facts", json=broken)
        elif kind == 8:
            reply = await client.post("/v1/chat/completions", content=b'{"messages": [')
        else:
            reply = None
            with contextlib.suppress(httpx.TimeoutException):  # it leaves
                body = chat(self.model, sample, QUESTIONS[1])
                await client.post("/v1/chat/completions", json=body, timeout=0.05)
        wanted = {7: 400, 8: 400}.get(kind, 200)
        told = (
            "left"
            if reply is None
            else "as expected"
            if reply.status_code == wanted
            else f"{kind}: {reply.status_code}"
        )
        self.outcomes[told] += 1

    async def mixture(self, requests: int, pid: int, clients: int = 4) -> dict[str, Any]:
        """Send mixed requests from a few clients, and count what the server holds after each quarter."""
        self.outcomes.clear()
        counts = []
        for quarter in range(4):
            numbers = iter(range(quarter * requests // 4, (quarter + 1) * requests // 4))

            async def client(numbers: Any = numbers) -> None:
                for number in numbers:
                    await self.mixed(number)

            await asyncio.gather(*(client() for _ in range(clients)))
            await asyncio.sleep(1)
            counts.append(counted(pid))
        return {**self.outcomes, "quarters": counts}


@contextlib.contextmanager
def server(model: str, *limits: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run a server on a free port, and yield it and its address when it answers; end it as a service manager does."""
    command = [sys.executable, "-m", "vimonet", "serve", "-m", model, "--port", "0", *limits]
    with tempfile.TemporaryFile() as log, subprocess.Popen(command, stderr=log) as process:
        try:
            yield process, address_of(process, log)
        finally:
            process.terminate()


def address_of(process: subprocess.Popen[bytes], log: IO[bytes]) -> str:
    """Wait until a server answers; return its address."""
    while process.poll() is None:
        time.sleep(0.2)
        log.seek(0)
        found = re.search(rb"http://127\.0\.0\.1:\d+", log.read())
        with contextlib.suppress(httpx.HTTPError):
            if found and httpx.get(found[0].decode() + "/readyz", timeout=30).status_code == 200:
                return found[0].decode()
    raise SystemExit("the server does not start")


async def run(args: argparse.Namespace, load: Load, pid: int) -> dict[str, Any]:
    report: dict[str, Any] = {"start": counted(pid)}
    report["can_do_per_s"] = await load.capacity(args.seconds / 2)
    print(f"it can do {report['can_do_per_s']:.1f} questions/s", file=sys.stderr, flush=True)
    report["flood"] = await load.flood(args.times * report["can_do_per_s"], args.seconds)
    print(f"flood: {report['flood']}", file=sys.stderr, flush=True)
    report["mixture"] = await load.mixture(args.requests, pid)
    return report


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--model", default="nano")
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--times", type=float, default=4.0)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(argv)
    with server(args.model, f"deadline_seconds={DEADLINE:g}") as (process, address):
        report = asyncio.run(run(args, Load(address, args.model), process.pid))
    if args.json:
        print(json.dumps(report))
        return 0
    flood, mixture = report["flood"], report["mixture"]
    refused = flood.get("429", 0)
    other = flood["sent"] - flood.get("answered", 0) - refused
    print(f"can do {report['can_do_per_s']:.1f} questions/s; {flood['sent']} sent at {flood['sent_per_s']:.1f}/s")
    print(f"answered {flood.get('answered', 0)}, 429 {refused}, lost, wrong or late {other}")
    took = ", ".join(f"{name} {flood[key]:.2f} s" for name, key in (("p50", "p50_s"), ("p99", "p99_s")))
    print(f"accepted: {took}, longest {flood['longest_s']:.2f} s, deadline {DEADLINE:g} s")
    print(f"mixed: { ({key: value for key, value in mixture.items() if key != 'quarters'}) }")
    for number, counts in enumerate([report["start"], *mixture["quarters"]]):
        print(f"after {number * args.requests // 4:>5} requests: {counts}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
