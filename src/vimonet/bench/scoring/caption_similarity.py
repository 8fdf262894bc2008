"""Sentence-embedding similarity of captions, by any sentence-transformers model (the extra ``similarity``)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.utils.errors import InputError


class Similarity:
    """Cosine between the vectors of a caption and of the nearest of its references (Sentence-BERT, arXiv 1908.10084).

    The nearest, not the mean: references of one movement tell different things about it, and a caption need not tell
    all. The figure is one model's own scale; unrelated captions are not at 0, so read it against the shuffled control.

    Args:
        model: folder or hub id of a sentence-transformers model; a folder needs no network.
        device: where it computes; None for the CPU.

    Attributes:
        name: the model as it was named, of a folder the last part.
        sha256: hash of the weights of a folder; None for a hub id.

    Raises:
        InputError: sentence-transformers is not installed, or the model is missing or damaged.
    """

    def __init__(self, model: str | Path, device: str | None = None) -> None:
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError:
            raise InputError(
                "similarity of captions needs sentence-transformers; install it with: pip install 'vimonet[similarity]'"
            ) from None
        folder = Path(model).expanduser()
        if not folder.is_dir() and (folder.exists() or len(str(model).split("/")) > 2):
            raise InputError(f"{model}: no such folder; give that of a sentence-transformers model, or its hub id")
        if folder.is_dir() and not (folder / "modules.json").is_file():
            raise InputError(f"{folder}: modules.json is missing; the folder of a sentence-transformers model has it")
        try:
            # Safetensors only: other weights are pickles, which can run code.
            options = {"use_safetensors": True}
            self._model: Any = SentenceTransformer(
                str(folder if folder.is_dir() else model), device=device or "cpu", model_kwargs=options
            )
        except Exception as error:  # transformers and the hub raise what their parts raise
            first = " ".join((str(error).strip() or type(error).__name__).split())[:200]
            raise InputError(f"{model}: no sentence-transformers model can be loaded from there ({first})") from None
        self.name = folder.resolve().name if folder.is_dir() else str(model)
        self.sha256: str | None = None
        if folder.is_dir():
            from vimonet.bench.provenance import weights_sha256

            self.sha256 = weights_sha256(folder)
        self._known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Similarity [N] in -1..1 of each caption to the nearest of its own references; 0 for one without words."""
        self._read([*captions, *(text for group in references for text in group)])
        return np.array([self._nearest(*pair) for pair in zip(captions, references, strict=True)], dtype=np.float64)

    def describe(self) -> str:
        """Name and hash, for a report."""
        return f"{self.name} ({self.sha256[:12]})" if self.sha256 else self.name

    def _nearest(self, caption: str, references: Sequence[str]) -> float:
        told = [text for text in references if text.strip()]
        if not caption.strip() or not told:
            return 0.0
        return float(max(self._known[text] @ self._known[caption] for text in told))

    def _read(self, texts: Sequence[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text.strip() and text not in self._known]
        if new:
            vectors = self._model.encode(
                new, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
            ).astype(np.float32)
            self._known.update(zip(new, vectors, strict=True))
