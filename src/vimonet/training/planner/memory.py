"""Count the bytes and FLOPs of one training step by running it on fake tensors, which have a shape and no data.

The step is the trainer's (autocast, the head on scored positions, cross-entropy, backward pass, recomputation) with the
real model. A ledger records every allocation until it is freed, so the activations of any transformers language model
are counted without a formula of its architecture.

On a CPU the trainer uses ``eager`` attention, which keeps scores [B, heads, L, L], some of them twice. On a GPU it uses
``sdpa``: with a mask, PyTorch's fused kernels keep inputs, output and one number per row, and expand the mask to a bias
[B, 1, L, L] in every layer. The CPU's kernels stand in for the GPU's here.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from vimonet.model import get_parts

_FLOPS = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: (
        lambda query, key, value, *_, **__: sdpa_flop_count(query, key, value)
    ),
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: (
        lambda grad, query, key, value, *_, **__: sdpa_backward_flop_count(grad, query, key, value)
    ),
}
"""FLOP counts of kernels that PyTorch's counter does not know."""

WEIGHTS, COPIES, GRADIENTS = "weights", "16-bit copies of weights", "gradients"
OPTIMISER, BUCKETS, GATHERED = "optimiser state", "gradient buckets", "gathered layers"
INPUTS, TOWERS, LANGUAGE, HEAD = "inputs and masks", "towers and projectors", "language model", "logits and loss"
BACKWARD = "backward pass"


@dataclass(frozen=True)
class Batch:
    """Shape of one micro-batch on one device.

    Attributes:
        rows, tokens: shape of the padded text.
        scored: positions whose logits are computed.
        motion, keypoint, video: number of clips and frames per clip.
    """

    rows: int
    tokens: int
    scored: int
    motion: tuple[int, int] = (0, 0)
    keypoint: tuple[int, int] = (0, 0)
    video: tuple[int, int] = (0, 0)

    @classmethod
    def of(cls, batch: Mapping[str, Tensor]) -> Batch:
        """Read the shape of a batch of `vimonet.training.data.collator.Collator`."""
        rows, tokens = batch["input_ids"].shape
        clips = {
            name: (int(values.shape[0]), int(values.shape[1]))
            for name in ("motion", "keypoint", "video")
            if (values := batch.get(f"{name}_values")) is not None
        }
        return cls(rows, tokens, int((batch["labels"][:, 1:] >= 0).sum()), **clips)


@dataclass(frozen=True)
class Step:
    """Settings of a training step.

    Attributes:
        attention: ``eager``, ``sdpa`` or ``flash``.
        bf16: whether autocast is on.
        accumulating: whether gradients of earlier micro-batches exist.
        shares: share of `WEIGHTS`, `GRADIENTS` and `OPTIMISER` on one device; 1 where absent.
        checkpointing: whether blocks are recomputed in the backward pass.
        buckets: whether gradients are copied into buckets for exchange (DistributedDataParallel).
    """

    attention: str
    bf16: bool
    accumulating: bool = False
    shares: Mapping[str, float] | None = None
    checkpointing: bool = False
    buckets: bool = False


@dataclass(frozen=True)
class Cost:
    """Cost of a micro-batch on one device.

    Attributes:
        peak: peak memory in bytes.
        parts: bytes by category at the peak, largest first.
        flops: operations of matrix products, convolutions and attention, forward, backward and recomputed.
        parameters, trainable: number of all parameters and of trained ones.
    """

    peak: int
    parts: dict[str, int]
    flops: int
    parameters: int
    trainable: int


