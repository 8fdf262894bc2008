"""Export the benchmark tasks for lmms-eval (github.com/EvolvingLMMs-Lab/lmms-eval): YAML per task, questions, utils.

    python -m scripts.export_lmms DATASET -o FOLDER [--tasks count,turn] [--split test]

lmms-eval pins an older PyAV than ViMoNet needs and runs in an environment of its own, so the exported files do not
import ViMoNet. A motion is shown as a strip of poses, a video as its file. The format is that of its
docs/task_guide.md.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from vimonet.bench.datasets import open_dataset
from vimonet.bench.items import BenchItem, VideoSpan, gather
from vimonet.bench.tasks import Task, find_tasks
from vimonet.utils.errors import InputError

PREFIX = "vimonet_"


class _Function(str):
    """Name of a function of utils.py, written as lmms-eval's tag ``!function utils.name``."""


class _Dumper(yaml.SafeDumper):
    pass


_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar("!function", str(name), style=""))


def export(
    folder: str | Path, dataset: str | Path, tasks: Sequence[str] = (), split: str | None = None, progress: bool = True
) -> list[str]:
    """Write a task folder for ``lmms_eval --include_path``.

    Args:
        folder: new or empty output folder.
        dataset: dataset of the questions.
        tasks: task names; () for all with questions. Caption tasks are dropped: lmms-eval has no offline metric.
        split: split of all tasks; None: each task's own.
        progress: show a progress bar.

    Returns:
        Names of the tasks in lmms-eval; the first is the group of all.

    Raises:
        InputError: the folder is not empty, or there is nothing to export.
    """
    out = Path(folder)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(f"{out}: exists already and is not empty; give a new folder.")
    source = open_dataset(dataset)
    chosen = [task for task in find_tasks(tasks) if task.answer.format != "caption"]
    items = gather(source, chosen, split)
    part = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        (part / "data").mkdir(parents=True)
        (part / "strips").mkdir()
        names = [_write_task(part, out.resolve(), task, items, progress) for task in chosen]
        written = [name for name in names if name]
        group = {"group": PREFIX + "bench", "task": written}
        (part / f"{PREFIX}bench.yaml").write_text(yaml.safe_dump(group, sort_keys=False), encoding="utf-8")
        utils = Path(__file__).with_name("lmms_utils.py").read_text(encoding="utf-8")
        (part / "utils.py").write_text(utils, encoding="utf-8")
        if out.exists():
            out.rmdir()
        os.replace(part, out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return [PREFIX + "bench", *written]


def _write_task(part: Path, out: Path, task: Task, items: Sequence[BenchItem], progress: bool) -> str:
    items = [item for item in items if item.kind == task.name]
    if not items:
        return ""
    name = PREFIX + task.name
    strips: dict[int, str] = {}
    with (part / "data" / f"{task.name}.jsonl").open("w", encoding="utf-8") as stream:
        for item in tqdm(items, desc=task.name, unit="question", disable=not progress):
            stream.write(json.dumps(_row(part, out, item, strips), ensure_ascii=False) + "\n")
    config: dict[str, Any] = {
        "task": name,
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {task.split: str(out / "data" / f"{task.name}.jsonl")}},
        "test_split": task.split,
        "output_type": "generate_until",
        "doc_to_visual": _Function("utils.doc_to_visual"),
        "doc_to_text": _Function("utils.doc_to_text"),
        "doc_to_target": "answer",
        "generation_kwargs": {"max_new_tokens": 32, "temperature": 0, "do_sample": False},
        "process_results": _Function("utils.process_results"),
        "metric_list": [{"metric": "score", "aggregation": "mean", "higher_is_better": True}],
        "lmms_eval_specific_kwargs": {"default": {"pre_prompt": "", "post_prompt": ""}},
        "metadata": [{"version": 1.0}],
    }
    text = yaml.dump(config, Dumper=_Dumper, sort_keys=False, allow_unicode=True)
    (part / f"{name}.yaml").write_text(text, encoding="utf-8")
    return name


def _row(part: Path, out: Path, item: BenchItem, strips: dict[int, str]) -> dict[str, Any]:
    if isinstance(item.motion, VideoSpan):
        place = str(item.motion.path.resolve())
    else:
        place = strips.get(id(item.motion), "")
        if not place:
            place = strips[id(item.motion)] = _strip(part, out, item)
    return {
        "id": item.id,
        "recording": f"{item.source}/{item.recording}",
        "visual": place,
        "question": item.question,
        "answer": item.answer,
        "options": list(item.options),
        "format": item.rule.format,
        "tolerance": item.rule.tolerance,
        "relative": item.rule.relative,
    }


def _strip(part: Path, out: Path, item: BenchItem) -> str:
    from vimonet.motion.render import draw_strip

    name = "".join(c if c.isalnum() else "_" for c in item.id.partition("/")[2].partition("#")[0]) + ".png"
    path = part / "strips" / name
    if not path.exists():
        draw_strip(item.motion, width=1200, title=" ", subtitle=" ", events=()).save(path, "PNG")
    return str(out / "strips" / name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.export_lmms", description=__doc__.splitlines()[0])
    parser.add_argument("dataset", metavar="DATASET", help="dataset of the questions")
    parser.add_argument("-o", "--output", required=True, metavar="FOLDER", help="new folder")
    parser.add_argument("--split", help="split of all tasks (default: each task's own)")
    parser.add_argument("--tasks", default="", help="names separated by commas (default: all with questions)")
    given = parser.parse_args(arguments)
    names = tuple(part.strip() for part in given.tasks.split(",") if part.strip())
    try:
        written = export(given.output, given.dataset, names, given.split)
    except InputError as error:
        print(f"export_lmms: {error}", file=sys.stderr)
        return 2
    print(f"{len(written)} tasks written to {given.output}: {', '.join(written)}")
    print(f"lmms_eval --include_path {given.output} --tasks {written[0]} ...")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
