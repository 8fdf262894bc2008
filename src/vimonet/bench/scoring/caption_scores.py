"""Score captions against references (n-grams, sentence embeddings) and by retrieval of their motions.

Retrieval ranks people's captions, the model's captions and captions dealt to other recordings (chance) in the same
pools; see :mod:`vimonet.retrieval.r_precision`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from vimonet.bench.scoring import text_metrics
from vimonet.bench.scoring.score_table import (
    ALL,
    MODEL,
    SYSTEM_NAMES,
    Answers,
    Row,
    RunAnswers,
    Score,
    Section,
    as_score,
    is_caption,
    recordings_of,
    show,
)
from vimonet.retrieval.r_precision import POOL, TOP, Figure, Retrieval, retrieval_of_vectors
from vimonet.utils import statistics
from vimonet.utils.errors import InputError
from vimonet.utils.markdown import table

if TYPE_CHECKING:
    from vimonet.retrieval.text_motion_encoder import TextMotionEncoder
    from vimonet.vimos.types import Item

PEOPLE = "people"
MEASURES = (*(f"r_precision@{k}" for k in TOP), "mm_dist")

_NO_WORDS = "."
_METRICS = {
    "bleu1": "BLEU-1",
    "bleu2": "BLEU-2",
    "bleu3": "BLEU-3",
    "bleu4": "BLEU-4",
    "rouge_l": "ROUGE-L",
    "cider": "CIDEr",
}


# ------------------------------- against their references


def captions(run: RunAnswers) -> list[dict[str, Any]]:
    """Score the captions of every system against all references of a motion, per source.

    References are ``evidence["references"]`` (else the answer). If every item has
    ``evidence["references_lemmatised"]``, these give a separate row. A run with a similarity adds it to raw rows.
    """
    found = []
    for source, _, every in run.groups(is_caption, kinds=False, together=False):
        clips: dict[tuple[str, int], list[Item]] = {}
        for item in every:
            clips.setdefault((item.form, id(item.motion)), []).append(item)
        own = [group[0] for group in clips.values()]
        protocols = {"raw": [references_of(group) for group in clips.values()]}
        lemmatised = [references_of(group, "references_lemmatised") for group in clips.values()]
        if all(lemmatised):
            protocols["lemmatised"] = lemmatised
        for protocol, references in protocols.items():
            systems = {
                name: _caption_scores(run, own, references, answers)
                for name, answers in run.systems.items()
                if all(item.id in answers for item in own)
            }
            measured: dict[str, Any] = {}
            if run.similarity is not None and protocol == "raw":
                measured["similarity_model"] = run.similarity.describe()
                for name, scores in systems.items():
                    predicted = [run.systems[name][item.id] for item in own]
                    scores["similarity"] = run.mean(run.similarity(predicted, references), own)
            found.append(
                {
                    "source": source,
                    "references": protocol,
                    "references_per_item": float(np.mean([len(group) for group in references])),
                    "tokeniser": text_metrics.TOKENISER,
                    "cider_scale": text_metrics.CIDER_SCALE,
                    **measured,
                    "n": len(own),
                    "systems": systems,
                }
            )
    return found


def _caption_scores(
    run: RunAnswers, items: list[Item], references: list[list[str]], answers: Answers
) -> dict[str, Score]:
    result = text_metrics.caption_scores([answers[item.id] for item in items], references)
    groups = recordings_of(items)
    index, weights = statistics.cluster_weights(groups, run.seed, min(1000, run.samples))
    draws = result.weighted(weights[:, index].astype(np.float64)) if weights.shape[1] > 1 else np.zeros((0, 6))
    intervals = [statistics.percentiles(draws[:, k]) for k in range(len(text_metrics.CAPTION_METRICS))]
    return {
        name: as_score(result.scores[name], interval, len(items), len(set(groups)))
        for name, interval in zip(text_metrics.CAPTION_METRICS, intervals, strict=True)
    }


def _captions_markdown(rows: Sequence[Row]) -> str:
    model = next((row["similarity_model"] for row in rows if "similarity_model" in row), None)
    names = {**_METRICS, **({"similarity": "similarity"} if model else {})}
    body = []
    for row in rows:
        for name, scores in row["systems"].items():
            line = [row["source"], row["references"], f"{row['references_per_item']:.1f}", str(row["n"])]
            body.append([*line, SYSTEM_NAMES.get(name, name), *(show(scores.get(key), 3) for key in names)])
    rows_of = table(["source", "references", "per caption", "n", "system", *names.values()], body)
    notes = f"Tokeniser: {rows[0]['tokeniser']}. CIDEr: {rows[0]['cider_scale']}."
    if model:
        notes += f" Similarity: cosine to the nearest reference in the sentence embeddings of {model}."
    return f"{rows_of}\n\n{notes}"


# ------------------------------- sentence embeddings


class Similarity:
    """Measure the cosine of a caption and its nearest reference in sentence embeddings (Sentence-BERT, 1908.10084).

    The nearest reference counts, not the mean, because references of one movement describe different aspects. The scale
    is the model's own, with unrelated captions above 0; compare with the shuffled control.

    Args:
        model: folder or hub id of a sentence-transformers model; a folder needs no network.
        device: device of the model; None for the CPU.

    Attributes:
        name: hub id, or name of the folder.
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
            # Safetensors only, because pickled weights can run code.
            options = {"use_safetensors": True}
            self._model: Any = SentenceTransformer(
                str(folder if folder.is_dir() else model), device=device or "cpu", model_kwargs=options
            )
        except Exception as error:  # transformers and the hub raise many types of errors
            first = " ".join((str(error).strip() or type(error).__name__).split())[:200]
            raise InputError(f"{model}: no sentence-transformers model can be loaded from there ({first})") from None
        self.name = folder.resolve().name if folder.is_dir() else str(model)
        self.sha256: str | None = None
        if folder.is_dir():
            from vimonet.bench.predictions import weights_sha256

            self.sha256 = weights_sha256(folder)
        self._known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Compute the similarity, [N] in -1..1, of each caption to its nearest reference; 0 for an empty caption."""
        self._read([*captions, *(text for group in references for text in group)])
        return np.array([self._nearest(*pair) for pair in zip(captions, references, strict=True)], dtype=np.float64)

    def describe(self) -> str:
        """Describe the model by name and hash."""
        return f"{self.name} ({self.sha256[:12]})" if self.sha256 else self.name

    def _nearest(self, caption: str, references: Sequence[str]) -> float:
        worded = [text for text in references if text.strip()]
        if not caption.strip() or not worded:
            return 0.0
        return float(max(self._known[text] @ self._known[caption] for text in worded))

    def _read(self, texts: Sequence[str]) -> None:
        new = [text for text in dict.fromkeys(texts) if text.strip() and text not in self._known]
        if new:
            vectors = self._model.encode(
                new, normalize_embeddings=True, convert_to_numpy=True, show_progress_bar=False
            ).astype(np.float32)
            self._known.update(zip(new, vectors, strict=True))


# ------------------------------- retrieval


def find_encoder(folder: str | Path | None = None) -> TextMotionEncoder | None:
    """Load the text-motion encoder of a folder, or for None the shipped one, if any.

    Raises:
        InputError: the folder holds no text-motion encoder, or the shipped one is damaged.
    """
    from vimonet.retrieval.text_motion_encoder import TextMotionEncoder, shipped_encoder

    if folder is None and not shipped_encoder().is_dir():
        return None
    return TextMotionEncoder.load(folder)


def retrieval(run: RunAnswers) -> list[dict[str, Any]]:
    """Score retrieval of motions by captions; return no rows without a text-motion encoder."""
    if run.encoder is None:
        return []
    return retrieval_rows(run.encoder, [item for item in run.items if is_caption(item)], run.systems, run.seed)


def retrieval_rows(
    encoder: TextMotionEncoder, items: Sequence[Item], systems: Mapping[str, Mapping[str, str]], seed: int = 0
) -> list[dict[str, Any]]:
    """Score references and every system's captions by R-precision and MM-Dist, per source and overall.

    Every reference of a clip has a pool. A system's caption replaces each reference in turn, so that all systems meet
    the same pools. An empty caption counts as a full stop.

    Args:
        encoder: text-motion encoder that was trained on other recordings.
        items: captions about movements; inputs that the encoder does not read are left out.
        systems: captions of each system by item id; a system that lacks a clip is left out.
        seed: seed of the pools, the random pairs and the intervals.

    Returns:
        Rows of ``source, n`` (references)``, clips, pool, draws, evaluator, systems {name: {measure: score}}``. The
        references are the system ``people`` (``references`` if not all are by people); measures are
        ``r_precision@1`` to ``@3`` and ``mm_dist``, each also as ``random_...`` for captions dealt to other recordings.
        A row with too few references for a pool has no systems, and the reason in ``lacking``.
    """
    clips: dict[tuple[str, str, int], list[Item]] = {}
    for item in items:
        if getattr(item.motion, "dimensions", 0) in _readable(encoder):
            clips.setdefault((item.source, item.form, id(item.motion)), []).append(item)
    every = list(clips.values())
    sources = sorted({group[0].source for group in every})
    chosen = [(ALL, every)] if len(sources) > 1 else []
    chosen += [(source, [group for group in every if group[0].source == source]) for source in sources]
    return [_row(encoder, source, groups, systems, seed) for source, groups in chosen]


def references_of(items: Sequence[Item], key: str = "references") -> list[str]:
    """List the distinct references of the items about one motion: ``evidence[key]``, else the answer (raw only)."""
    texts: list[str] = []
    for item in items:
        found = item.evidence.get(key) or ([item.answer] if key == "references" else [])
        texts += [found] if isinstance(found, str) else map(str, found)
    return list(dict.fromkeys(texts))


def _row(
    encoder: TextMotionEncoder,
    source: str,
    clips: Sequence[Sequence[Item]],
    systems: Mapping[str, Mapping[str, str]],
    seed: int,
) -> dict[str, Any]:
    own = [references_of(group) for group in clips]
    owner = [k for k, texts in enumerate(own) for _ in texts]
    texts = [text for group in own for text in group]
    recordings = recordings_of([clips[k][0] for k in owner])
    movements = encoder.motions([group[0].motion for group in clips])[owner]
    references = encoder.texts(texts)
    writers = {writer for group in clips for item in group for writer in item.evidence.get("writers", ("",))}
    row: dict[str, Any] = {"source": source, "n": len(texts), "clips": len(clips), "evaluator": encoder.fingerprint}
    captions = {
        name: [predicted[group[0].id] for group in clips]
        for name, predicted in systems.items()
        if all(group[0].id in predicted for group in clips)
    }
    scored: dict[str, dict[str, Any]] = {}
    try:
        for name in (PEOPLE if writers == {PEOPLE} else "references", *captions):
            candidates = None
            if name in captions:
                candidates = encoder.texts([caption.strip() or _NO_WORDS for caption in captions[name]])[owner]
            found = retrieval_of_vectors(
                movements, references, texts, recordings, candidates=candidates, clips=owner, seed=seed
            )
            scored[name] = _scores(found)
            row |= {"pool": found.pool, "draws": found.draws}
    except InputError as error:
        return {**row, "pool": POOL, "lacking": str(error), "systems": {}}
    return {**row, "systems": scored}


def _scores(found: Retrieval) -> dict[str, dict[str, Any]]:
    figures: dict[str, Figure] = {f"r_precision@{k}": figure for k, figure in found.r_precision.items()}
    figures["mm_dist"] = found.mm_dist
    figures |= {f"random_r_precision@{k}": figure for k, figure in found.random_r_precision.items()}
    figures["random_mm_dist"] = found.random_mm_dist
    return {
        name: as_score(figure.value, figure.interval, found.n, found.recordings) for name, figure in figures.items()
    }


def _readable(encoder: TextMotionEncoder) -> set[int]:
    """List the dimensions of motions that the encoder has a tower for."""
    config = encoder.model.config
    return {d for d, tower in ((3, config.motion_config), (2, config.keypoint_config)) if tower is not None}


def _retrieval_markdown(rows: Sequence[Row]) -> str:
    body, lacking = [], []
    for row in rows:
        if row.get("lacking"):
            lacking.append(f"{row['source']}: {row['lacking']}")
        for name, scores in row["systems"].items():
            line = [row["source"], str(row["n"]), str(row["clips"])]
            body.append([*line, SYSTEM_NAMES.get(name, name), *(show(scores[key]) for key in MEASURES)])
            if name in (PEOPLE, "references", MODEL):
                random = (show(scores[f"random_{key}"]) for key in MEASURES)
                body.append([*line, f"{name}, random pairs", *random])
    head = ["source", "n", "clips", "captions", "R-precision@1", "@2", "@3", "MM-Dist"]
    return "\n\n".join([*([table(head, body)] if body else []), *lacking])


CAPTIONS = Section("captions", "Captions", "", captions, _captions_markdown)
RETRIEVAL = Section(
    "retrieval",
    "Captions find their motions",
    "A caption among 31 of other clips that say something else, ranked by distance to the motion; chance is "
    "k/32. MM-Dist: mean distance (less is better), comparable within one text-motion encoder only. Random pairs: "
    "captions dealt to recordings that they do not describe.",
    retrieval,
    _retrieval_markdown,
)