class Ledger(TorchDispatchMode):
    """Track live bytes by category and their peak, for operations that run inside it."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        super().__init__()
        self.shares = shares
        self.label = LANGUAGE
        self.now: Counter[str] = Counter()
        self.peak, self.at_peak = 0.0, Counter[str]()
        self._live: dict[int, tuple[str, Any]] = {}

    def total(self) -> float:
        """Sum the live bytes on one device."""
        return sum(size * self.shares.get(name, 1.0) for name, size in self.now.items())

    @contextmanager
    def under(self, label: str) -> Iterator[None]:
        """Record tensors allocated in the context under `label`."""
        before, self.label = self.label, label
        try:
            yield
        finally:
            self.label = before

    def enter(self, tensor: Tensor, label: str) -> None:
        """Record a tensor's storage under `label`, or move it there."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self._live:
            self.now[self._live[key][0]] -= size

        def gone(_: Any) -> None:
            self.now[self._live.pop(key)[0]] -= size

        self._live[key] = (label, weakref.ref(storage, gone))
        self.now[label] += size
        if (total := self.total()) > self.peak:
            self.peak, self.at_peak = total, self.now.copy()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and record the tensors that it returns."""
        result = func(*args, **(kwargs or {}))
        label = self.label
        if func is torch.ops.aten._to_copy.default:
            source = self._live.get(args[0].untyped_storage()._cdata)
            label = COPIES if source is not None and source[0] == WEIGHTS else label
        for value in tree_leaves(result):
            if isinstance(value, Tensor) and value.untyped_storage()._cdata not in self._live:
                self.enter(value, label)
        return result


def cost_of(model: nn.Module, batch: Batch, step: Step) -> Cost:
    """Compute the cost of one micro-batch of training.

    Args:
        model: a ViMoNet or a causal language model on the meta device, prepared for training; modified in place.
        batch: shape of the micro-batch.
        step: settings of the step.
    """
    shares = dict(step.shares or {})
    if shares.get(WEIGHTS, 1.0) < 1:
        # Only gathered layers have 16-bit copies, and those are counted under `GATHERED`.
        shares[COPIES] = 0.0
    ledger, flops = Ledger(shares), FlopCounterMode(display=False, custom_mapping=_FLOPS)
    fake = FakeTensorMode()
    with ExitStack() as stack:
        stack.enter_context(fake)
        _without_data(model)
        parameters = list(model.parameters())
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        stack.enter_context(flops)
        stack.enter_context(ledger)
        for tensor in (*parameters, *model.buffers()):
            ledger.enter(tensor, WEIGHTS)
        persistent = [*_optimiser(ledger, trained), *_gathered(ledger, model, step)]
        if step.buckets:
            persistent += _like(ledger, BUCKETS, trained)
        if step.accumulating:
            for parameter in trained:
                parameter.grad = torch.empty_like(parameter)
                ledger.enter(parameter.grad, GRADIENTS)
        for parameter in trained:
            parameter.register_post_accumulate_grad_hook(lambda p: ledger.enter(p.grad, GRADIENTS))
        with torch.autocast("cpu", torch.bfloat16, enabled=step.bf16):
            loss = _loss(model, batch, step, ledger)
        with ledger.under(BACKWARD):
            loss.backward()
        del persistent, loss
    parts = {name: round(size * shares.get(name, 1.0)) for name, size in ledger.at_peak.most_common()}
    return Cost(
        peak=round(ledger.peak),
        parts={name: size for name, size in parts.items() if size},
        flops=int(flops.get_total_flops()),
        parameters=sum(parameter.numel() for parameter in parameters),
        trainable=sum(parameter.numel() for parameter in trained),
    )


def _without_data(model: nn.Module) -> None:
    """Replace meta tensors by fake CPU tensors, so that the CPU's autocast and kernels apply; tied ones stay tied."""
    made: dict[int, Tensor] = {}

    def replacement(tensor: Tensor) -> Tensor:
        if id(tensor) not in made:
            fresh = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="cpu")
            is_parameter = isinstance(tensor, nn.Parameter)
            made[id(tensor)] = nn.Parameter(fresh, tensor.requires_grad) if is_parameter else fresh
        return made[id(tensor)]

    for module in model.modules():
        for table in (module._parameters, module._buffers):
            for name, tensor in table.items():
                if tensor is not None:
                    table[name] = replacement(tensor)  # type: ignore[assignment]


def _like(ledger: Ledger, label: str, tensors: list[nn.Parameter]) -> list[Tensor]:
    with ledger.under(label):
        return [torch.empty_like(tensor, requires_grad=False) for tensor in tensors]


def _optimiser(ledger: Ledger, trained: list[nn.Parameter]) -> list[Tensor]:
    """Allocate AdamW's two moments; the fused step needs no other memory."""
    return _like(ledger, OPTIMISER, trained) + _like(ledger, OPTIMISER, trained)


