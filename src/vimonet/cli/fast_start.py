"""Start the commands that answer and exit in less time: leave out imports that running a model never uses.

Importing transformers drags in torch's compiler (with sympy), its distributed tensors, scipy's optimisers and
accelerate; loading by ``from_pretrained`` brings sympy back by way of the meta device. Together they are half of a cold
``vimonet ask``. A process that starts so only runs a model: training, compiling or distributing one in it afterwards is
not supported, so the library never does it by itself.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vimonet.model import ViMoNetForConditionalGeneration

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
    """Import `vimonet.inference.assistant` without the parts that it never uses, and load models by `load_directly`.

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
    from vimonet.model import hub

    hub.load_model = load_directly
    return True


def load_directly(folder: Path) -> ViMoNetForConditionalGeneration:
    """Load one file of float32 or float16 weights as `vimonet.model.hub.load_model` does, without the meta device.

    Weights that are split, of another type, or not named as the modules are go by ``from_pretrained``.
    """
    import torch
    from safetensors.torch import load_file
    from transformers.generation import GenerationConfig
    from transformers.initialization import no_init_weights

    from vimonet.model import ViMoNetConfig, ViMoNetForConditionalGeneration, hub

    path = folder / hub.WEIGHTS_FILE
    state = load_file(path) if path.is_file() else {}
    if not state or any(value.dtype not in (torch.float32, torch.float16) for value in state.values()):
        return hub.load_by_transformers(folder)
    with no_init_weights():
        model = ViMoNetForConditionalGeneration(ViMoNetConfig.from_pretrained(folder))
    wanted = {name: value.shape for name, value in model.state_dict().items()}
    found = {name: value.shape for name, value in state.items()}
    lacking = wanted.keys() - found.keys() - set(model.all_tied_weights_keys)
    if lacking or any(wanted.get(name) != shape for name, shape in found.items()):
        return hub.load_by_transformers(folder)
    model.load_state_dict({name: value.float() for name, value in state.items()}, strict=False)
    model.tie_weights()
    if (folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder)
    return model


@contextlib.contextmanager
def _left_out() -> Iterator[None]:
    """Put a stand-in for `torch._dynamo` in its place and tell transformers that some packages are absent.

    The stand-in's decorators change nothing: they only mark functions for a compiler that will not run here. Both are
    undone at the end.
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
