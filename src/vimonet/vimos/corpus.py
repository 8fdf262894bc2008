"""Text alone, from which the nano's language model first learns to speak: captions, and questions with answers."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vimonet.errors import InputError
from vimonet.vimos import sources as real
from vimonet.vimos.build import training_samples
from vimonet.vimos.wordings import ask


def text_corpus(
    *,
    count: int = 24000,
    pairs: int = 60000,
    sources: Sequence[str] | None = None,
    root: str | None = None,
    seed: int = 0,
    cache: str = "data/vimos",
) -> list[str | dict[str, str]]:
    """Sentences about movement and question-answer pairs without the movement.

    Args:
        count: samples of the training set the questions come from (see `training_samples`).
        pairs: number of question-answer pairs.
        sources: corpora, as for `training_samples`.
        root: data folder, None for the one beside a working checkout.
        seed: of the draw.
        cache: folder of built sets.

    Returns:
        Sentences (KIT Motion-Language captions, MIT-licensed index) and ``{"question", "answer"}`` mappings.
    """
    rng = random.Random(seed)
    texts: list[str | dict[str, str]] = []
    if sources is None or set(sources) != {"synthetic"}:
        texts += _kit(real.default_root() if root is None else Path(root))
    samples = training_samples("train", count=count, sources=sources, root=root, seed=seed, cache=cache)
    for _ in range(pairs):
        row = samples.rows[rng.randrange(len(samples.rows))]
        form, answer, slots, _ = rng.choice(row["questions"])
        texts.append({"question": ask(form, rng, **slots), "answer": answer})
    return texts


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
