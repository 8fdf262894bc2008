"""Name actions over time with a small transformer that does nothing else.

Motion tokens serve the language model first, and name actions as well (`vimonet.model.action_recognition`). A network
of 3 million parameters that only names actions is right more often on people and sensors that training did not
show. A language model that reads the names in its prompt needs no further training.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from vimonet.model.weight_files import check_finite
from vimonet.motion.features.body_features import BODY_DIM, KEYPOINT_DIM
from vimonet.utils.errors import InputError, first_line
from vimonet.utils.files import read_object, write_text

FOLDER: Final = "action_network"
"""Folder of a model folder that holds its action network; without it, a model names actions by its tokens alone."""

WEIGHTS, DESCRIPTION = "action_network.safetensors", "action_network.json"

_ROOT: Final = {"motion": slice(5, 11), "keypoint": slice(2, 5)}
"""Columns of the body features with the path, the heading and the time since the clip began. The network does not
read them: an action is the same early and late in a clip."""

_REACH = 128  # steps; attention does not tell larger distances in time apart
_MOST_LAYERS, _MOST_WIDTH, _MOST_PHRASES = 64, 8192, 100_000
_DROPOUT, _HEAD_DROPOUT = 0.1, 0.2


class ActionNetwork(nn.Module):
    """Score action phrases at each moment of a clip of body features.

    Args:
        phrases: action phrases, in the order of the scores.
        features: number of features of ``motion`` (3D) and of ``keypoint`` (2D).
        width, layers, heads, hidden: sizes of the transformer.
        statistics: `statistics_of` the features that it learns from.

    Raises:
        ValueError: phrases that are no distinct texts, or sizes that no network has.
    """

    def __init__(
        self,
        phrases: Sequence[str],
        features: Mapping[str, int],
        width: int = 256,
        layers: int = 4,
        heads: int = 4,
        hidden: int = 640,
        statistics: str = "",
    ) -> None:
        super().__init__()
        if not all(isinstance(phrase, str) and phrase.strip() for phrase in phrases) or not phrases:
            raise ValueError("its phrases are no texts")
        if len(set(phrases)) < len(phrases) or len(phrases) > _MOST_PHRASES:
            raise ValueError(f"its {len(phrases)} phrases are not distinct, or over {_MOST_PHRASES:,}")
        widths = (width, hidden, *features.values())
        if not 0 < layers <= _MOST_LAYERS or not 0 < min(widths) <= max(widths) <= _MOST_WIDTH:
            raise ValueError("no network has its sizes")
        if heads < 1 or width % heads:
            raise ValueError(f"its width {width} is no multiple of its {heads} heads")
        self.phrases = tuple(phrases)
        self.sizes = {"width": width, "layers": layers, "heads": heads, "hidden": hidden}
        self.features, self.statistics = dict(features), statistics
        self.inputs = nn.ModuleDict({name: nn.Conv1d(count, width, 5, padding=2) for name, count in features.items()})
        self.down = nn.Conv1d(width, width, 4, stride=2, padding=1)
        self.blocks = nn.ModuleList([_Block(width, heads, hidden) for _ in range(layers)])
        self.norm, self.drop = nn.LayerNorm(width), nn.Dropout(_HEAD_DROPOUT)
        self.head = nn.Linear(width, len(self.phrases))

    @classmethod
    def open(cls, folder: str | Path) -> Self:
        """Open a network in eval mode and float32.

        Raises:
            InputError: a file is missing or damaged.
        """
        folder = Path(folder)
        try:
            described = read_object(folder / DESCRIPTION, "copy or train the network again")
            with torch.device("meta"):  # takes no memory before the sizes are known to be those of the file
                sizes, statistics = described["sizes"], described["statistics"]
                network = cls(described["phrases"], described["features"], **sizes, statistics=statistics)
            state = load_file(folder / WEIGHTS)
            check_finite(state, folder)
            if {name: value.shape for name, value in state.items()} != _shapes(network):
                raise ValueError("its weights have not the sizes of its description")
            network.load_state_dict({name: value.float() for name, value in state.items()}, assign=True)
            return network.eval().requires_grad_(False)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                f"{folder}: not an action network ({first_line(error)}); run 'vimonet fetch mini' again for that of "
                "mini, python -m research.mini.train_actions for one of your own."
            ) from None

    def check_fits(self, extractor: Any, folder: str | Path) -> None:
        """Check that the network reads the features of a model.

        Args:
            extractor: feature extractor of the model.
            folder: folder of the network, for the error.

        Raises:
            InputError: it learnt from other features.
        """
        read = {"motion": BODY_DIM, "keypoint": KEYPOINT_DIM}
        if self.statistics != statistics_of(extractor) or self.features != read or extractor.ratio % 2:
            raise InputError(
                f"{folder}: this action network learnt from other features than its model reads; train one with python "
                "-m research.mini.train_actions --model MODEL, or delete this folder to name actions by tokens alone."
            )

    def save(self, folder: str | Path) -> None:
        """Write the network into a folder, weights as float16."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        described = {
            "features": self.features,
            "sizes": self.sizes,
            "statistics": self.statistics,
            "phrases": list(self.phrases),
        }
        write_text(folder / DESCRIPTION, json.dumps(described, indent=1))
        half = {name: value.to(torch.float16).contiguous() for name, value in self.state_dict().items()}
        save_file(half, folder / WEIGHTS, metadata={"format": "pt"})

    def forward(self, values: Tensor, frames: Tensor, name: str) -> Tensor:
        """Score the phrases at every second frame.

        Args:
            values: normalised body features, [N, T, D], T even.
            frames: frames of each clip, int64 [N]; what follows is padding.
            name: ``motion`` or ``keypoint``.

        Returns:
            Logits, [N, T / 2, P].
        """
        beyond = torch.arange(values.shape[1], device=values.device)[None] >= frames[:, None]
        values = values.masked_fill(beyond[..., None], 0.0)
        values[..., _ROOT[name]] = 0.0
        hidden = F.gelu(self.inputs[name](values.transpose(1, 2))).masked_fill(beyond[:, None], 0.0)
        hidden, padding = F.gelu(self.down(hidden)).transpose(1, 2), beyond[:, ::2]
        for block in self.blocks:
            hidden = block(hidden, padding)
        logits: Tensor = self.head(self.drop(self.norm(hidden)))
        return logits

    @torch.no_grad()
    def scores(self, values: Tensor, name: str, ratio: int) -> Tensor:
        """Score the phrases of one clip.

        Args:
            values: normalised body features, [T, D].
            name: ``motion`` or ``keypoint``.
            ratio: frames of which scores are averaged, even; the last frame is repeated up to a multiple of it.

        Returns:
            Log-probabilities, float32 [T / ratio rounded up, P].
        """
        whole = torch.cat([values, values[-1:].expand(-len(values) % ratio, -1)])[None].float()
        logits = self(whole, torch.tensor([whole.shape[1]], device=values.device), name)[0]
        return logits.log_softmax(-1).view(-1, ratio // 2, len(self.phrases)).mean(1)


class _Block(nn.Module):
    """Attend over time with a bias for each distance, mix neighbours, and transform each moment."""

    def __init__(self, width: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_1, self.norm_2, self.norm_3 = (nn.LayerNorm(width) for _ in range(3))
        self.attention, self.output = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.distance = nn.Parameter(torch.zeros(heads, 2 * _REACH + 1))
        self.mix = nn.Conv1d(width, width, 5, padding=2, groups=width)
        self.linear_1, self.linear_2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.drop = nn.Dropout(_DROPOUT)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        """Transform the moments [N, T, width]; `padding` is bool [N, T]."""
        clips, steps, width = x.shape
        split = self.attention(self.norm_1(x)).view(clips, steps, 3, self.heads, width // self.heads)
        query, key, value = split.permute(2, 0, 3, 1, 4)
        time = torch.arange(steps, device=x.device)
        apart = (time[None] - time[:, None]).clamp(-_REACH, _REACH) + _REACH
        bias = self.distance[:, apart][None].masked_fill(padding[:, None, None], -1e4)
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        x = x + self.drop(self.output(found.transpose(1, 2).reshape(clips, steps, width)))
        near = self.norm_2(x).masked_fill(padding[..., None], 0.0)
        x = x + self.drop(self.mix(near.transpose(1, 2)).transpose(1, 2))
        transformed: Tensor = x + self.drop(self.linear_2(F.gelu(self.linear_1(self.norm_3(x)))))
        return transformed


def _shapes(network: nn.Module) -> dict[str, torch.Size]:
    return {name: value.shape for name, value in network.state_dict().items()}


def statistics_of(extractor: Any) -> str:
    """Hash the kind of features that a model reads, and the statistics that normalise them."""
    digest = hashlib.sha256(str(extractor.features).encode())
    for name in ("mean", "std", "keypoint_mean", "keypoint_std"):
        digest.update(np.asarray(getattr(extractor, name), np.float32).round(5).tobytes())
    return digest.hexdigest()[:16]


def copy_network(model: Path, network: Path) -> None:
    """Copy an action network into the folder of a model.

    Raises:
        InputError: a file is missing.
    """
    for name in (WEIGHTS, DESCRIPTION):
        if not (network / name).is_file():
            raise InputError(f"{network}: {name} is missing; an action network has {WEIGHTS} and {DESCRIPTION}.")
    (model / FOLDER).mkdir()
    for name in (WEIGHTS, DESCRIPTION):
        shutil.copyfile(network / name, model / FOLDER / name)
