"""Write the card of a dataset: ``README.md`` with the YAML front matter that `datasets` reads the splits from."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml

from vimonet.utils.files import write_text
from vimonet.utils.markdown import code_block, code_span, plain_text, table
from vimonet.vimos.dataset_writer import Build, Builder, Skipped
from vimonet.vimos.leak_report import LeakReport
from vimonet.vimos.parquet import VERSION
from vimonet.vimos.reading import damage_named, splits_of

_SKIPPED_SHOWN = 20
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


@dataclass
class Counts:
    """Count the content of a dataset in one pass over its shards.

    Attributes:
        rows, instructions, captions, videos: per split.
        seconds: duration of the movement, s, per split.
        sources: (source, split) -> rows.
        licences: (source, licence) -> rows.
        styles: (style, split) -> instructions.
        forms: (style, form) -> instructions.
        generators: (``captions`` or ``instructions``, generator) -> number.
    """

    rows: Counter[str] = field(default_factory=Counter)
    instructions: Counter[str] = field(default_factory=Counter)
    captions: Counter[str] = field(default_factory=Counter)
    videos: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    sources: Counter[tuple[str, str]] = field(default_factory=Counter)
    licences: Counter[tuple[str, str]] = field(default_factory=Counter)
    styles: Counter[tuple[str, str]] = field(default_factory=Counter)
    forms: Counter[tuple[str, str]] = field(default_factory=Counter)
    generators: Counter[tuple[str, str]] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        """Convert to the JSON of ``vimonet data info --json``."""
        return {
            name: {" / ".join(key) if isinstance(key, tuple) else key: n for key, n in sorted(counter.items())}
            for name, counter in vars(self).items()
        }


def count(folder: str | Path) -> Counts:
    """Count a dataset with one batch of rows in memory.

    Raises:
        InputError: the folder holds no dataset, or a shard is damaged.
    """
    counts = Counts()
    nested = [f"instructions.list.element.{name}" for name in ("style", "form", "generator")]
    columns = ["source", "licence", "fps", "frames", "video", "captions.list.element.generator", *nested]
    for split, paths in splits_of(folder).items():
        for path in paths:
            with damage_named(path):
                for batch in pq.ParquetFile(path).iter_batches(columns=columns, batch_size=1024):
                    _add(counts, split, batch)
    return counts


def _add(counts: Counts, split: str, batch: Any) -> None:
    counts.rows[split] += len(batch)
    counts.videos[split] += len(batch) - batch.column("video").null_count
    counts.seconds[split] += pc.sum(pc.divide(batch.column("frames"), batch.column("fps"))).as_py() or 0.0
    sources, licences = batch.column("source").to_pylist(), batch.column("licence").to_pylist()
    counts.sources.update((source, split) for source in sources)
    counts.licences.update(zip(sources, licences, strict=True))
    captions, asked = batch.column("captions").flatten(), batch.column("instructions").flatten()
    counts.captions[split] += len(captions)
    counts.instructions[split] += len(asked)
    styles, forms = (pc.struct_field(asked, name).to_pylist() for name in ("style", "form"))
    counts.styles.update((style, split) for style in styles)
    counts.forms.update((style, form.partition(":")[0]) for style, form in zip(styles, forms, strict=True))
    for what, values in (("captions", captions), ("instructions", asked)):
        counts.generators.update((what, g) for g in pc.struct_field(values, "generator").to_pylist())


def write_card(build: Build, builder: Builder, leak: LeakReport | None) -> Path:
    """Write ``README.md`` of a finished build and return its path; the same build gives the same bytes.

    Args:
        build: the finished build.
        builder: its builder, which describes the source.
        leak: leak report, or None for too few questions.

    Raises:
        InputError: the folder holds no dataset.
    """
    counts = count(build.folder)
    path = build.folder / "README.md"
    write_text(path, _front(builder.name, counts) + "\n" + _body(build, builder, counts, leak))
    return path


def _front(name: str, counts: Counts) -> str:
    rows = sum(counts.rows.values())
    files = [{"split": split, "path": f"{split}/*.parquet"} for split in _in_order(counts.rows)]
    kinds = ["motion", "human-motion", "vimos"] + ["video"] * bool(sum(counts.videos.values()))
    front = {
        "pretty_name": name,
        "license": "other",
        "license_name": "per-row",
        "licenses": sorted({licence or "unstated" for _, licence in counts.licences}),
        "language": ["en"],
        "tags": kinds,
        "task_categories": ["question-answering", "text-generation"],
        "size_categories": [next((label for most, label in _SIZES if rows < most), "n>1M")],
        "configs": [{"config_name": "default", "data_files": files}],
    }
    return f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n"


def _in_order(splits: Counter[str]) -> list[str]:
    first = [split for split in ("train", "val", "test") if split in splits]
    return first + sorted(set(splits) - set(first))


def _body(build: Build, builder: Builder, counts: Counts, leak: LeakReport | None) -> str:
    splits = _in_order(counts.rows)
    total = [
        [s, counts.rows[s], f"{counts.seconds[s] / 3600:.2f}"]
        + [getattr(counts, what)[s] for what in ("videos", "captions", "instructions")]
        for s in splits
    ]
    styles = sorted({style for style, _ in counts.styles})
    sources = sorted({source for source, _ in counts.sources})
    licences = {source: sorted({lic or "unstated" for s, lic in counts.licences if s == source}) for source in sources}
    settings = json.loads((build.folder / "build.json").read_text("utf-8"))
    parts = [
        f"# {plain_text(builder.name)}",
        builder.describe(),
        "## Content",
        _table(["split", "rows", "hours of movement", "rows with video", "captions", "instructions"], total),
        "### Instructions by style",
        _table(["style", *splits], [[style, *(counts.styles[style, s] for s in splits)] for style in styles]),
        "### Rows by source, and licences",
        _table(
            ["source", *splits, "licence"],
            [[x, *(counts.sources[x, s] for s in splits), "; ".join(licences[x])] for x in sources],
        ),
        "### Generators",
        _table(["what", "generator", "number"], [[*key, n] for key, n in sorted(counts.generators.items())]),
        "### Instructions by form",
        _table(["style", "form", "number"], [[*key, n] for key, n in sorted(counts.forms.items())]),
        "## Leak report",
        leak.markdown() if leak else "Too few questions to fit and score a question-only model.",
        "## Skipped files",
        _skipped(build.skipped),
        "## Loading",
        _LOADING,
        "## Build",
        f"Format version {VERSION}, SHA-256 over the shards `{build.digest}`, settings:\n\n"
        + code_block(json.dumps(settings, indent=1, sort_keys=True), "json"),
    ]
    return "\n\n".join(parts) + "\n"


def _table(head: list[str], rows: list[list[Any]]) -> str:
    """Write a Markdown table with right-aligned numbers."""
    if not rows:
        return "None."
    numeric = [all(isinstance(row[i], int) for row in rows) for i in range(len(head))]
    return table(head, [[f"{v:,}" if isinstance(v, int) else v for v in row] for row in rows], numeric)


def _skipped(skipped: list[Skipped]) -> str:
    if not skipped:
        return "None."
    lines = [f"{len(skipped):,} could not be used:", ""]
    lines += [f"- {code_span(entry.file)}: {plain_text(entry.reason)}" for entry in skipped[:_SKIPPED_SHOWN]]
    if len(skipped) > _SKIPPED_SHOWN:
        lines.append(f"- and {len(skipped) - _SKIPPED_SHOWN:,} more, all named in `vimos.json`")
    return "\n".join(lines)


_LOADING = """\
```python
import numpy as np
from datasets import load_dataset

rows = load_dataset("path/to/this/folder", split="train")  # streaming=True reads it row by row
row = rows[0]
joints = np.array(row["joints"], np.float32).reshape(row["frames"], 22, 3) * row["scale"]  # metres, Y up, 20 frames/s
```

`vimonet.vimos.reading.read_records(folder, "train")` streams records with `Motion` objects instead. `joints` holds 22
joints in HumanML3D order as int16 in steps of `scale` metres (half a millimetre unless the clip reaches beyond 16 m);
`confidence` is 0..255, or null where every joint was seen; `dimensions` is 2 for keypoints of an image (y up, trunk
0.5). `evidence` and `provenance` are JSON; `video` is a path inside this folder or null. `vimonet data validate` checks
the dataset, `vimonet data show` writes a page about it."""
