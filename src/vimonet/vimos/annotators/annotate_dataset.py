"""Annotate a VIMOS dataset with a language model: a copy with the captions and questions that the model wrote."""

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
    """Builder of an annotated copy of a dataset; a shard holds one row group of the source.

    Args:
        source: folder of a dataset.
        annotator: writes captions and questions.
        splits: to annotate; () for all. The rows of other splits are copied.
        bar: counts rows.

    Raises:
        InputError: no finished dataset is in `source`, or it has no such split.
    """

    source: Path
    annotator: LLMAnnotator
    splits: Sequence[str] = ()
    bar: Any = None
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> answers of the model that were not kept, in this run."""

    def __post_init__(self) -> None:
        self._shards = splits_of(self.source)
        for split in self.splits:
            if split not in self._shards:
                raise InputError(f"{self.source}: no split '{split}'; there are {', '.join(self._shards)}.")

    @property
    def name(self) -> str:
        """Name of the source, which the copy keeps."""
        path = self.source / "build.json"
        return str(json.loads(path.read_text("utf-8"))["name"]) if path.is_file() else self.source.resolve().name

    def settings(self) -> dict[str, Any]:
        """Describe source, model and request: other ones give another dataset."""
        facts = json.loads((self.source / "vimos.json").read_text("utf-8"))
        asked = {
            key: getattr(self.annotator, key) for key in ("styles", "questions", "captions", "frames", "generator")
        }
        return {"builder": "annotated", "source_sha256": facts["sha256"], "splits": sorted(self.splits), **asked}

    def shards(self) -> list[Shard]:
        """List the row groups of the source by split."""
        found = []
        for split, paths in self._shards.items():
            groups = [(str(path), group) for path in paths for group in range(pq.ParquetFile(path).num_row_groups)]
            found += [Shard(split, number, group) for number, group in enumerate(groups)]
        return found

    def records(self, shard: Shard) -> Iterator[Record | Skipped | Attached]:
        """Annotate the rows of a shard; a row of which a request failed keeps its other annotations and is named."""
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
    """Write the annotated copy of a dataset; the same call continues an interrupted one and asks again what failed.

    Args:
        builder: source and annotator.
        out: folder of the copy.
        overwrite: replace a dataset of other settings.
        progress: show a bar of rows with the time left.

    Raises:
        InputError: `out` holds something else, or (EndpointError) the endpoint answers nothing at all.
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