def _gathered(ledger: Ledger, model: nn.Module, step: Step) -> list[Tensor]:
    """Allocate the sharded weights that are gathered at one time: two layers, and all weights outside layers."""
    if (step.shares or {}).get(WEIGHTS, 1.0) == 1.0:
        return []
    names = {name for module in model.modules() for name in getattr(module, "_no_split_modules", None) or ()}
    layers = [module for module in model.modules() if type(module).__name__ in names]
    inside = {id(p) for layer in layers for p in layer.parameters()}
    sizes = sorted((sum(p.numel() for p in layer.parameters()) for layer in layers), reverse=True)
    whole = sum(p.numel() for p in model.parameters() if id(p) not in inside) + sum(sizes[:2])
    with ledger.under(GATHERED):
        return [torch.empty(whole, dtype=torch.bfloat16 if step.bf16 else torch.float32)]


def _loss(model: nn.Module, batch: Batch, step: Step, ledger: Ledger) -> Tensor:
    """Compute the trainer's loss; positions of scores and clips depend on the batch's shape alone."""
    parts = (
        get_parts(model) if hasattr(model, "vimonet") or hasattr(model, "peft_config") else {"language_model": model}
    )
    language: Any = parts["language_model"]
    # FlashAttention keeps the same tensors as the other fused kernels, without the bias.
    language.set_attn_implementation("eager" if step.attention == "eager" else "sdpa")
    with ledger.under(INPUTS):
        ids = torch.empty(batch.rows, batch.tokens, dtype=torch.long)
        positions = torch.empty_like(ids)
        allowed = torch.empty(batch.rows, 1, batch.tokens, batch.tokens, dtype=torch.bool)
        mask: Tensor | None = None if step.attention == "flash" else allowed
        if step.attention == "eager":
            mask = torch.zeros(allowed.shape).masked_fill_(~allowed, torch.finfo(torch.float32).min)
        del allowed
        scored = torch.empty(batch.scored, dtype=torch.long)
        targets = torch.empty(batch.scored, dtype=torch.long)
    with ledger.under(TOWERS):
        embeddings = language.get_input_embeddings()(ids)
        for name in ("motion", "keypoint", "video"):
            count, frames = getattr(batch, name)
            if count:
                features = _clip_features(parts, name, count, frames, ledger)
                where = torch.empty(ids.shape, dtype=torch.bool)[..., None]
                embeddings = embeddings.masked_scatter(where, features.to(embeddings.dtype))
    # Reentrant checkpointing (see `planning.prepare`) needs an input that requires a gradient.
    embeddings.requires_grad_(embeddings.requires_grad or step.checkpointing)
    head = language.get_output_embeddings()
    handles = [
        head.register_forward_pre_hook(lambda _, inputs: (inputs[0].flatten(0, 1)[scored][None], *inputs[1:])),
        head.register_forward_pre_hook(lambda *_: setattr(ledger, "label", HEAD)),
    ]
    output = language(inputs_embeds=embeddings, attention_mask=mask, position_ids=positions, use_cache=False)
    for handle in handles:
        handle.remove()
    logits = output["logits"][0].float()
    del output
    loss = F.cross_entropy(logits, targets, reduction="none").sum()
    ledger.label = LANGUAGE
    return loss


def _clip_features(parts: Mapping[str, nn.Module], name: str, count: int, frames: int, ledger: Ledger) -> Tensor:
    """Compute the language-model inputs [n, H] of all clips of a modality."""
    tower: Any = parts[f"{name}_tower"]
    projectors: Any = parts["translators"]
    if name == "video":
        from vimonet.model.towers.video_towers import image_side

        side = image_side(tower.config)
        with ledger.under(INPUTS):
            images = torch.empty(count, frames, 3, side, side)
        features = tower(images)
        places = torch.zeros(count, features.shape[1])
        return projectors(features.to(torch.float32), "video", places=places)[0].flatten(0, 1)
    with ledger.under(INPUTS):
        values = torch.empty(count, frames, tower.config.input_dim)
    return projectors(tower(values), name)[0].flatten(0, 1)
