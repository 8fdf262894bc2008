"""ViMoNet: motion towers and translators in front of a causal language model.

Notable choices:

- the language model is a whole `AutoModelForCausalLM`, head included: whatever it does to its logits, it goes on doing;
- of a VQ-VAE only the encoder is kept: the language model reads features before quantisation;
- fusion is one `masked_scatter` per kind of motion, after a check that counts placeholders against features;
- attention masks (2D or 4D) and position ids pass through to the language model untouched: training packs questions
  with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from transformers import initialization as init
from transformers.cache_utils import Cache
from transformers.generation import GenerationMixin
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.modeling_auto import AutoModelForCausalLM

from vimonet.model.configuration_vimonet import ViMoNetConfig
from vimonet.model.motion_vqvae import MotionEncoder, init_motion_weights
from vimonet.model.translators import AttentiveTranslator, Translators

MOTION_INPUTS = ("motion_values", "motion_mask", "keypoint_values", "keypoint_mask")


@dataclass
class ViMoNetCausalLMOutputWithPast(CausalLMOutputWithPast):
    """The language model's output, and where an attentive translator looked.

    translator_attentions: per kind of motion, [N, heads, queries, L] weights over the N clips' features; empty for
        others.
    """

    translator_attentions: dict[str, Tensor] | None = None


class ViMoNetPreTrainedModel(PreTrainedModel):
    """What both classes share: the config, initialisation, and what the backbone supports."""

    config: ViMoNetConfig
    config_class = ViMoNetConfig
    base_model_prefix = "vimonet"
    main_input_name = "input_ids"
    supports_gradient_checkpointing = True
    _no_split_modules = ["MotionEncoder", "Translators"]
    _skip_keys_device_placement = ["past_key_values"]
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Initialise towers and translators; the language model, a PreTrainedModel of its own, initialises itself."""
        init_motion_weights(module)
        if isinstance(module, nn.LayerNorm):
            init.ones_(module.weight)
            init.zeros_(module.bias)
        elif isinstance(module, AttentiveTranslator):
            init.normal_(module.queries, std=module.queries.shape[-1] ** -0.5)


class ViMoNetModel(ViMoNetPreTrainedModel):
    """Towers, translators and language model; gives hidden states. Use `ViMoNetForConditionalGeneration` for
    answers.
    """

    def __init__(self, config: ViMoNetConfig):
        super().__init__(config)
        self.motion_tower = MotionEncoder(config.motion_config) if config.motion_config else None
        self.keypoint_tower = MotionEncoder(config.keypoint_config) if config.keypoint_config else None
        towers = {"motion": config.motion_config, "keypoint": config.keypoint_config}
        self.translators = Translators(
            config.translator,
            {name: part.code_dim for name, part in towers.items() if part is not None},
            config.text_config.hidden_size,
            queries=config.translator_queries,
            heads=config.translator_heads,
        )
        self.language_model = AutoModelForCausalLM.from_config(config.text_config)
        # from_config copies; one shared object keeps the vocabulary size true after resizing.
        config.text_config = self.language_model.config
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """The language model's token embeddings."""
        return self.language_model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's token embeddings."""
        self.language_model.set_input_embeddings(value)

    def get_motion_features(
        self, values: Tensor, mask: Tensor | None = None, name: str = "motion"
    ) -> tuple[Tensor, Tensor | None]:
        """Encode and translate clips.

        Args:
            values: [N, T, D] normalised features.
            mask: bool [N, T], False on padding; None when there is none.
            name: ``motion`` (3D) or ``keypoint`` (2D).

        Returns:
            Language-model inputs [n, H] of all clips one after the other, without padding, and the attention weights of
            an attentive translator.

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

    def fuse(
        self,
        input_ids: Tensor | None,
        inputs_embeds: Tensor | None = None,
        motion_values: Tensor | None = None,
        motion_mask: Tensor | None = None,
        keypoint_values: Tensor | None = None,
        keypoint_mask: Tensor | None = None,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Embed tokens and put the translated motion features in the place of their placeholders.

        Args:
            input_ids: [B, S]; needed when there is motion.
            inputs_embeds: [B, S, H] instead of the embeddings of `input_ids`.
            motion_values, motion_mask: [N, T, D] and bool [N, T], clips in the order of their placeholders over the
                batch.
            keypoint_values, keypoint_mask: the same for 2D clips.

        Returns:
            [B, S, H], and the translators' attention weights by name.

        Raises:
            ValueError: placeholders and features differ in number.
        """
        if inputs_embeds is None:
            if input_ids is None:
                raise ValueError("Give input_ids or inputs_embeds.")
            inputs_embeds = self.get_input_embeddings()(input_ids)
        attentions: dict[str, Tensor] = {}
        given = {
            "motion": (motion_values, motion_mask, self.config.motion_token_id),
            "keypoint": (keypoint_values, keypoint_mask, self.config.keypoint_token_id),
        }
        for name, (values, mask, token_id) in given.items():
            if values is None:
                continue
            if input_ids is None:
                raise ValueError(f"{name}_values need input_ids, which say where the features go.")
            if token_id is None:
                raise ValueError(f"config.{name}_token_id is not set; build_model(config, tokenizer) sets it.")
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
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        """Hidden states [B, S, H] of the language model's body; inputs as in `fuse`, the rest as the language
        model's.
        """
        inputs_embeds, _ = self.fuse(
            input_ids, inputs_embeds, motion_values, motion_mask, keypoint_values, keypoint_mask
        )
        return self.language_model.base_model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            **kwargs,
        )


