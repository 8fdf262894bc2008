"""Measure and draw temporal attention: how strongly an answer attends to each moment of a recording.

An attentive projector has weights of its queries over time, which do not depend on the question. Other projectors turn
each moment into tokens; the language model's attention from each answer token to these is averaged over layers and
heads. Attention does not prove why a model gave an answer.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from vimonet.model.modeling_vimonet import ViMoNetForConditionalGeneration
from vimonet.motion.motion import FPS
from vimonet.utils.errors import InputError
from vimonet.utils.files import whole_file


@dataclass(frozen=True)
class TemporalAttention:
    """Hold the weights of tokens over the moments of one clip.

    Attributes:
        kind: ``motion``, ``keypoint`` or ``video``.
        by: ``projector`` (rows are its queries) or ``language model`` (rows are the answer's tokens).
        weights: float32 [tokens, time], each row summing to 1.
        seconds: float64 [time], middle of each moment in the recording's time.
        tokens: name of each row.
    """

    kind: str
    by: str
    weights: NDArray[np.float32]
    seconds: NDArray[np.float64]
    tokens: tuple[str, ...]

    @property
    def mean(self) -> NDArray[np.float32]:
        """Mean weight of each moment, [time], summing to 1."""
        return self.weights.mean(axis=0)

    @property
    def strongest(self) -> float:
        """Second with the greatest mean weight."""
        return float(self.seconds[int(self.mean.argmax())])


def projector_attention(
    attentions: dict[str, Tensor] | None, inputs: dict[str, Tensor], ratio: int, start: float = 0.0
) -> list[TemporalAttention]:
    """Extract the weights of attentive projectors and poolings over time, mean over heads.

    Args:
        attentions: ``projector_attentions`` of a forward pass.
        inputs: inputs of that pass, of one prompt.
        ratio: motion frames per feature.
        start: start of the window in the recording, s.

    Returns:
        One `TemporalAttention` per clip of an attentive projector, motions first.
    """
    found = []
    for kind, weights in (attentions or {}).items():
        for clip, heads in enumerate(weights):
            seconds = _seconds(kind, inputs, clip, ratio)
            rows = heads.float().mean(0)  # [queries, L], of video [queries, F, P]
            rows = (rows.sum(-1) if rows.dim() == 3 else rows)[:, : len(seconds)]
            names = tuple(f"query {i + 1}" for i in range(len(rows)))
            found.append(TemporalAttention(kind, "projector", _normal(rows), seconds + start, names))
    return found


@torch.inference_mode()
def answer_attention(
    model: ViMoNetForConditionalGeneration,
    processor: Any,
    inputs: dict[str, Tensor],
    answer: Tensor,
    start: float = 0.0,
) -> list[TemporalAttention]:
    """Measure the attention of an answer's tokens to the clips, mean over the language model's layers and heads.

    Args:
        model, processor: model and its processor.
        inputs: inputs of one prompt.
        answer: int64 [S], tokens of the answer without the end token.
        start: start of the window in the recording, s.

    Returns:
        One `TemporalAttention` per clip whose tokens belong to moments.
    """
    ids = torch.cat([inputs["input_ids"], answer[None].to(inputs["input_ids"])], dim=1)
    with _eager(model.language_model):
        whole = {**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)}
        output = model(**whole, output_attentions=True, use_cache=False)
    weights = torch.stack([layer[0].float().mean(0) for layer in output.attentions]).mean(0)  # [S, S]
    first = inputs["input_ids"].shape[1] - 1  # the position that predicts the answer's first token
    weights = weights[first : first + len(answer)]
    names = tuple(processor.decode([int(token)]).strip() or "·" for token in answer)
    found = []
    config = model.config
    for kind in ("motion", "keypoint", "video"):
        values = inputs.get(f"{kind}_values")
        if values is None or kind in (output.projector_attentions or {}):
            continue
        at = torch.nonzero(inputs["input_ids"][0] == getattr(config, f"{kind}_token_id")).flatten()
        for clip in range(len(values)):
            seconds = _seconds(kind, inputs, clip, config.ratio)
            if kind == "video":
                moments, count = _pooled_times(processor.video_processor, inputs, clip)
                seconds = torch.nn.functional.adaptive_avg_pool1d(torch.from_numpy(seconds)[None], moments)[0].numpy()
            else:
                moments = count = len(seconds)
            positions, at = at[:count], at[count:]
            rows = weights[:, positions].unflatten(1, (moments, -1)).sum(-1)
            found.append(TemporalAttention(kind, "language model", _normal(rows), seconds + start, names))
    return found


def _seconds(kind: str, inputs: dict[str, Tensor], clip: int, ratio: int) -> NDArray[np.float64]:
    """Compute the middle of each moment of a clip, s; for a video, the time of each frame."""
    frames = int(inputs[f"{kind}_mask"][clip].sum())
    if kind == "video":
        times: NDArray[np.float64] = inputs["video_times"][clip, :frames].double().cpu().numpy()
        return times
    return (np.arange(-(-frames // ratio), dtype=np.float64) + 0.5) * (ratio / FPS)


def _pooled_times(prepare: Any, inputs: dict[str, Tensor], clip: int) -> tuple[int, int]:
    """Count the moments of a pooled video, and all its tokens."""
    from vimonet.model.projectors import pooled_grid

    frames = int(inputs["video_mask"][clip].sum())
    grid = (-(-frames // prepare.tubelet), prepare.rows, prepare.columns)
    return pooled_grid(prepare.pooling, grid, prepare.tokens)[0], prepare.num_tokens(frames)


def _normal(rows: Tensor) -> NDArray[np.float32]:
    return (rows / rows.sum(-1, keepdim=True).clamp_min(1e-12)).cpu().numpy()


@contextlib.contextmanager
def _eager(language_model: Any) -> Iterator[None]:
    """Use the eager attention, which returns its weights, within the context."""
    usual = language_model.config._attn_implementation
    language_model.set_attn_implementation("eager")
    try:
        yield
    finally:
        language_model.set_attn_implementation(usual)


def draw_attention(
    moments: Sequence[TemporalAttention], path: str | os.PathLike[str], *, title: str = "", subtitle: str = ""
) -> Path:
    """Draw weights over time: per clip a curve of the mean and a map of every token.

    Args:
        moments: temporal attention of one answer.
        path: a .png file.
        title, subtitle: for instance the question and the answer.

    Raises:
        InputError: nothing to draw, another suffix, or a folder that does not exist.
    """
    path = Path(path)
    if not moments:
        raise InputError("there is no attention to draw; ask about a motion or a video.")
    if path.suffix.lower() != ".png" or not path.parent.is_dir():
        raise InputError(f"{path}: cannot be written; the name must end in .png, in a folder that exists.")
    from matplotlib.figure import Figure  # without pyplot: no display, no state

    heights = [height for item in moments for height in (1.0, min(4.0, 0.6 + 0.16 * len(item.tokens)))]
    figure = Figure(figsize=(8, 1.0 + 1.15 * sum(heights)), layout="constrained")
    figure.suptitle("\n".join(filter(None, (title, subtitle))), fontsize=11)
    axes = np.atleast_1d(figure.subplots(len(heights), 1, gridspec_kw={"height_ratios": heights}))
    for item, curve, chart in zip(moments, axes[::2], axes[1::2], strict=True):
        edges = _edges(item.seconds)
        curve.stairs(item.mean, edges, fill=True, color="#4c72b0", alpha=0.7)
        curve.axvline(item.strongest, color="#c44e52", linewidth=1)
        curve.set(xlim=(edges[0], edges[-1]), ylabel="mean", title=f"{item.kind}: attention of the {item.by}")
        chart.pcolormesh(edges, np.arange(len(item.weights) + 1), item.weights, cmap="Blues", vmin=0)
        every = max(1, len(item.tokens) // 24)
        chart.set_yticks(np.arange(0, len(item.tokens), every) + 0.5, item.tokens[::every], fontsize=7)
        chart.invert_yaxis()
        chart.set(xlabel="seconds")
    with whole_file(path, suffix=".png") as part:
        figure.savefig(part, dpi=120)
    return path


def _edges(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the borders of moments [time + 1], halfway between their middles."""
    if len(seconds) == 1:
        return np.array([seconds[0] - 0.1, seconds[0] + 0.1])
    # Frames of a short clip may repeat; each moment still needs some width.
    seconds = np.maximum.accumulate(seconds + np.arange(len(seconds)) * 1e-3)
    inner = (seconds[1:] + seconds[:-1]) / 2
    return np.concatenate([[2 * seconds[0] - inner[0]], inner, [2 * seconds[-1] - inner[-1]]])
