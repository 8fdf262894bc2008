"""`vimonet ...` under accelerate's FSDP without a GPU: processes talk through gloo.

PyTorch shards on a CPU as on GPUs; accelerate (1.15) heeds its FSDP settings on accelerators only, and would fall
back to DDP without a word.
"""

from __future__ import annotations

import sys
from typing import Any

import torch.distributed as dist
from accelerate.state import AcceleratorState, DistributedType, PartialState

from vimonet.cli import main
from vimonet.cli.train import end_process

_init = AcceleratorState.__init__


def init(self: AcceleratorState, *args: Any, fsdp_plugin: Any = None, **options: Any) -> None:
    _init(self, *args, fsdp_plugin=fsdp_plugin, **options)
    if self.distributed_type == DistributedType.MULTI_CPU and fsdp_plugin is not None:
        self.fsdp_plugin = fsdp_plugin
        self.distributed_type = PartialState._shared_state["distributed_type"] = DistributedType.FSDP


if __name__ == "__main__":
    AcceleratorState.__init__ = init  # type: ignore[method-assign]
    status = main(sys.argv[1:])
    print(f"sharded by FSDP2: {AcceleratorState().is_fsdp2}, group left: {not dist.is_initialized()}")
    end_process(status)
