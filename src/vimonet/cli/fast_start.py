"""Start short commands faster: leave out imports that running a model never uses.

Importing transformers also imports torch's compiler (with sympy), its distributed tensors, scipy's optimisers and
accelerate; ``from_pretrained`` imports sympy again through the meta device. Together they take half of a cold
``vimonet ask``. A process that starts like this can only run a model, not train, compile or distribute one, so the
library never does it by itself.
"""

from __future__ import annotations

import contextlib
import gc
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
_LANGUAGE_MODEL = "vimonet.language_model."
_MASKS = "torch._dynamo._trace_wrapped_higher_order_op"


def quick_imports() -> bool:
    """Import `vimonet.inference.assistant` without unused parts, and load models by `load_directly`.

    Returns:
        False when transformers is imported already, or when its version needs a part that is left out. Nothing has
        changed then, and imports take their usual time.
    """
    if "transformers" in sys.modules or _COMPILER in sys.modules:
        return False
    before, collecting = set(sys.modules), gc.isenabled()
    gc.disable()  # the objects of modules live on: looking through them again and again is a sixth of the time
    try:
        with _left_out():
            importlib.import_module("vimonet.inference.assistant")
            # A later import, on first use, would ask for the compiler again.
            importlib.import_module("transformers.models.llama.modeling_llama")
            importlib.import_module("transformers.models.bert.modeling_bert")  # mini's sentence encoder
    except (ImportError, AttributeError, NameError):
        for name in set(sys.modules) - before:
            if name.split(".")[0] == "transformers" or name.startswith(_OURS):
                del sys.modules[name]
        return False
    finally:
        if collecting:
            gc.freeze()
            gc.enable()
    from vimonet.model import hub

    hub.load_model = load_directly
    return True


def load_directly(folder: Path) -> ViMoNetForConditionalGeneration:
    """Load one file of weights as `vimonet.model.hub.load_model` does, without the meta device, and hold them once.

    Weights become float32, those of the language model at once what `vimonet.model.hub.language_dtype` names.

    Use ``from_pretrained`` for weights in several files, for models of other types, and for tensors under other names
    than the modules'.
    """
    import torch
    from safetensors.torch import load_file
    from transformers.generation import GenerationConfig
    from transformers.initialization import no_init_weights

    from vimonet.model import ViMoNetConfig, ViMoNetForConditionalGeneration, hub

    path = folder / hub.WEIGHTS_FILE
    state = load_file(path) if path.is_file() else {}
    config = ViMoNetConfig.from_pretrained(folder)
    held = (torch.float32, torch.float16, *([torch.bfloat16] if config.dtype == torch.float32 else []))
    counts = {name for name, value in state.items() if not value.is_floating_point()}  # of batch norms
    if not state or any(state[name].dtype not in held for name in state.keys() - counts):
        return hub.load_by_transformers(folder)
    with no_init_weights():
        model = ViMoNetForConditionalGeneration(config)
    wanted = {name: value.shape for name, value in model.state_dict().items()}
    found = {name: value.shape for name, value in state.items()}
    lacking = wanted.keys() - found.keys() - set(model.all_tied_weights_keys)
    if lacking or any(wanted.get(name) != shape for name, shape in found.items()):
        return hub.load_by_transformers(folder)
    kept = hub.language_dtype(config) or torch.float32
    for name in found.keys() - counts:  # one by one: what keeps its dtype stays in the mapped file
        state[name] = state[name].to(kept if name.startswith(_LANGUAGE_MODEL) else torch.float32)
    model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    if (folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder)
    return model


@contextlib.contextmanager
def _left_out() -> Iterator[None]:
    """Replace `torch._dynamo` by a stub and report some packages as absent to transformers; undo both at the end.

    The stub's decorators return functions unchanged, because they only mark them for a compiler that never runs here.
    """
    import torch

    compiler, masks = types.ModuleType(_COMPILER), types.ModuleType(_MASKS)
    for name in ("allow_in_graph", "assume_constant_result", "disable", "disallow_in_graph"):
        setattr(compiler, name, _unchanged)
    masks.TransformGetItemToIndex = contextlib.nullcontext  # type: ignore[attr-defined]
    sys.modules[_COMPILER], sys.modules[_MASKS] = compiler, masks
    torch._dynamo = compiler
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
        # A later import of the compiler gets the real one.
        for name, stub in ((_COMPILER, compiler), (_MASKS, masks)):
            if sys.modules.get(name) is stub:
                del sys.modules[name]
        if torch.__dict__.get("_dynamo") is compiler:
            del torch._dynamo


def _unchanged(fn: Callable[..., Any] | None = None, *args: Any, **kwargs: Any) -> Callable[..., Any]:
    return fn if fn is not None else lambda inner: inner


def _absent(*args: Any, **kwargs: Any) -> bool:
    return False
