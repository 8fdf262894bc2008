"""Generate text with clips, which are read in the first step and repeated with their row."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.generation import GenerationMixin

from vimonet.model.configuration_vimonet import ViMoNetConfig
from vimonet.model.projectors import count_tokens
from vimonet.model.towers.video_towers import feature_grid

CLIP_INPUTS = {
    "motion": ("motion_values", "motion_mask"),
    "keypoint": ("keypoint_values", "keypoint_mask"),
    "video": ("video_values", "video_mask", "video_times"),
}
"""Model inputs of each kind of clip."""


class ClipGenerationMixin(GenerationMixin):
    """Extend `GenerationMixin` to rows of text with clips."""

    config: ViMoNetConfig

    def prepare_inputs_for_generation(  # type: ignore[override]
        self, input_ids: Any, is_first_iteration: bool | None = False, **kwargs: Any
    ) -> dict[str, Any]:
        """Prepare the inputs of a step; clips only in the first one, later their features are in the cache."""
        prepare: Any = super().prepare_inputs_for_generation  # type: ignore[misc]
        inputs: dict[str, Any] = prepare(input_ids, is_first_iteration=is_first_iteration, **kwargs)
        if not is_first_iteration and kwargs.get("use_cache", True):
            for names in CLIP_INPUTS.values():
                for name in names:
                    inputs.pop(name, None)
        return inputs

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, is_encoder_decoder: bool = False, input_ids: Any = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        # Beams and samples repeat each row of text; its clips must be repeated as one group, not clip by clip.
        clips: dict[str, Any] = {}
        if expand_size > 1 and input_ids is not None:
            for kind, names in CLIP_INPUTS.items():
                given = {name: kwargs.pop(name, None) for name in names}
                values, mask = given[names[0]], given[names[1]]
                if values is None:
                    continue
                places = input_ids == getattr(self.config, f"{kind}_token_id")
                order = _order(places, self._tokens_per_clip(kind, values, mask), expand_size)
                clips |= {name: None if value is None else value[order] for name, value in given.items()}
        expand: Any = super()._expand_inputs_for_generation  # type: ignore[misc]
        input_ids, kwargs = expand(expand_size, is_encoder_decoder, input_ids, **kwargs)
        return input_ids, {**kwargs, **clips}

    def _tokens_per_clip(self, kind: str, values: Tensor, mask: Tensor | None) -> Tensor:
        """Count the placeholders of each clip, int64 [N]."""
        config = self.config
        frames = torch.full((len(values),), values.shape[1]) if mask is None else mask.sum(1)
        frames = frames.to(values.device)
        if kind == "video":
            grids = [feature_grid(config.video_config, int(count)) for count in frames]
            tokens = [count_tokens(config.video_pooling, grid, config.video_tokens) for grid in grids]
            return torch.tensor(tokens, device=values.device)
        if config.projector == "attentive":
            return torch.full_like(frames, config.projector_queries)
        return -(-frames // config.ratio)


def _order(places: Tensor, tokens: Tensor, expand_size: int) -> Tensor:
    """Return clip indices that repeat the clips of each row `expand_size` times as a group.

    Args:
        places: positions of the placeholders, bool [B, S].
        tokens: placeholders of each clip, int64 [N].
        expand_size: repetitions of each row.
    """
    row = torch.searchsorted(places.sum(1).cumsum(0), tokens.cumsum(0))
    groups = [torch.nonzero(row == i).flatten() for i in range(len(places))]
    return torch.cat([group for group in groups for _ in range(expand_size)])
