"""VIMOS: what the model is trained and asked on: recordings, measured questions, the dataset on disk, evaluation items.

Knows movement (`vimonet.motion`), nothing of models.
"""

from __future__ import annotations

from vimonet.vimos.corpus import text_corpus
from vimonet.vimos.items import evaluation_items
from vimonet.vimos.schema import Clip, Item
from vimonet.vimos.training_set import TrainingSet, training_samples

__all__ = ["Clip", "Item", "TrainingSet", "evaluation_items", "text_corpus", "training_samples"]
