"""A quick start for commands that answer and exit.

Importing transformers drags in torch's compiler (with sympy), its distributed tensors, scipy's optimisers and
accelerate: more than half of the time a cold `vimonet ask` takes, for nothing it uses. `quick_imports` leaves them out.
    It is for processes that only run a
model: training, compiling or distributing one in the same process afterwards is not supported, so the library never
    calls it by itself.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

_ABSENT = (
    "is_accelerate_available",
    "is_scipy_available",
    "is_torch_distributed_available",
    "is_torch_flex_attn_available",
    "is_vision_available",
)
_OURS = ("vimonet.model", "vimonet.inference")
_COMPILER = "torch._dynamo"
_MASKS = "torch._dynamo._trace_wrapped_higher_order_op"


def quick_imports() -> bool:
    """Import what `vimonet.inference.assistant` needs, without what it does not.

    Returns:
        Whether that was possible. It is not when transformers is imported already, or is a version that needs what is
        left out: then nothing has changed, and imports take their usual time.
    """
    if "transformers" in sys.modules or _COMPILER in sys.modules:
        return False
    before = set(sys.modules)
    try:
        with _left_out():
            importlib.import_module("vimonet.inference.assistant")
            # Imported on first use otherwise, when the compiler would be asked for again.
            importlib.import_module("transformers.models.llama.modeling_llama")
    except (ImportError, AttributeError, NameError):
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "transformers" or name.startswith(_OURS):
                del sys.modules[name]
        return False
    return True


@contextlib.contextmanager
def _left_out() -> Iterator[None]:
    """`torch._dynamo` is a stand-in whose decorators change nothing, and transformers believes that some packages are
    absent.

    The decorators only mark functions for a compiler that will not run here. Both are undone at the end.
    """
    import torch

    compiler, masks = types.ModuleType(_COMPILER), types.ModuleType(_MASKS)
    for name in ("allow_in_graph", "assume_constant_result", "disable", "disallow_in_graph"):
        setattr(compiler, name, _unchanged)
    masks.TransformGetItemToIndex = contextlib.nullcontext  # type: ignore[attr-defined]
    sys.modules[_COMPILER], sys.modules[_MASKS] = compiler, masks
    torch._dynamo = compiler  # type: ignore[attr-defined]
    kept: list[tuple[Any, str, Any]] = []
    try:
        import transformers.utils as utils
        from transformers.utils import import_utils

        for module in (utils, import_utils):
            for name in _ABSENT:
                kept.append((module, name, getattr(module, name)))
                setattr(module, name, _absent)
        yield
    finally:
        for module, name, value in kept:
            setattr(module, name, value)
        # Whoever asks for the compiler later gets the real one.
        for name, stand_in in ((_COMPILER, compiler), (_MASKS, masks)):
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
        if torch.__dict__.get("_dynamo") is compiler:
            del torch._dynamo


def _unchanged(fn: Callable[..., Any] | None = None, *args: Any, **kwargs: Any) -> Callable[..., Any]:
    return fn if fn is not None else lambda inner: inner


def _absent(*args: Any, **kwargs: Any) -> bool:
    return False
