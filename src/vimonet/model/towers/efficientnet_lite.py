"""Define EfficientNet-Lite, an image classifier made for phones, as a tower: a grid of features, and class logits.

EfficientNet (Tan and Le, ICML 2019, arXiv 1905.11946) without squeeze-and-excitation and with ReLU6 for swish. Modules
are named as in the PyTorch port of its published weights, but for the underscores before their names. Convolutions pad
as TensorFlow does ("SAME"): more at the right and bottom.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from huggingface_hub.dataclasses import strict
from torch import Tensor, nn
from transformers.configuration_utils import PreTrainedConfig
from transformers.modeling_outputs import ModelOutput
from transformers.modeling_utils import PreTrainedModel

STRIDE = 32
"""Pixels per feature along each side: five convolutions halve the image."""
_LITE0 = (
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
"""Stages of EfficientNet-Lite0: blocks, kernel, stride of the first block, expansion, channels."""


@strict
class EfficientNetLiteConfig(PreTrainedConfig):
    """Configuration of [`EfficientNetLiteModel`]; the defaults are EfficientNet-Lite0's.

    Attributes:
        image_size: side of the input in pixels.
        patch_size: pixels per feature.
        hidden_size: width of a feature.
        stem: channels of the first convolution.
        stages: per stage its blocks, kernel, stride, expansion and channels.
        batch_norm_eps, batch_norm_momentum: of every batch norm; momentum as PyTorch counts it.
        id2label: names of the classes; their number is the number of logits.
    """

    model_type = "efficientnet_lite"

    image_size: int = 224
    patch_size: int = STRIDE
    hidden_size: int = 1280
    stem: int = 32
    stages: Any = _LITE0
    batch_norm_eps: float = 1e-3
    batch_norm_momentum: float = 0.01

    def __post_init__(self, **kwargs: Any) -> None:
        """Read stages from JSON's lists."""
        self.stages = [list(stage) for stage in self.stages]
        super().__post_init__(**kwargs)


@dataclass
class ClassifiedGrid(ModelOutput):
    """Hold features and class logits of images.

    Attributes:
        last_hidden_state: [N, rows * columns, D], row by row.
        pooler_output: [N, D], their mean.
        logits: [N, classes].
    """

    last_hidden_state: Tensor | None = None
    pooler_output: Tensor | None = None
    logits: Tensor | None = None


class SameConv(nn.Conv2d):
    """Convolve with TensorFlow's padding: an output of ceil(size / stride)."""

    def __init__(self, into: int, out: int, kernel: int, stride: int = 1, groups: int = 1):
        super().__init__(into, out, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C', ceil(H / stride), ceil(W / stride)]."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        lacking = [max(0, (-(-side // stride) - 1) * stride + kernel - side) for side in x.shape[:-3:-1]]
        if not any(lacking):
            return super().forward(x)
        if all(total % 2 == 0 for total in lacking):  # the same at both ends: no copy of the input
            across, down = (total // 2 for total in lacking)
            return nn.functional.conv2d(x, self.weight, None, self.stride, (down, across), groups=self.groups)
        return super().forward(nn.functional.pad(x, [part for n in lacking for part in (n // 2, n - n // 2)]))


class Norm(nn.BatchNorm2d):
    """Normalise by running statistics in float32, whatever dtype weights and buffers of a composed model have."""

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to the same shape and dtype."""
        if self.training or self.running_mean is None or self.running_var is None:
            return super().forward(x)
        mean, var, weight, bias = (
            part.float() for part in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        return nn.functional.batch_norm(x, mean, var, weight, bias, eps=self.eps)


class Block(nn.Module):
    """Expand, filter each channel, project (MobileNetV2, arXiv 1801.04381); add the input where shapes agree."""

    def __init__(self, config: EfficientNetLiteConfig, into: int, out: int, kernel: int, stride: int, expansion: int):
        super().__init__()
        wide = into * expansion
        self.adds = stride == 1 and into == out
        if expansion != 1:
            self.expand_conv, self.bn0 = SameConv(into, wide, 1), _norm(config, wide)
        self.expands = expansion != 1
        self.depthwise_conv, self.bn1 = SameConv(wide, wide, kernel, stride, groups=wide), _norm(config, wide)
        self.project_conv, self.bn2 = SameConv(wide, out, 1), _norm(config, out)

    def forward(self, x: Tensor) -> Tensor:
        """Map [N, C, H, W] to [N, C', H / stride, W / stride]."""
        hidden = _relu6(self.bn0(self.expand_conv(x))) if self.expands else x
        hidden = _relu6(self.bn1(self.depthwise_conv(hidden)))
        hidden = self.bn2(self.project_conv(hidden))
        return x + hidden if self.adds else hidden


class EfficientNetLiteModel(PreTrainedModel):
    """Encode images [N, 3, H, W] to a grid of features and class logits."""

    config: EfficientNetLiteConfig
    config_class = EfficientNetLiteConfig
    base_model_prefix = "efficientnet_lite"
    main_input_name = "pixel_values"
    _no_split_modules = ["Block"]

    def __init__(self, config: EfficientNetLiteConfig):
        super().__init__(config)
        self.conv_stem, self.bn0 = SameConv(3, config.stem, 3, 2), _norm(config, config.stem)
        blocks, width = [], config.stem
        for count, kernel, stride, expansion, out in config.stages:
            for index in range(count):
                blocks.append(Block(config, width, out, kernel, 1 if index else stride, expansion))
                width = out
        self.blocks = nn.ModuleList(blocks)
        self.conv_head, self.bn1 = SameConv(width, config.hidden_size, 1), _norm(config, config.hidden_size)
        self.fc = nn.Linear(config.hidden_size, len(config.id2label or {}))
        self.post_init()

    def forward(self, pixel_values: Tensor, **kwargs: Any) -> ClassifiedGrid:
        """Encode images.

        Args:
            pixel_values: [N, 3, H, W], (value - 127) / 128 of values from 0 to 255.
            **kwargs: not read; transformers passes some.

        Returns:
            Features, their mean and the logits.
        """
        # Convolutions are fastest in this layout, on CPU and GPU.
        hidden = _relu6(self.bn0(self.conv_stem(pixel_values.contiguous(memory_format=torch.channels_last))))
        for block in self.blocks:
            hidden = block(hidden)
        hidden = _relu6(self.bn1(self.conv_head(hidden)))
        pooled = hidden.mean((2, 3))
        return ClassifiedGrid(hidden.flatten(2).transpose(1, 2), pooled, self.fc(pooled))


def rename_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the published tensors: modules lose their leading underscore; batch counters are dropped."""
    return {
        ".".join(part.removeprefix("_") for part in name.split(".")): value
        for name, value in state.items()
        if not name.endswith("num_batches_tracked")
    }


def _norm(config: EfficientNetLiteConfig, width: int) -> Norm:
    return Norm(width, eps=config.batch_norm_eps, momentum=config.batch_norm_momentum)


def _relu6(x: Tensor) -> Tensor:
    return nn.functional.relu6(x, inplace=not torch.is_grad_enabled())
