"""Encode motions and sentences as unit vectors by the text-motion encoder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from transformers.initialization import no_init_weights

from vimonet.model.feature_extraction_vimonet import MotionFeatureExtractor
from vimonet.model.weight_files import check_finite, check_safetensors
from vimonet.motion import Motion
from vimonet.retrieval.modeling_text_motion import MotionTextConfig, MotionTextModel
from vimonet.retrieval.window_features import split
from vimonet.utils.errors import InputError, first_line
from vimonet.weights import WEIGHTS

Vectors = NDArray[np.float32]

_PADDED = 1.25  # longest clip of a batch to its shortest
_FILES = ("config.json", "model.safetensors", "preprocessor_config.json", "tokenizer.json")


def shipped_encoder() -> Path:
    """Return the folder of the shipped weights, which a source tree may lack."""
    return WEIGHTS / "evaluator"


class TextMotionEncoder:
    """Encode motions and sentences by a dual encoder.

    Args:
        model: the dual encoder.
        extractor: feature extractor of the model.
        tokenizer: tokenizer of the model, set to pad on the right.
        fingerprint: hash of its files; vectors compare only within one fingerprint.
    """

    def __init__(
        self, model: MotionTextModel, extractor: MotionFeatureExtractor, tokenizer: Any, fingerprint: str = ""
    ) -> None:
        self.model, self.extractor, self.tokenizer, self.fingerprint = model.eval(), extractor, tokenizer, fingerprint
        tokenizer.padding_side = "right"

    @classmethod
    def load(cls, folder: str | os.PathLike[str] | None = None) -> TextMotionEncoder:
        """Load a text-motion encoder in float32 on the CPU; None for the shipped one.

        Raises:
            InputError: the folder or one of its files is missing or damaged.
        """
        from transformers import PreTrainedTokenizerFast

        path = shipped_encoder() if folder is None else Path(folder).expanduser()
        if not path.is_dir():
            hint = "train one with 'vimonet train text-motion-retrieval', or give its folder"
            raise InputError(f"{path}: no text-motion encoder is in this place; {hint}.")
        for name in _FILES:
            if not (path / name).is_file():
                raise InputError(
                    f"{path}: {name} is missing; a text-motion encoder is a folder with {', '.join(_FILES)}."
                )
        check_safetensors(path / "model.safetensors")
        try:
            # from_pretrained would import sympy by way of the meta device.
            with no_init_weights():
                model = MotionTextModel(MotionTextConfig.from_pretrained(path))
            model.load_state_dict(load_file(path / "model.safetensors"))
            extractor = MotionFeatureExtractor.from_pretrained(path)
            tokenizer = PreTrainedTokenizerFast.from_pretrained(path)
        except Exception as error:  # transformers raises what its parts raise
            raise InputError(
                f"{path}: not a text-motion encoder this version can load ({first_line(error)})."
            ) from None
        check_finite(model.state_dict(), path)
        digest = hashlib.sha256()
        for name in _FILES:
            digest.update((path / name).read_bytes())
        return cls(model, extractor, tokenizer, digest.hexdigest()[:16])

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write all parts into a folder, weights as float16, which changes a cosine by about 0.001."""
        half = MotionTextModel(self.model.config)
        half.load_state_dict(self.model.state_dict())
        half.half().save_pretrained(folder)
        self.extractor.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    @property
    def dim(self) -> int:
        """Return the dimension of a vector."""
        return int(self.model.config.embedding_dim)

    @property
    def max_frames(self) -> int:
        """Return the longest clip that becomes one vector, in frames at 20 frames/s."""
        return self.extractor.max_frames

    @torch.inference_mode()
    def texts(self, sentences: Sequence[str], batch_size: int = 256) -> Vectors:
        """Encode sentences as unit vectors float32 [N, E].

        Raises:
            InputError: a sentence is empty.
        """
        found = []
        for start in range(0, len(sentences), batch_size):
            batch = [" ".join(sentence.split()) for sentence in sentences[start : start + batch_size]]
            if not all(batch):
                raise InputError("an empty text describes no movement; give a sentence such as 'someone waves'.")
            tokens = self.tokenizer(
                batch, padding=True, truncation=True, max_length=self.model.config.max_text_tokens, return_tensors="pt"
            )
            found.append(self.model.encode_text(tokens["input_ids"], tokens["attention_mask"]).numpy())
        return _stack(found, self.dim)

    def motions(self, motions: Iterable[Motion], batch_size: int = 64) -> Vectors:
        """Encode motions as unit vectors float32 [N, E].

        A motion longer than `max_frames` is encoded in windows that overlap by half; their mean is normalised again.

        Raises:
            InputError: the encoder was not trained on this kind of motion.
        """
        clips: list[Motion] = []
        owners: list[int] = []
        number = -1
        for number, motion in enumerate(motions):
            for start, end in split(motion.frames, self.max_frames, self.max_frames // 2):
                clips.append(motion.window(start, end))
                owners.append(number)
        sums = np.zeros((number + 1, self.dim), np.float32)
        np.add.at(sums, owners, self.clips(clips, batch_size))
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)

    def clips(self, clips: Sequence[Motion], batch_size: int = 64) -> Vectors:
        """Encode clips of at most `max_frames` as unit vectors float32 [N, E], in batches of similar length.

        Raises:
            InputError: a clip is longer, or the encoder was not trained on this kind of motion.
        """
        for clip in clips:
            if unread := self.unread(clip.dimensions):
                raise InputError(unread)
        return self.features([(self.extractor.extract(clip), clip.dimensions) for clip in clips], batch_size)

    @torch.inference_mode()
    def features(
        self, features: Sequence[tuple[NDArray[np.float32], int]], batch_size: int = 64, *, bfloat16: bool = False
    ) -> Vectors:
        """Encode extracted clips as unit vectors float32 [N, E], in batches of like length.

        Args:
            features: pairs of features [T', D] and dimensions.
            batch_size: clips that are encoded together.
            bfloat16: multiply in bfloat16, which changes a cosine by some 1e-5.
        """
        vectors = np.zeros((len(features), self.dim), np.float32)
        for name, dimensions in (("motion", 3), ("keypoint", 2)):
            lengths = {i: len(values) for i, (values, kind) in enumerate(features) if kind == dimensions}
            for chosen in _alike(lengths, batch_size):
                values, mask = self.extractor.pad([features[i][0] for i in chosen])
                seen = None if mask.all() else torch.from_numpy(mask)
                with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                    vectors[chosen] = self.model.encode_motion(torch.from_numpy(values), seen, name).numpy()
        return vectors

    def unread(self, dimensions: int) -> str:
        """Say why motions of so many dimensions are not read; empty if they are."""
        if (self.model.motion_tower if dimensions == 3 else self.model.keypoint_tower) is not None:
            return ""
        kind = "3D motion" if dimensions == 3 else "2D keypoints"
        return f"this text-motion encoder was not trained on {kind}; give the other kind, or another encoder."


def _alike(lengths: Mapping[int, int], batch_size: int) -> Iterator[list[int]]:
    """Put clips, {index: length}, into batches in which none is padded by more than a quarter."""
    batch: list[int] = []
    for index in sorted(lengths, key=lambda one: lengths[one]):
        if len(batch) == batch_size or (batch and lengths[index] > _PADDED * lengths[batch[0]]):
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


def _stack(found: list[Vectors], dim: int) -> Vectors:
    return np.concatenate(found) if found else np.zeros((0, dim), np.float32)
