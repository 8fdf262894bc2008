"""Define ViMoNet: motion, keypoint and video towers and projectors in front of a causal language model.

- The language model is a whole `AutoModelForCausalLM` with its head, so its own processing of logits applies.
- A motion tower is the encoder of a VQ-VAE: the language model reads features before quantisation.
- Fusion is one `masked_scatter` per modality, after a check that placeholders and features are equal in number.
- Attention masks (2D or 4D) and position ids pass to the language model unchanged, for packing in training.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.cache_utils import Cache
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from vimonet.model.configuration_vimonet import HubClass, ViMoNetConfig
from vimonet.model.generation import ClipGenerationMixin
from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionEncoder, init_motion_weights
from vimonet.model.projectors import AttentivePooling, AttentiveProjector, Projectors
from vimonet.model.towers.keypoint_lifter import KeypointEncoder, keypoint_encoder
from vimonet.model.towers.video_towers import VideoTower, feature_grid
from vimonet.motion.motion import FPS


@dataclass
class ViMoNetCausalLMOutputWithPast(CausalLMOutputWithPast):
    """Output of the language model with the attention weights of attentive projectors.

    Attributes:
        projector_attentions: modality -> weights [N, heads, queries, L] over the features of N clips; for ``video``
            [N, heads, queries, F, P] over frames and patches, zero on padding; None without attentive projectors.
    """

    projector_attentions: dict[str, Tensor] | None = None


class ViMoNetPreTrainedModel(HubClass, PreTrainedModel):
    """Share config, initialisation and supported features between the two model classes."""

    config: ViMoNetConfig
    config_class = ViMoNetConfig
    base_model_prefix = "vimonet"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _no_split_modules = ["MotionEncoder", "VideoTower", "Projectors"]
    _skip_keys_device_placement = ["past_key_values"]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Initialise towers and projectors; the language model initialises itself."""
        init_motion_weights(module)
        if isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, (AttentiveProjector, AttentivePooling)):
            init.normal_(module.queries, std=module.queries.shape[-1] ** -0.5)
        elif isinstance(module, nn.MultiheadAttention):
            init.xavier_uniform_(module.in_proj_weight)
            init.zeros_(module.in_proj_bias)
        elif isinstance(module, KeypointEncoder):
            init.zeros_(module.keypoints.weight)
            init.zeros_(module.body_mean)
            init.ones_(module.body_std)


