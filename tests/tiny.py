"""A model small enough to build in a test, with everything a real one has."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, PreTrainedTokenizerFast

from vimonet.model import (
    SPECIAL_TOKENS,
    MotionFeatureExtractor,
    MotionVQVAEConfig,
    ViMoNetConfig,
    ViMoNetForConditionalGeneration,
    ViMoNetProcessor,
    build_model,
    build_processor,
)
from vimonet.motion import Motion
from vimonet.motion.features.body_features import BODY_DIM, KEYPOINT_DIM
from vimonet.motion.skeleton import CANONICAL_OFFSETS, PARENTS

TEXTS = [
    "which way does the person turn",
    "to the left",
    "to the right",
    "which arm is raised",
    "the left arm",
    "what is the person doing",
    "walking forward and waving",
    "describe the movement",
]


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE trained on a few strings."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TEXTS, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<|pad|>", eos_token="<|end|>")


def tiny_config(**changes: Any) -> ViMoNetConfig:
    """Two layers of width 32."""
    tower = {"width": 16, "code_dim": 24, "num_codes": 16, "depth": 1}
    settings: dict[str, Any] = {
        "text_config": LlamaConfig(
            vocab_size=400,
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=512,
        ),
        "motion_config": MotionVQVAEConfig(input_dim=BODY_DIM, **tower),
        "keypoint_config": MotionVQVAEConfig(input_dim=KEYPOINT_DIM, **tower),
        "projector_queries": 5,
        "projector_heads": 4,
    }
    return ViMoNetConfig(**{**settings, **changes})


def tiny_model(seed: int = 0, **changes: Any) -> tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor]:
    """Random model in eval mode and its processor; `changes` go to the config."""
    torch.manual_seed(seed)
    tokenizer = tiny_tokenizer()
    config = tiny_config(**changes)
    model = build_model(config, tokenizer).eval()
    return model, build_processor(config, tokenizer, MotionFeatureExtractor(max_frames=64))


def tiny_motion(frames: int = 40, *, dimensions: int = 3, seed: int = 0, name: str = "motion") -> Motion:
    """A standing body that sways at random."""
    rng = np.random.default_rng(seed)
    rest = np.zeros((22, 3), np.float32)
    for joint, parent in enumerate(PARENTS):
        if parent >= 0:
            rest[joint] = rest[parent] + CANONICAL_OFFSETS[joint]
    rest[:, 1] -= rest[:, 1].min()
    sway = np.cumsum(rng.normal(0, 0.01, (frames, 22, 3)), axis=0)
    joints = (rest + sway).astype(np.float32)
    if dimensions == 2:
        joints[..., 2] = 0
    return Motion(joints, name=name, dimensions=dimensions)


def batch_of(processor: Any, *chats: Any, answer: bool = False, **kwargs: Any) -> Any:
    """Chats as one padded batch of tensors."""
    return processor.apply_chat_template(
        list(chats),
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
        add_generation_prompt=not answer,
        processor_kwargs={"padding": True},
        **kwargs,
    )
