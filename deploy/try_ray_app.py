"""Try `deploy/ray_app.py` on this machine: two replicas answer under load, and one of them is killed.

    python deploy/try_ray_app.py [--seconds 40] [--clients 4]

Clients ask as the openai client does: after a reply of 429 or 5xx, or a lost connection, they ask again, at most twice.
After a third of the time one replica is killed with SIGKILL. Printed are replies by status, what a client got in the
end, and how long it took until two replicas ran again.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import os
import signal
import socket
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

RETRIES = 2


def body() -> dict[str, Any]:
    """Write a question about a recording."""
    from vimonet.samples import sample_path

    clip = {"data": base64.b64encode(sample_path("raise_left").read_bytes()).decode(), "name": "raise_left.bvh"}
    content = [{"type": "input_motion", "input_motion": clip}, {"type": "text", "text": "Which arm is raised?"}]
    return {"model": "nano", "messages": [{"role": "user", "content": content}]}


def replicas() -> dict[str, int]:
    """List the running replicas: id and process."""
    from ray.serve.context import _get_global_client
    from ray.serve.schema import ServeInstanceDetails

    details = ServeInstanceDetails(**_get_global_client().get_serve_details())
    found = details.applications["vimonet"].deployments["vimonet"].replicas
    return {one.replica_id: one.pid for one in found if one.state.value == "RUNNING" and one.pid}


async def load(address: str, seconds: float, clients: int, kill: Any) -> tuple[Counter[str], Counter[str]]:
    """Ask from several clients, and call `kill` after a third of the time."""
    import httpx2 as httpx

    replies: Counter[str] = Counter()
    results: Counter[str] = Counter()
    asked, end = body(), time.monotonic() + seconds

    async def client() -> None:
        async with httpx.AsyncClient(base_url=address, timeout=60) as http:
            while time.monotonic() < end:
                for _ in range(RETRIES + 1):
                    try:
                        reply = await http.post("/v1/chat/completions", json=asked)
                        told = str(reply.status_code)
                    except httpx.HTTPError as error:
                        told = type(error).__name__
                    replies[told] += 1
                    if told == "200":
                        right = "left" in reply.json()["choices"][0]["message"]["content"]
                        results["answered" if right else "wrong"] += 1
                        break
                    await asyncio.sleep(0.5)
                else:
                    results[f"failed: {told}"] += 1

    async def killer() -> None:
        await asyncio.sleep(seconds / 3)
        await asyncio.to_thread(kill)

    await asyncio.gather(killer(), *(client() for _ in range(clients)))
    return replies, results


def main() -> int:
    """Run the trial; 1 if a client was left without its answer."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--patience", type=float, default=120.0, help="seconds to wait for a new replica")
    args = parser.parse_args()
    os.environ.setdefault("VIMONET_MODEL", "nano")
    os.environ.setdefault("VIMONET_CPUS", "0.5")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    import ray
    from ray import serve

    root = str(Path(__file__).parents[1])
    environment = {"env_vars": {"PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}}
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, runtime_env=environment)
    serve.start(http_options={"host": "127.0.0.1", "port": port})
    from deploy.ray_app import app

    begun = time.monotonic()
    serve.run(app, name="vimonet")
    print(f"{len(replicas())} replicas run after {time.monotonic() - begun:.1f} s", flush=True)

    def kill() -> None:
        name, pid = next(iter(replicas().items()))
        os.kill(pid, signal.SIGKILL)
        killed = time.monotonic()
        while name in (running := replicas()) or len(running) < 2:
            time.sleep(0.2)
            if time.monotonic() - killed > args.patience:
                print(f"one killed; after {args.patience:g} s these run: {len(running)}", flush=True)
                return
        print(f"one killed; two run again after {time.monotonic() - killed:.1f} s", flush=True)

    replies, results = asyncio.run(load(f"http://127.0.0.1:{port}", args.seconds, args.clients, kill))
    print(f"replies: {dict(replies)}\nresults of clients that ask again: {dict(results)}")
    serve.shutdown()
    ray.shutdown()
    return int(set(results) != {"answered"})


if __name__ == "__main__":
    sys.exit(main())
