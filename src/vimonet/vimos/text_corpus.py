"""Text alone, from which the nano's language model first learns to speak: captions, and questions with answers."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from vimonet.training.data.vimos_dataset import training_samples
from vimonet.utils.errors import InputError
from vimonet.vimos.builders.vimos_open import sources as real


def text_corpus(
    dataset: str = "data/vimos-open",
    *,
    pairs: int = 60000,
    root: str | None = None,
    kit: bool = True,
    seed: int = 0,
) -> list[str | dict[str, str]]:
    """Sentences about movement and question-answer pairs without the movement.

    Args:
        dataset: folder of the VIMOS dataset whose questions are drawn.
        pairs: number of question-answer pairs.
        root: folder of the recordings with the KIT captions; None takes the environment variable VIMONET_DATA.
        kit: whether those captions are read too.
        seed: of the draw.

    Returns:
        Sentences (KIT Motion-Language captions, MIT-licensed index) and ``{"question", "answer"}`` mappings.
    """
    rng = random.Random(seed)
    texts: list[str | dict[str, str]] = []
    if kit:
        texts += _kit(real.data_folder(root))
    samples = training_samples(dataset, "train", seed=seed)
    pairs_drawn = (samples.draw_text(rng) for _ in range(pairs))
    return texts + [{"question": question, "answer": answer} for question, answer in pairs_drawn]


def _kit(folder: Path) -> list[str | dict[str, str]]:
    """KIT captions of its train split alone, so that no test caption is read."""
    path = folder / "text" / "kitml_annotations_tmr.json"
    try:
        annotations: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        train = set((folder / "text" / "kitml_train.txt").read_text(encoding="utf-8").split())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: not the KIT-ML annotations of the training data ({error}).") from error
    return [
        a["text"].strip().lower() for key, entry in annotations.items() if key in train for a in entry["annotations"]
    ]
