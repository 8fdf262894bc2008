"""How well captions find their own movements: the retrieval section of a report.

People's captions show what the evaluator can tell apart, the model's are ranked in the same pools, and captions dealt
to other recordings show what chance gives. The measures: :mod:`vimonet.retrieval.r_precision`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vimonet.bench.scoring.score_table import ALL, as_score, recordings_of
from vimonet.retrieval.r_precision import POOL, TOP, Figure, Retrieval, retrieval_of_vectors
from vimonet.utils.errors import InputError

if TYPE_CHECKING:
    from vimonet.retrieval.text_motion import Evaluator
    from vimonet.vimos.types import Item

PEOPLE = "people"
MEASURES = (*(f"r_precision@{k}" for k in TOP), "mm_dist")

_NO_WORDS = "."


def find_evaluator(folder: str | Path | None = None) -> Evaluator | None:
    """The evaluator of a folder; for None the shipped one, or None where none is shipped.

    Raises:
        InputError: a folder was named and holds no evaluator, or the shipped one is damaged.
    """
    from vimonet.retrieval.text_motion import Evaluator, shipped_evaluator

    if folder is None and not shipped_evaluator().is_dir():
        return None
    return Evaluator.load(folder)


def retrieval_rows(
    evaluator: Evaluator, items: Sequence[Item], systems: Mapping[str, Mapping[str, str]], seed: int = 0
) -> list[dict[str, Any]]:
    """R-precision and MM-Dist of the references and of every system's captions, per source and over all.

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
    """The distinct references of the items about one movement: ``evidence[key]``, else the answer (raw ones only)."""
    texts: list[str] = []
    for item in items:
        told = item.evidence.get(key) or ([item.answer] if key == "references" else [])
        texts += [told] if isinstance(told, str) else map(str, told)
    return list(dict.fromkeys(texts))


def _row(
    evaluator: Evaluator,
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


def _readable(evaluator: Evaluator) -> set[int]:
    """Dimensions of the movements that it has a tower for."""
    config = evaluator.model.config
    return {d for d, tower in ((3, config.motion_config), (2, config.keypoint_config)) if tower is not None}
