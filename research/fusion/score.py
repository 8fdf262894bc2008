"""Score the four input conditions of a paired dataset: with motion, video, both, neither.

    python -m research.fusion.score data/vimos-paired --arm motion DIR ... --arm paired DIR ... -o runs/fusion/table

An answer counts as right where greedy decoding gives it word for word. That is read from one pass over the right
answer: decoding says exactly these tokens if and only if each of them is the likeliest after the ones before it. So all
questions about a clip share one copy of its tokens, as in training, at a fifteenth of the cost of writing answers out.
Questions whose answers may come behind steps (`vimonet.vimos.types`) are answered in full: the
result alone is judged.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm.auto import tqdm

from vimonet.bench.datasets import open_dataset
from vimonet.bench.predictions import weights_sha256
from vimonet.bench.report import write_text
from vimonet.training.data import Sample
from vimonet.training.data.collator import Collator, FrameCache
from vimonet.training.objective import IGNORE
from vimonet.utils.errors import InputError
from vimonet.vimos import question_forms
from vimonet.vimos.parquet import Instruction, Record
from vimonet.vimos.reading import read_records
from vimonet.vimos.types import STEPS, result_of

CELLS = ("motion", "video", "both", "neither")
NEEDS = ("picture", "motion", "both")
"""What a question needs, as its evidence says."""

_ROOM = 4096
"""Tokens of a row: no question is left out."""

_TOGETHER = 64
"""Questions that are answered in full at a time."""


@dataclass(frozen=True)
class Scored:
    """A question and, by cell, whether a model answered it.

    Attributes:
        id: of row and question.
        recording: the row's: what is resampled.
        needs: one of NEEDS.
        family: finer, see `family_of`.
        form, wording, answer: of the question.
        options: how many answers it offers; 0 where it is open.
        right: by cell.
    """

    id: str
    recording: str
    needs: str
    family: str
    form: str
    wording: str
    answer: str
    options: int
    right: dict[str, bool]


def family_of(needs: str, form: str) -> str:
    """The family of a question's form: of the picture *clothes*, *things*, *room*, *lamp*; of both *lamp*, *hand and
    thing*, *way and thing*, *whose shirt*, *order*, *side*; of the motion the benchmark's styles.
    """
    if needs == "picture":
        if form.partition("_")[0] in ("shirt", "trousers", "hair"):
            return "clothes"
        return {"prop": "things", "lamp": "lamp"}.get(form.partition("_")[0], "room")
    if needs == "both":
        if "lamp" in form:
            return "lamp"
        if form in ("prop_of_hand", "hand_of_prop", "prop_of_arm"):
            return "hand and thing"
        if form in ("prop_of_turn", "prop_of_way"):
            return "way and thing"
        if form == "shirt_of":
            return "whose shirt"
        return "side" if question_forms.needs(form, "side") else "order"
    known = question_forms.FORMS.get(form)
    return (known.style if known else form).replace("_", " ")


def score_cells(
    model: str | Path,
    dataset: str | Path,
    split: str = "test",
    *,
    cache: str | Path,
    batch: int = 8,
    device: str = "",
    bf16: bool = True,
    progress: bool = True,
) -> list[Scored]:
    """Ask a model every question of a paired dataset in each cell that it can read.

    A model without a video tower is not shown videos: its *video* is *neither*, its *both* is *motion*.

    Args:
        model: folder of a trained model.
        dataset: folder of a dataset with motion and video in every row.
        split: asked.
        cache: folder for decoded frames, shared by models.
        batch: rows per pass.
        device: where to compute; empty for a GPU where there is one.
        bf16: in bfloat16 where training was, which is twice as fast; False for float32.
        progress: show a bar.

    Raises:
        InputError: no model, no dataset, or rows without motion, video, or ``needs``.
    """
    import vimonet

    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    loaded = vimonet.load(str(model), device=place)
    rows = list(read_records(dataset, split))
    if not rows or any(row.motion is None or row.video is None for row in rows):
        raise InputError(
            f"{dataset}: the cells need motion and video in every row; build it with research/fusion/scenes."
        )
    frames = loaded.processor.video_processor
    clips = [(str(Path(dataset) / str(row.video)), None, None) for row in rows]
    collate = Collator(
        loaded.processor.tokenizer,
        loaded.processor.feature_extractor,
        fold_questions=loaded.processor.fold_questions,
        chat_template=str(loaded.processor.chat_template),
        max_tokens=_ROOM,
        frame_processor=frames,
        video_frames=None if frames is None else FrameCache(cache, clips, frames),
    )
    own = ("motion", "neither") if frames is None else CELLS
    asked = [(row, number, told) for row in rows for number, told in enumerate(row.instructions)]
    right: dict[str, list[bool]] = {}
    for cell in own:
        samples = [sample_of(row, clip, cell) for row, clip in zip(rows, clips, strict=True)]
        samples = [sample for sample in samples if sample["qa_pairs"]]
        read: list[bool] = []
        for start in tqdm(range(0, len(samples), batch), desc=cell, unit="batch", disable=not progress):
            read += _right(loaded.model, collate(samples[start : start + batch]), place, bf16)
        with torch.autocast(place.partition(":")[0], torch.bfloat16, enabled=bf16):
            written = _written_out(loaded, rows, cell, Path(dataset), progress)
        one, other = iter(read), iter(written)
        right[cell] = [next(other if _stepped(told) else one) for _, _, told in asked]
    if frames is None:
        right |= {"video": right["neither"], "both": right["motion"]}
    return [
        _scored(row, number, told, {cell: right[cell][k] for cell in CELLS})
        for k, (row, number, told) in enumerate(asked)
    ]


def _scored(row: Record, number: int, told: Instruction, right: dict[str, bool]) -> Scored:
    needs = told.evidence.get("needs")
    if needs not in NEEDS:
        raise InputError(
            f"{row.id}: a question does not say what it needs; build the dataset with research/fusion/scenes."
        )
    return Scored(
        *(f"{row.id}/{number}", row.recording, needs, family_of(needs, told.form), told.form, told.wording),
        *(told.answer, len(told.options), right),
    )


def sample_of(row: Record, clip: tuple[str, None, None], cell: str) -> Sample:
    """Make a training sample of a row's questions without steps, with the streams of a cell."""
    assert row.motion is not None
    seen = cell in ("motion", "both")
    return {
        "joints": row.motion.joints if seen else None,
        "confidence": row.motion.confidence if seen else None,
        "dimensions": row.motion.dimensions,
        "qa_pairs": [(told.question, told.answer) for told in row.instructions if not _stepped(told)],
        "source": row.source,
        "video": clip if cell in ("video", "both") else None,
    }


