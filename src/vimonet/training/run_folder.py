"""Manage the folder of a training run: resume, log, and write the result atomically.

Checkpoints and log lie in ``<output>.partial`` during training. At the end the model, the log, the loss curve and
``training.json`` are written to ``<output>.saving``, which is then renamed to ``<output>``: that folder is always
complete.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tqdm.auto import tqdm
from transformers import TrainerCallback
from transformers.utils import is_flash_attn_2_available
from transformers.utils import logging as transformers_logging

import vimonet
from vimonet.model.model_card import RECORD, write_card
from vimonet.training.config import TrainingConfig
from vimonet.utils.errors import InputError
from vimonet.utils.files import named, write_text
from vimonet.utils.locks import Lock, in_use
from vimonet.vimos.reading import sources_of

# Keys that may differ between an interrupted run and its continuation: they do not affect the result.
_FREE_KEYS = {
    *("output", "overwrite", "resume", "video.cache"),
    *("trainer.workers", "trainer.threads", "trainer.save_every", "trainer.eval_every", "trainer.report"),
}
_INSTALL = {"tensorboard": "install vimonet[tensorboard]", "wandb": "pip install wandb"}
_PACKAGES = ("torch", "transformers", "accelerate", "peft", "numpy", "tokenizers", "vector-quantize-pytorch")


class Run:
    """Manage the folders, resumption and results of one training run.

    Args:
        config: settings; ``output`` must be given.
        stage: name of the stage, for the record.

    Raises:
        InputError: no output, an existing output, an interrupted run with other settings, or a missing package.
    """

    def __init__(self, config: TrainingConfig, stage: str) -> None:
        if not config.output:
            raise InputError("no output folder: set 'output' in the configuration or give output=runs/NAME.")
        self.config, self.stage = config, stage
        self.main = int(os.environ.get("RANK", "0")) == 0
        self.output = Path(config.output)
        self.folder = self.output.with_name(self.output.name + ".partial")
        self.log_file = self.folder / "training_log.jsonl"
        if config.trainer.threads:
            torch.set_num_threads(config.trainer.threads)
        # `Progress` is the only bar; transformers would draw one for every file it writes.
        transformers_logging.disable_progress_bar()
        transformers_logging.set_verbosity_error()
        if self.output.exists() and not config.overwrite:
            raise InputError(
                f"{self.output}: this folder exists already; give another output or overwrite=true to replace it."
            )
        for name in config.trainer.report:
            if importlib.util.find_spec(name) is None:
                raise InputError(
                    f"trainer.report needs {name}, which is not installed: {_INSTALL[name]}, or remove it."
                )
        self._lock = Lock(self.output)
        self.checkpoint: Path | None = None
        self.log: LogFile | None = None
        if self.main and config.resume:
            self._check_settings()

    def _check_settings(self) -> None:
        settings = self.folder / "config.json"
        if not settings.exists() or not self._checkpoints():
            return
        before, now = _flat(json.loads(settings.read_text("utf-8"))), _flat(self._settings())
        # A key that is newer than the interrupted run had its default value then.
        defaults = _flat(TrainingConfig().to_dict())
        before = {k: before.get(k, defaults.get(k)) for k in before | now}
        changed = sorted(k for k in before if before[k] != now.get(k) and k not in _FREE_KEYS)
        if changed:
            key = changed[0]
            raise InputError(
                f"{self.folder}: the interrupted run in this folder has {key}={before.get(key)!r}, this one "
                f"{now.get(key)!r}; give resume=false to start anew, or the same settings to continue."
            )

    def callbacks(self) -> list[TrainerCallback]:
        """Create the work folder, find the checkpoint to resume from, and return the main process's callbacks.

        Call it after data and model are loaded, so that a mistake in the settings leaves no folder behind.
        """
        if self.main:
            self.output.parent.mkdir(parents=True, exist_ok=True)
            if (holder := self._lock.take()) is not None:
                raise in_use(self.output, holder, "give another output")
            if not self.config.resume and self.folder.exists():
                shutil.rmtree(self.folder)
            self.folder.mkdir(parents=True, exist_ok=True)
            write_json(self.folder / "config.json", self._settings())
        complete = self._checkpoints() if self.config.resume else []
        self.checkpoint = complete[-1] if complete else None
        if not self.main:
            return []
        self.log = LogFile(self.log_file, self._step(self.checkpoint))
        return [Progress(self.stage), self.log, *self._reports()]

    def _reports(self) -> list[TrainerCallback]:
        """Create the callbacks of ``trainer.report``."""
        from transformers.integrations import TensorBoardCallback, WandbCallback

        found: list[TrainerCallback] = []
        for name in self.config.trainer.report:
            if name == "tensorboard":
                board = TensorBoardCallback()
                board.logging_dir = str(self.folder / name)
                found.append(board)
            else:
                os.environ.setdefault("WANDB_PROJECT", "vimonet")
                os.environ.setdefault("WANDB_NAME", self.output.name)
                found.append(WandbCallback())
        return found

    def _settings(self) -> dict[str, Any]:
        return {"stage": self.stage, **self.config.to_dict()}

    def _checkpoints(self) -> list[Path]:
        """List complete checkpoints, oldest first; one that was interrupted has no readable trainer state."""
        found = []
        for path in self.folder.glob("checkpoint-*"):
            try:
                json.loads((path / "trainer_state.json").read_text("utf-8"))
            except (OSError, ValueError):
                continue
            found.append(path)
        return sorted(found, key=self._step)

    @staticmethod
    def _step(checkpoint: Path | None) -> int:
        return int(checkpoint.name.rpartition("-")[2]) if checkpoint else 0

    def train(self, trainer: Any) -> None:
        """Train from the last checkpoint, or from the beginning."""
        if self.main and self.checkpoint:
            tqdm.write(f"resuming {self.output} from step {self._step(self.checkpoint)}", file=sys.stderr)
        try:
            with named(self.folder):
                trainer.train(resume_from_checkpoint=str(self.checkpoint) if self.checkpoint else None)
                trainer.accelerator.wait_for_everyone()
        except BaseException:
            self._lock.free()
            raise

    def finish(self, save: Callable[[Path], None], results: dict[str, Any] | None = None) -> Path:
        """Write the output folder (`save(folder)`, log, loss curve, `results`) and delete the work folder."""
        if not self.main:
            return self.output
        try:
            with named(self.output):
                return self._finish(save, results or {})
        except BaseException:
            shutil.rmtree(self._saving, ignore_errors=True)  # the checkpoints stay: the same command finishes
            raise
        finally:
            self._lock.free()

    @property
    def _saving(self) -> Path:
        return self.output.with_name(self.output.name + ".saving")

    def _finish(self, save: Callable[[Path], None], results: dict[str, Any]) -> Path:
        saving = self._saving
        shutil.rmtree(saving, ignore_errors=True)
        saving.mkdir(parents=True)
        save(saving)
        records = self.log.records if self.log else []
        (saving / "training_log.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records), "utf-8")
        if (self.folder / "tensorboard").is_dir():
            shutil.copytree(self.folder / "tensorboard", saving / "tensorboard")
        draw_curves(records, saving / "loss_curve.png", title=f"{self.stage}: {self.output.name}")
        write_json(saving / RECORD, self._record(records, results))
        write_card(saving, name=self.output.name)
        if self.output.exists():
            old = self.output.with_name(self.output.name + ".old")
            shutil.rmtree(old, ignore_errors=True)
            os.replace(self.output, old)
            os.replace(saving, self.output)
            shutil.rmtree(old)
        else:
            os.replace(saving, self.output)
        shutil.rmtree(self.folder, ignore_errors=True)
        return self.output

    def _sources(self) -> list[dict[str, Any]]:
        """Count the clips of the VIMOS dataset by source and licence; empty for samples of another kind."""
        folder = self.config.data.get("dataset")
        try:
            return sources_of(folder, self.config.data.get("split", "train")) if folder else []
        except InputError:  # a dataset deleted during training must not cost the trained model
            return []

    def _record(self, records: list[dict[str, Any]], results: dict[str, Any]) -> dict[str, Any]:
        return {
            "stage": self.stage,
            "seed": self.config.seed,
            "command": " ".join(["vimonet", *sys.argv[1:]]),
            "wall_seconds": round(records[-1]["seconds"], 3) if records else 0.0,
            "steps": records[-1]["step"] if records else 0,
            "final_loss": next((r["loss"] for r in reversed(records) if "loss" in r), None),
            "processes": int(os.environ.get("WORLD_SIZE", "1")),
            "machine": {
                "platform": platform.platform(),
                "processor": platform.processor() or platform.machine(),
                "threads": torch.get_num_threads(),
                "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
            },
            "versions": {"vimonet": vimonet.__version__, "python": platform.python_version(), **_versions()},
            **results,
            "sources": self._sources(),
            "config": self._settings(),
        }


def check_attention(config: TrainingConfig) -> None:
    """Raise InputError if ``trainer.attention`` asks for FlashAttention and it is not available."""
    if config.trainer.attention == "flash" and not is_flash_attn_2_available():
        raise InputError("trainer.attention=flash needs a GPU and the package flash-attn; set it to sdpa.")


class LogFile(TrainerCallback):
    """Write one JSON line per log step; lines after the checkpoint that a run resumes from are dropped.

    Args:
        path: log file.
        step: step to resume from; 0 for the beginning.
    """

    def __init__(self, path: Path, step: int = 0) -> None:
        self.path = path
        self.records: list[dict[str, Any]] = []
        if step and path.exists():
            for line in path.read_text("utf-8").splitlines():
                try:
                    record = json.loads(line)
                except ValueError:
                    break  # cut off by the interruption
                if record["step"] <= step:
                    self.records.append(record)
        path.write_text("".join(json.dumps(record) + "\n" for record in self.records), "utf-8")
        self._before = self.records[-1]["seconds"] if self.records else 0.0
        self._start = time.time()

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Start the clock."""
        self._start = time.time()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Append one line."""
        kept = {
            k: v
            for k, v in (logs or {}).items()
            if isinstance(v, (int, float)) and not k.startswith(("train_", "total_"))
        }
        if not set(kept) - {"epoch"}:
            return
        record = {"step": state.global_step, **kept, "seconds": round(self._before + time.time() - self._start, 2)}
        self.records.append(record)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")


class Progress(TrainerCallback):
    """Show a progress bar with the time left and the last losses."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.bar: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the bar at the first step."""
        # A redirected log gets one line every 30 s.
        interval = 0.5 if sys.stderr.isatty() else 30
        self.bar = tqdm(
            total=state.max_steps, initial=state.global_step, desc=self.name, unit="step", mininterval=interval
        )

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Advance."""
        self.bar.update(state.global_step - self.bar.n)

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        """Show the losses."""
        shown = {
            k: f"{v:.3f}"
            for k, v in (logs or {}).items()
            if k.startswith(("loss", "eval_loss")) and isinstance(v, float)
        }
        if shown and self.bar is not None:
            self.bar.set_postfix(shown, refresh=False)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Close the bar."""
        self.bar.close()


def draw_curves(records: list[dict[str, Any]], path: Path, title: str = "") -> None:
    """Plot every logged loss over the steps into a PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = sorted({key for record in records for key in record if key.startswith(("loss", "eval_loss"))})
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    for name in names:
        points = [(record["step"], record[name]) for record in records if name in record]
        axes.plot(*zip(*points, strict=True), label=name.replace("_", " "), linewidth=2 if name == "loss" else 1.2)
    axes.set(xlabel="step", ylabel="loss (nats per token)" if len(names) > 1 else "loss", title=title)
    axes.grid(alpha=0.3)
    if names:
        axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically."""
    write_text(path, json.dumps(content, indent=2, default=str))


def _versions() -> dict[str, str]:
    found = {}
    for package in _PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(tree, dict) or not tree:
        return {prefix.rstrip("."): tree}
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.")
    return flat
