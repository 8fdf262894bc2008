"""VIMOS: what the model is trained and asked on: recordings, measured questions, the dataset on disk.

Knows movement (`vimonet.motion`), nothing of models.
"""

from __future__ import annotations

from vimonet.training.data.vimos_dataset import TrainingSet, training_samples
from vimonet.vimos.text_corpus import text_corpus
from vimonet.vimos.types import Clip, Item

__all__ = ["Clip", "Item", "TrainingSet", "text_corpus", "training_samples"]
