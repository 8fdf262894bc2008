"""Score captions: against their references (n-grams, sentence embeddings), and by how well they find their motions.

People's captions show how much the text-motion encoder can tell apart, the model's are ranked in the same pools, and
captions dealt to other recordings show the score of chance. The metrics: :mod:`vimonet.retrieval.r_precision`.
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
    table,
)
from vimonet.retrieval.r_precision import POOL, TOP, Figure, Retrieval, retrieval_of_vectors
from vimonet.utils import statistics
from vimonet.utils.errors import InputError

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
    """Score the captions of every system against all references of an item, per source.

    References are ``evidence["references"]`` (else the answer), as raw text; items about one motion are one
    caption with the references of all. Where every item also has ``evidence["references_lemmatised"]`` the scores
    against those are given as a row of their own. With a similarity, raw captions also have ``similarity``.
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
                    said = [run.systems[name][item.id] for item in own]
                    scores["similarity"] = run.mean(run.similarity(said, references), own)
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
            from vimonet.bench.predictions import weights_sha256

            self.sha256 = weights_sha256(folder)
        self._known: dict[str, NDArray[np.float32]] = {}

    def __call__(self, captions: Sequence[str], references: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Measure the similarity [N] in -1..1 of each caption to its nearest reference; 0 for one without words."""
        self._read([*captions, *(text for group in references for text in group)])
        return np.array([self._nearest(*pair) for pair in zip(captions, references, strict=True)], dtype=np.float64)

    def describe(self) -> str:
        """Return name and hash, for a report."""
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


# ------------------------------- retrieval


def find_evaluator(folder: str | Path | None = None) -> TextMotionEncoder | None:
    """Load the text-motion encoder of a folder; for None the shipped one, or None where none is shipped.

    Raises:
        InputError: a folder was named and holds no evaluator, or the shipped one is damaged.
    """
    from vimonet.retrieval.text_motion_encoder import TextMotionEncoder, shipped_encoder

    if folder is None and not shipped_encoder().is_dir():
        return None
    return TextMotionEncoder.load(folder)


def retrieval(run: RunAnswers) -> list[dict[str, Any]]:
    """Score how well captions find their motions; no rows without a text-motion encoder."""
    if run.evaluator is None:
        return []
    return retrieval_rows(run.evaluator, [item for item in run.items if is_caption(item)], run.systems, run.seed)


def retrieval_rows(
    evaluator: TextMotionEncoder, items: Sequence[Item], systems: Mapping[str, Mapping[str, str]], seed: int = 0
) -> list[dict[str, Any]]:
    """Score references and every system's captions by R-precision and MM-Dist, per source and over all.

    Every reference of a clip has a pool of its own; a system's caption takes the place of each of them in turn, so that
    all systems meet the same pools. An empty caption is scored as a full stop.

    Args:
        evaluator: trained on other recordings than these.
        items: captions about movements; what the evaluator does not read (2D keypoints, videos) is left out.
        systems: captions of each system by item id; one that lacks a clip is left out.
        seed: of the pools, the random pairs and the intervals.

    Returns:
        Rows of ``source, n`` (references)``, clips, pool, draws, evaluator, systems {name: {measure: score}}``. The
        references are the system ``people`` (``references`` where not all are written by people); measures are
        ``r_precision@1`` to ``@3`` and ``mm_dist``, each also as ``random_...`` for captions dealt to other recordings.
        A row with too few references for a pool has no systems, and says so in ``lacking``.
    """
    clips: dict[tuple[str, str, int], list[Item]] = {}
    for item in items:
        if getattr(item.motion, "dimensions", 0) in _readable(evaluator):
            clips.setdefault((item.source, item.form, id(item.motion)), []).append(item)
    every = list(clips.values())
    sources = sorted({group[0].source for group in every})
    chosen = [(ALL, every)] if len(sources) > 1 else []
    chosen += [(source, [group for group in every if group[0].source == source]) for source in sources]
    return [_row(evaluator, source, groups, systems, seed) for source, groups in chosen]


def references_of(items: Sequence[Item], key: str = "references") -> list[str]:
    """List the distinct references of the items about one motion: ``evidence[key]``, else the answer (raw only)."""
    texts: list[str] = []
    for item in items:
        told = item.evidence.get(key) or ([item.answer] if key == "references" else [])
        texts += [told] if isinstance(told, str) else map(str, told)
    return list(dict.fromkeys(texts))


def _row(
    evaluator: TextMotionEncoder,
    source: str,
    clips: Sequence[Sequence[Item]],
    systems: Mapping[str, Mapping[str, str]],
    seed: int,
) -> dict[str, Any]:
    told = [references_of(group) for group in clips]
    owner = [k for k, texts in enumerate(told) for _ in texts]
    texts = [text for group in told for text in group]
    recordings = recordings_of([clips[k][0] for k in owner])
    movements = evaluator.motions([group[0].motion for group in clips])[owner]
    references = evaluator.texts(texts)
    writers = {writer for group in clips for item in group for writer in item.evidence.get("writers", ("",))}
    row: dict[str, Any] = {"source": source, "n": len(texts), "clips": len(clips), "evaluator": evaluator.fingerprint}
    captions = {
        name: [said[group[0].id] for group in clips]
        for name, said in systems.items()
        if all(group[0].id in said for group in clips)
    }
    scored: dict[str, dict[str, Any]] = {}
    try:
        for name in (PEOPLE if writers == {PEOPLE} else "references", *captions):
            candidates = None
            if name in captions:
                candidates = evaluator.texts([caption.strip() or _NO_WORDS for caption in captions[name]])[owner]
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


def _readable(evaluator: TextMotionEncoder) -> set[int]:
    """List the dimensions of the motions that it has a tower for."""
    config = evaluator.model.config
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
