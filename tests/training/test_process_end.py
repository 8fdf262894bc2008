"""How a process ends whose training was distributed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import atexit, sys, threading, time
import torch.distributed as dist
import vimonet.training
from vimonet.cli import main

class Held:
    def __del__(self): print("torn down")

held = Held()
atexit.register(print, "exit function")
threading.Thread(target=time.sleep, args=(60,)).start()  # Python would wait for it, as it may for one of C++
rendezvous = f"file://{sys.argv.pop(1)}/group"
vimonet.training.main = lambda *_: dist.init_process_group("gloo", init_method=rendezvous, rank=0, world_size=1)
print("started", end=" ")
sys.exit(main())
"""


def test_a_process_of_a_group_ends_without_tearing_python_down(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path), "train", "instruct", "--config", "any.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "started exit function\n", "")