def _stepped(told: Instruction) -> bool:
    """Whether an answer may come behind steps: then it is written out."""
    return bool(told.evidence.get(STEPS))


def _written_out(model: Any, rows: list[Record], cell: str, folder: Path, bar: bool) -> list[bool]:
    """Of the questions with steps: whether the model comes to the answer when it answers in full."""
    asked = [(told, row) for row in rows for told in row.instructions if _stepped(told)]
    found: list[bool] = []
    for start in tqdm(range(0, len(asked), _TOGETHER), desc=f"{cell}, in steps", unit="batch", disable=not bar):
        chosen, triples = asked[start : start + _TOGETHER], []
        for told, row in chosen:
            motion = row.motion if cell in ("motion", "both") else None
            video = str(folder / str(row.video)) if cell in ("video", "both") else None
            triples.append((told.question, motion, video))
        answers = model.ask_batch(triples)
        found += [result_of(said.model_text) == told.answer for said, (told, _) in zip(answers, chosen, strict=True)]
    return found


@torch.inference_mode()
def _right(model: Any, batch: dict[str, torch.Tensor], device: str, bf16: bool) -> list[bool]:
    """Whether each answer of a batch is what greedy decoding gives, row by row and in the order of the questions."""
    labels, _ = batch.pop("labels"), batch.pop("modality_groups")
    with torch.autocast(device.partition(":")[0], torch.bfloat16, enabled=bf16):
        logits = model(**{name: values.to(device) for name, values in batch.items()}, use_cache=False).logits
    learnt = labels[:, 1:] != IGNORE
    same = (logits[:, :-1].argmax(-1).cpu() == labels[:, 1:]) | ~learnt
    return by_answer(same.numpy(), learnt.numpy())


def by_answer(same: NDArray[np.bool_], learnt: NDArray[np.bool_]) -> list[bool]:
    """Whether all of an answer's tokens are the same, of rows of tokens [B, L], row by row and answer by answer.

    Every question stands between two answers: an answer is a run of learnt tokens.
    """
    found: list[bool] = []
    for row, mask in zip(same, learnt, strict=True):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
        found += [bool(row[start:end].all()) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    return found


def scores_of(model: str | Path, dataset: str | Path, split: str, *, out: Path, device: str = "") -> list[Scored]:
    """`score_cells`, kept in `out` by the digest of model and dataset: what was scored is not scored again.

    Raises:
        InputError: as `score_cells`.
    """
    origin = Path(model)
    digest = f"{weights_sha256(origin)[:12]}-{open_dataset(dataset).sha256[:8]}" if origin.exists() else ""
    path = out / "scores" / f"{origin.name}-{split}-{digest}.jsonl"
    if digest and path.is_file():
        return [Scored(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]
    scores = score_cells(model, dataset, split, cache=out / "frames", device=device)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, "\n".join(json.dumps(asdict(score)) for score in scores))
    return scores


def main(arguments: Sequence[str] | None = None) -> int:
    """Score arms of models and write the table; returns the exit code."""
    from research.fusion.score_table import FusionTable

    parser = argparse.ArgumentParser(prog="python -m research.fusion.score", description=__doc__.splitlines()[0])
    parser.add_argument("dataset", help="paired dataset (vimonet data build research/fusion/scenes/paired_builder.py)")
    parser.add_argument(
        *("-a", "--arm"),
        dest="arms",
        action="append",
        nargs="+",
        required=True,
        metavar="NAME DIR",
        help="a way of training and its models, one a seed; motion and video name the specialists",
    )
    parser.add_argument("--split", default="test", help="split to ask (default: test)")
    parser.add_argument("--seed", type=int, default=0, help="of the resampling (default: 0)")
    parser.add_argument("--samples", type=int, default=4000, help="resamples of an interval (default: 4000)")
    parser.add_argument("--device", default="", help="cpu, cuda ... (default: a GPU where there is one)")
    parser.add_argument("-o", "--output", required=True, metavar="DIR", help="an interrupted run continues there")
    args = parser.parse_args(arguments)
    out = Path(args.output)
    try:
        if bare := next((name for name, *models in args.arms if not models), None):
            raise InputError(f"--arm {bare}: name its models too, one a seed.")
        runs = {
            name: [scores_of(model, args.dataset, args.split, out=out, device=args.device) for model in models]
            for name, *models in args.arms
        }
        table = FusionTable(runs, args.seed, args.samples)
    except InputError as error:
        print(f"score: {error}", file=sys.stderr)
        return 2
    table.save(out)
    print(table.markdown())
    print(f"written to {out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