class ViMoNetForConditionalGeneration(ViMoNetPreTrainedModel, GenerationMixin):
    """Motion and text in, text out."""

    def __init__(self, config: ViMoNetConfig):
        super().__init__(config)
        self.vimonet = ViMoNetModel(config)
        self.post_init()

    @property
    def language_model(self) -> PreTrainedModel:
        """The causal language model."""
        return self.vimonet.language_model

    def get_input_embeddings(self) -> nn.Module:
        """The language model's token embeddings."""
        return self.vimonet.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the language model's token embeddings."""
        self.vimonet.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module | None:
        """The language model's head."""
        return self.language_model.get_output_embeddings()

    def set_output_embeddings(self, new_embeddings: nn.Module) -> None:
        """Replace the language model's head."""
        self.language_model.set_output_embeddings(new_embeddings)

    def resize_token_embeddings(self, *args: Any, **kwargs: Any) -> nn.Embedding:
        """Resize the language model's embeddings and head; the config follows."""
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
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **kwargs: Any,
    ) -> ViMoNetCausalLMOutputWithPast | tuple[Any, ...]:
        """One step of the language model on fused inputs.

        Args:
            input_ids: [B, S] with placeholders.
            attention_mask: [B, S], or 4D as the language model takes it; passed on untouched.
            position_ids: [B, S]; passed on untouched.
            past_key_values: cache; motion belongs to the first step only.
            inputs_embeds, motion_values, motion_mask, keypoint_values, keypoint_mask: see `ViMoNetModel.fuse`.
            labels: [B, S], -100 where no loss is taken.
            logits_to_keep: how many last logits to compute, 0 for all.
            **kwargs: to the language model.
        """
        inputs_embeds, attentions = self.vimonet.fuse(
            input_ids, inputs_embeds, motion_values, motion_mask, keypoint_values, keypoint_mask
        )
        return_dict = kwargs.pop("return_dict", None)
        if isinstance(logits_to_keep, Tensor) or logits_to_keep:
            kwargs["logits_to_keep"] = logits_to_keep
        outputs = self.language_model(
            inputs_embeds=inputs_embeds,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
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
            translator_attentions=attentions or None,
        )
        return result.to_tuple() if return_dict is False else result

    def prepare_inputs_for_generation(  # type: ignore[override]
        self, input_ids: Any, is_first_iteration: bool | None = False, **kwargs: Any
    ) -> dict[str, Any]:
        """As the language model's, with motion in the first step only: later its features are in the cache."""
        prepare: Any = super().prepare_inputs_for_generation  # type: ignore[misc]
        inputs: dict[str, Any] = prepare(input_ids, is_first_iteration=is_first_iteration, **kwargs)
        if not is_first_iteration and kwargs.get("use_cache", True):
            for name in MOTION_INPUTS:
                inputs.pop(name, None)
        return inputs

    def _expand_inputs_for_generation(
        self, expand_size: int = 1, is_encoder_decoder: bool = False, input_ids: Any = None, **kwargs: Any
    ) -> tuple[Any, dict[str, Any]]:
        # Beams and samples repeat each row of text; its clips must be repeated as one group, not clip by clip.
        clips: dict[str, Any] = {}
        if expand_size > 1 and input_ids is not None:
            for name, token_id in (
                ("motion", self.config.motion_token_id),
                ("keypoint", self.config.keypoint_token_id),
            ):
                values, mask = kwargs.pop(f"{name}_values", None), kwargs.pop(f"{name}_mask", None)
                if values is None:
                    continue
                order = self._clip_order(input_ids == token_id, values, mask, expand_size)
                clips[f"{name}_values"] = values[order]
                clips[f"{name}_mask"] = None if mask is None else mask[order]
        expand: Any = super()._expand_inputs_for_generation  # type: ignore[misc]
        input_ids, kwargs = expand(expand_size, is_encoder_decoder, input_ids, **kwargs)
        return input_ids, {**kwargs, **clips}

    def _clip_order(self, places: Tensor, values: Tensor, mask: Tensor | None, expand_size: int) -> Tensor:
        """Indices of clips so that each row's clips come `expand_size` times, as a group."""
        if self.config.translator == "attentive":
            tokens = values.new_full((len(values),), self.config.translator_queries, dtype=torch.long)
        else:
            frames = torch.full((len(values),), values.shape[1]) if mask is None else mask.sum(1)
            tokens = -(-frames.to(values.device) // self.config.ratio)
        ends = places.sum(1).cumsum(0)
        row = torch.searchsorted(ends, tokens.cumsum(0))
        groups = [torch.nonzero(row == i).flatten() for i in range(len(places))]
        return torch.cat([group for group in groups for _ in range(expand_size)])


__all__ = ["ViMoNetCausalLMOutputWithPast", "ViMoNetForConditionalGeneration", "ViMoNetModel", "ViMoNetPreTrainedModel"]
