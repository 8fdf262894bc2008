"""Annotate a VIMOS dataset with a language model: write a copy with the model's captions and questions."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from tqdm import tqdm

from vimonet.utils.errors import InputError
from vimonet.vimos.annotators.llm_annotator import LLMAnnotator
from vimonet.vimos.dataset_writer import Attached, Build, Shard, Skipped, build, is_done
from vimonet.vimos.parquet import Record, from_row
from vimonet.vimos.reading import read_rows, splits_of


@dataclass
class AnnotatedBuilder:
    """Build an annotated copy of a dataset; a shard holds one row group of the source.

    Args:
        source: folder of a dataset.
        annotator: annotator that writes captions and questions.
        splits: splits to annotate, () for all; rows of other splits are copied.
        bar: progress bar that counts rows.

    Raises:
        InputError: `source` holds no finished dataset, or lacks a split.
    """

    source: Path
    annotator: LLMAnnotator
    splits: Sequence[str] = ()
    bar: Any = None
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> number of the model's answers that this run dropped."""

    def __post_init__(self) -> None:
        self._shards = splits_of(self.source)
        for split in self.splits:
            if split not in self._shards:
                raise InputError(f"{self.source}: no split '{split}'; there are {', '.join(self._shards)}.")

    @property
    def name(self) -> str:
        """Return the name of the source, which the copy keeps."""
        path = self.source / "build.json"
        return str(json.loads(path.read_text("utf-8"))["name"]) if path.is_file() else self.source.resolve().name

    def settings(self) -> dict[str, Any]:
        """Return source, model and request, on which the result depends."""
        facts = json.loads((self.source / "vimos.json").read_text("utf-8"))
        keys = ("styles", "questions", "captions", "frames", "generator")
        request = {key: getattr(self.annotator, key) for key in keys}
        return {"builder": "annotated", "source_sha256": facts["sha256"], "splits": sorted(self.splits), **request}

    def shards(self) -> list[Shard]:
        """List the row groups of the source by split."""
        found = []
        for split, paths in self._shards.items():
            groups = [(str(path), group) for path in paths for group in range(pq.ParquetFile(path).num_row_groups)]
            found += [Shard(split, number, group) for number, group in enumerate(groups)]
        return found

    def records(self, shard: Shard) -> Iterator[Record | Skipped | Attached]:
        """Annotate the rows of a shard; a row with a failed request keeps its other annotations and is reported."""
        path, group = shard.keys
        records = [from_row(row) for row in read_rows(Path(path), row_groups=[group])]
        for video in dict.fromkeys(record.video for record in records):
            if video is not None:
                yield Attached(str(self.source / video), video)
        if self.splits and shard.split not in self.splits:
            yield from records
            self._count(len(records))
            return
        found = self.annotator.annotate(records, self.source)
        for record, annotation in zip(records, found, strict=True):
            self._count(1)
            self.dropped.update(annotation.dropped)
            if annotation.failed:
                yield Skipped(record.id, "; ".join(annotation.failed))
            yield replace(
                record,
                captions=(*record.captions, *annotation.captions),
                instructions=(*record.instructions, *annotation.instructions),
            )

    def _count(self, rows: int) -> None:
        if self.bar is not None:
            self.bar.update(rows)

    def describe(self) -> str:
        """Describe the dataset for its card."""
        model, generator = self.annotator.endpoint.settings.model, self.annotator.generator
        return (
            f"The rows of {self.name} with captions and questions that {model} wrote from measured facts, people's "
            f"captions and key frames (generator `{generator}`). Each names the evidence it rests on."
        )


def annotate_dataset(
    builder: AnnotatedBuilder, out: str | Path, *, overwrite: bool = False, progress: bool = True
) -> Build:
    """Write the annotated copy of a dataset; continue an interrupted copy and repeat failed requests.

    Args:
        builder: source and annotator.
        out: folder of the copy.
        overwrite: replace a dataset of other settings.
        progress: show a progress bar.

    Raises:
        InputError: `out` holds other files, or (EndpointError) the endpoint answers no request.
    """
    if Path(out).resolve() == builder.source.resolve():
        raise InputError(f"{out}: this is the dataset itself; give --output another folder.")
    rows = {
        shard.path: pq.ParquetFile(shard.keys[0]).metadata.row_group(shard.keys[1]).num_rows
        for shard in builder.shards()
    }
    done = sum(number for path, number in rows.items() if is_done(Path(out) / path, retry_skipped=True))
    with tqdm(total=sum(rows.values()), initial=done, desc="annotate", unit="row", disable=not progress) as builder.bar:
        return build(builder, out, workers=0, overwrite=overwrite, progress=False, retry_skipped=True)