class ViMoNetModel(ViMoNetPreTrainedModel):
    """Compute hidden states from towers, projectors and language model; see `ViMoNetForConditionalGeneration`."""

    def __init__(self, config: ViMoNetConfig):
        super().__init__(config)
        self.motion_tower = MotionEncoder(config.motion_config) if config.motion_config else None
        self.keypoint_tower = keypoint_encoder(config.keypoint_config) if config.keypoint_config else None
        self.video_tower = VideoTower(config.video_config, config.video_layer) if config.video_config else None
        towers = {"motion": config.motion_config, "keypoint": config.keypoint_config}
        # State-dict keys keep the paper's word "translators" for projectors.
        self.translators = Projectors(
            config.projector,
            {name: part.code_dim for name, part in towers.items() if part is not None},
            config.text_config.hidden_size,
            queries=config.projector_queries,
            heads=config.projector_heads,
            time=config.projector_time,
            video=None if self.video_tower is None else self._video_projector(self.video_tower),
        )
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        # from_config copies the config; a shared object follows when the vocabulary is resized.
        config.text_config = self.language_model.config
        self.post_init()

    def _video_projector(self, tower: VideoTower) -> dict[str, Any]:
        config = self.config
        config.video_config = tower.config
        _, rows, columns = feature_grid(tower.config, 1)
        return {
            "kind": config.video_projector,
            "norm": config.video_projector_norm,
            "input_dim": tower.dim,
            "pooling": config.video_pooling,
            "rows": rows,
            "columns": columns,
            "budget": config.video_tokens,
        }

    def get_input_embeddings(self) -> nn.Module:
        """Return the language model's token embeddings."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's token embeddings."""
        self.language_model.set_input_embeddings(value)

    def get_motion_features(
        self, values: Tensor, mask: Tensor | None = None, name: str = "motion"
    ) -> tuple[Tensor, Tensor | None]:
        """Encode and project motion clips.

        Args:
            values: normalised features, [N, T, D].
            mask: bool [N, T], False on padding; None: no padding.
            name: ``motion`` (3D) or ``keypoint`` (2D).

        Returns:
            Language-model inputs [n, H] of all clips, concatenated without padding, and the attention weights of an
            attentive projector.

        Raises:
            ValueError: the model has no tower of that name.
        """
        tower = self.motion_tower if name == "motion" else self.keypoint_tower
        if tower is None:
            raise ValueError(f"This model has no {name} tower; its config needs a {name}_config.")
        features = tower(values.to(tower.input.weight.dtype), mask)
        token_mask = None if mask is None else tower.token_mask(mask.bool())
        tokens, weights = self.translators(features, name, token_mask)
        per_feature = tokens.shape[1] == features.shape[1] and weights is None
        return (tokens[token_mask] if per_feature and token_mask is not None else tokens.flatten(0, 1)), weights

    def get_video_features(
        self, values: Tensor, mask: Tensor | None = None, times: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Encode, pool and project videos.

        Args:
            values: normalised frames, [N, F, 3, H, W].
            mask: bool [N, F], False on padding; None: no padding.
            times: [N, F] seconds since the start of the paired motion; None: frames as far apart as motion tokens.

        Returns:
            Language-model inputs [n, H] of all clips, concatenated, and the weights of attentive pooling
            [N, heads, queries, F', P], zero where a clip has fewer frames than the longest.

        Raises:
            ValueError: no video tower, or more frames than it accepts.
        """
        if self.video_tower is None:
            raise ValueError("This model has no video tower; its config needs a video_config.")
        if times is None:
            places = torch.arange(values.shape[1], device=values.device, dtype=torch.float32).expand(len(values), -1)
        else:
            # One place per motion token, so that motion and video share a time scale.
            places = times.float() * (FPS / self.config.ratio)
        counts = [values.shape[1]] * len(values) if mask is None else [int(n) for n in mask.sum(1)]
        tokens: dict[int, Tensor] = {}
        weights: dict[int, Tensor] = {}
        for count in sorted(set(counts)):  # one batch per number of frames, almost always a single one
            rows = [row for row, frames in enumerate(counts) if frames == count]
            features = self.video_tower(values[rows, :count])
            moments = nn.functional.adaptive_avg_pool1d(places[rows, None, :count], features.shape[1])[:, 0]
            features = features.to(next(self.translators.video.parameters()).dtype)  # type: ignore[union-attr]
            projected, attention = self.translators(features, "video", places=moments)
            tokens.update(zip(rows, projected, strict=True))
            if attention is not None:
                weights.update(zip(rows, attention, strict=True))
        order = range(len(values))
        if not weights:
            return torch.cat([tokens[row] for row in order]), None
        longest = max(weights[row].shape[2] for row in order)
        padded = [nn.functional.pad(weights[row], (0, 0, 0, longest - weights[row].shape[2])) for row in order]
        return torch.cat([tokens[row] for row in order]), torch.stack(padded)

    def fuse(
        self,
        input_ids: Tensor | None,
        inputs_embeds: Tensor | None = None,
        motion_values: Tensor | None = None,
        motion_mask: Tensor | None = None,
        keypoint_values: Tensor | None = None,
        keypoint_mask: Tensor | None = None,
        video_values: Tensor | None = None,
        video_mask: Tensor | None = None,
        video_times: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Embed tokens and replace placeholders by projected features.

        Args:
            input_ids: [B, S]; required with clips.
            inputs_embeds: [B, S, H], used instead of the embeddings of `input_ids`.
            motion_values, motion_mask: [N, T, D] and bool [N, T]; clips in the order of their placeholders.
            keypoint_values, keypoint_mask: the same for 2D clips.
            video_values, video_mask, video_times: [N, F, 3, H, W], bool [N, F] and seconds [N, F], in the same order.

        Returns:
            Embeddings [B, S, H], and the projectors' attention weights by name.

        Raises:
            ValueError: placeholders and features differ in number.
        """
        if inputs_embeds is None:
            if input_ids is None:
                raise ValueError("Give input_ids or inputs_embeds.")
            inputs_embeds = self.get_input_embeddings()(input_ids)
        attentions: dict[str, Tensor] = {}
        given = {
            "motion": (motion_values, motion_mask),
            "keypoint": (keypoint_values, keypoint_mask),
            "video": (video_values, video_mask),
        }
        for name, (values, mask) in given.items():
            if values is None:
                continue
            if input_ids is None:
                raise ValueError(f"{name}_values need input_ids with placeholders for the features.")
            token_id = getattr(self.config, f"{name}_token_id")
            if token_id is None:
                raise ValueError(f"config.{name}_token_id is not set; build_model(config, tokenizer) sets it.")
            if name == "video":
                features, weights = self.get_video_features(values, mask, video_times)
            else:
                features, weights = self.get_motion_features(values, mask, name)
            places = torch.eq(input_ids, token_id)
            wanted, got = int(places.sum()), features.shape[0]
            if wanted != got:
                raise ValueError(
                    f"The text has {wanted} {name} placeholder tokens and the {name} clips give {got} features; "
                    "they must be equal."
                )
            places = places.unsqueeze(-1).to(inputs_embeds.device)
            inputs_embeds = inputs_embeds.masked_scatter(places, features.to(inputs_embeds.device, inputs_embeds.dtype))
            if weights is not None:
                attentions[name] = weights
        return inputs_embeds, attentions

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        motion_values: Tensor | None = None,
        motion_mask: Tensor | None = None,
        keypoint_values: Tensor | None = None,
        keypoint_mask: Tensor | None = None,
        video_values: Tensor | None = None,
        video_mask: Tensor | None = None,
        video_times: Tensor | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Compute the hidden states [B, S, H] of the language model's body; clip inputs as in `fuse`."""
        clips = (motion_values, motion_mask, keypoint_values, keypoint_mask, video_values, video_mask, video_times)
        inputs_embeds, _ = self.fuse(input_ids, inputs_embeds, *clips)
        if past_key_values is not None:  # from transformers 5.24 on, generate passes `cache` among the others
            kwargs["past_key_values"] = past_key_values
        return self.language_model.base_model(
            inputs_embeds=inputs_embeds, attention_mask=attention_mask, position_ids=position_ids, **kwargs
        )


class ViMoNetForConditionalGeneration(ViMoNetPreTrainedModel, ClipGenerationMixin):
    """Generate text from motion, video and text."""

    def __init__(self, config: ViMoNetConfig):
        super().__init__(config)
        self.vimonet = ViMoNetModel(config)
        self.post_init()

    @property
    def language_model(self) -> PreTrainedModel:
        """Return the causal language model."""
        return self.vimonet.language_model

    def get_input_embeddings(self) -> nn.Module:
        """Return the language model's token embeddings."""
        return self.vimonet.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's token embeddings."""
        self.vimonet.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module | None:
        """Return the language model's head."""
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Replace the language model's head."""
        self.language_model.set_output_embeddings(new_embeddings)

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Embedding:
        """Resize the language model's embeddings and head, and update the config."""
        return self.language_model.resize_token_embeddings(*args, **kwargs)

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: Tensor | None = None,
        motion_values: Tensor | None = None,
        motion_mask: Tensor | None = None,
        keypoint_values: Tensor | None = None,
        keypoint_mask: Tensor | None = None,
        video_values: Tensor | None = None,
        video_mask: Tensor | None = None,
        video_times: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> ViMoNetCausalLMOutputWithPast | tuple[Any, ...]:
        """Run the language model on fused inputs.

        Args:
            input_ids: [B, S] with placeholders.
            attention_mask: [B, S], or 4D as the language model accepts it; passed on unchanged.
            position_ids: [B, S]; passed on unchanged.
            past_key_values: cache; clips are read in the first step only.
            inputs_embeds, motion_values, motion_mask, keypoint_values, keypoint_mask, video_values, video_mask,
                video_times: see `ViMoNetModel.fuse`.
            labels: [B, S], -100 = no loss.
            logits_to_keep: number of last logits to compute; 0: all.
            **kwargs: arguments of the language model.
        """
        clips = (motion_values, motion_mask, keypoint_values, keypoint_mask, video_values, video_mask, video_times)
        inputs_embeds, attentions = self.vimonet.fuse(input_ids, inputs_embeds, *clips)
        return_dict = kwargs.pop("return_dict", None)
        if isinstance(logits_to_keep, Tensor) or logits_to_keep:
            kwargs["logits_to_keep"] = logits_to_keep
        if past_key_values is not None:
            kwargs["past_key_values"] = past_key_values
        outputs = self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            labels=labels,
            return_dict=True,
            **kwargs,
        )
        result = ViMoNetCausalLMOutputWithPast(
            loss=outputs.loss,
            logits=outputs.logits,
            past_key_values=getattr(outputs, "past_key_values", None),
            hidden_states=outputs.hidden_states,
            attentions=outputs.attentions,
            projector_attentions=attentions or None,
        )
        return result.to_tuple() if return_dict is False else result
