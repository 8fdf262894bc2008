"""Ask a model, log its predictions so that a killed run continues, and hash what a score was made with."""

from __future__ import annotations

import hashlib
import json
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

import numpy as np
from tqdm import tqdm

import vimonet
from vimonet.bench.controls import ControlledItem
from vimonet.bench.items import VideoSpan
from vimonet.bench.tasks import list_options
from vimonet.utils.errors import InputError
from vimonet.utils.files import append, write_text

if TYPE_CHECKING:
    from vimonet.vimos.types import Item


@dataclass(frozen=True)
class Prediction:
    """Hold the model's answer to one item under one condition, with its confidence in 0..1 or None."""

    item: str
    condition: str
    text: str
    confidence: float | None


class PredictionLog:
    """Keep ``predictions.jsonl``: a first line that identifies the run, then one line per prediction.

    A line that a kill cut off is dropped. A log of other weights, seed or items is refused, never mixed or overwritten.

    Args:
        path: log file, created with its folder.
        run: JSON-ready identity of the run.

    Raises:
        InputError: the file belongs to another run or is no such log.
    """

    def __init__(self, path: Path, run: dict[str, Any]) -> None:
        self._path = path
        self._found: dict[tuple[str, str], Prediction] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._read(run)
        self._stream: IO[bytes] | None = None
        if not path.exists() or path.stat().st_size == 0:
            write_text(path, json.dumps({"run": run}, ensure_ascii=False))

    def __enter__(self) -> PredictionLog:
        self._stream = self._path.open("ab", buffering=0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def __len__(self) -> int:
        return len(self._found)

    def get(self, condition: str, item: str) -> Prediction | None:
        """Return the prediction for an item under a condition, or None."""
        return self._found.get((condition, item))

    def add(self, predictions: Sequence[Prediction]) -> None:
        """Append predictions and flush them, so that a killed process loses none."""
        if self._stream is None:
            raise ValueError("the log is not open: use it in a with statement")
        records = [vars(p) for p in predictions]
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        append(self._stream, lines.encode("utf-8", errors="replace"))
        self._found.update({(p.condition, p.item): p for p in predictions})

    def _read(self, run: dict[str, Any]) -> None:
        if not self._path.exists():
            return
        data = self._path.read_bytes()
        whole = data[: data.rfind(b"\n") + 1]
        foreign = InputError(f"{self._path} holds no predictions of this benchmark; name another folder with out=")
        if not whole and data and not data.startswith(b'{"run"'):
            raise foreign
        lines = whole.decode("utf-8", errors="replace").split("\n")[:-1]  # splitlines() would also cut at U+2028
        try:
            records = [json.loads(line) for line in lines]
            header = records[0]["run"] if records else run
            found = [Prediction(r["item"], r["condition"], r["text"], r["confidence"]) for r in records[1:]]
        except (ValueError, KeyError, TypeError):
            raise foreign from None
        differs = [key for key in sorted(run) if header.get(key) != run[key]]
        if differs:
            raise InputError(
                f"{self._path} holds predictions of another run ({', '.join(differs)} differ); "
                "name another folder with out= or remove that file"
            )
        self._found = {(p.condition, p.item): p for p in found}
        if len(whole) < len(data):
            with self._path.open("r+b") as stream:
                stream.truncate(len(whole))


def ask(
    assistant: Any,
    condition: str,
    asked: Sequence[ControlledItem],
    log: PredictionLog,
    *,
    batch_size: int,
    progress: bool = True,
    failed: dict[str, str] | None = None,
) -> dict[str, Prediction]:
    """Ask every question that the log lacks, in batches of movements of similar length.

    A question about the same movement, or about none, is asked once, because the answers are equal.

    Args:
        assistant: object with ``ask_batch([(question, motion | None), ...])``, which returns objects with ``text`` and
            ``confidence``; with ``choose_batch([(question, motion | None, options), ...])`` it chooses by likelihood,
            without it the question lists the options.
        condition: input condition of the predictions.
        asked: the questions.
        log: open log of the run.
        batch_size: questions per call.
        progress: show a progress bar.
        failed: gets, by item id, the reason why an item has no answer (its video is damaged, the endpoint refused it);
            the log does not keep it, so the next run asks again. None: the first such item raises.

    Returns:
        Predictions of the condition by item id.

    Raises:
        RuntimeError: the number of answers differs from the number of questions.
    """
    known: dict[tuple[Any, ...], Prediction] = {}
    pending: dict[tuple[Any, ...], list[ControlledItem]] = {}
    for query in asked:
        key = (query.question, id(query.motion), query.options)
        predicted = log.get(condition, query.item.id)
        if predicted is None:
            pending.setdefault(key, []).append(query)
        else:
            known[key] = predicted

    def record(group: Sequence[ControlledItem], text: str, confidence: float | None) -> list[Prediction]:
        return [Prediction(query.item.id, condition, text, confidence) for query in group]

    for key in known.keys() & pending.keys():
        log.add(record(pending.pop(key), known[key].text, known[key].confidence))
    groups = sorted(pending.values(), key=lambda group: 0 if group[0].motion is None else group[0].motion.frames)
    with tqdm(total=len(groups), desc=condition, unit="question", disable=not progress or not groups) as bar:
        for start in range(0, len(groups), batch_size):
            batch = groups[start : start + batch_size]
            answers = _answers_or_reasons(assistant, [group[0] for group in batch], may_fail=failed is not None)
            made: list[Prediction] = []
            for group, answer in zip(batch, answers, strict=True):
                reason = str(answer) if isinstance(answer, InputError) else getattr(answer, "error", "")
                if reason and failed is not None:
                    failed.update({query.item.id: reason for query in group})
                    continue
                confidence = None if answer.confidence is None else float(answer.confidence)
                made += record(group, own_words(answer), confidence)
            log.add(made)
            bar.update(len(batch))
    found = {query.item.id: log.get(condition, query.item.id) for query in asked}
    return {item: prediction for item, prediction in found.items() if prediction is not None}


def own_words(answer: Any) -> str:
    """Return ``model_text``, because a measured answer in its place does not evaluate the model."""
    return str(getattr(answer, "model_text", answer.text))


def _answers_or_reasons(assistant: Any, batch: Sequence[ControlledItem], *, may_fail: bool) -> list[Any]:
    """Answer a batch; where that fails, answer its questions one by one, with the error in place of an answer."""
    try:
        return _answers(assistant, batch)
    except InputError as error:
        if not may_fail or getattr(error, "fatal", False):
            raise
        return (
            [error] if len(batch) == 1 else [_answers_or_reasons(assistant, [one], may_fail=True)[0] for one in batch]
        )


def _answers(assistant: Any, batch: Sequence[ControlledItem]) -> list[Any]:
    """Answer in order, with free answers and choices by likelihood in one call each."""
    chooses = hasattr(assistant, "choose_batch")
    free = [k for k, query in enumerate(batch) if not (query.options and chooses)]
    chosen = [k for k, query in enumerate(batch) if query.options and chooses]
    found: dict[int, Any] = {}
    if free:
        asked = [(_worded(batch[k]), batch[k].motion) for k in free]
        found.update(zip(free, _checked(assistant.ask_batch(asked), asked, "ask_batch"), strict=True))
    if chosen:
        options = [(batch[k].question, batch[k].motion, batch[k].options) for k in chosen]
        found.update(zip(chosen, _checked(assistant.choose_batch(options), options, "choose_batch"), strict=True))
    return [found[k] for k in range(len(batch))]


def _worded(query: ControlledItem) -> str:
    return f"{query.question}\n{list_options(query.options)}" if query.options else query.question


def _checked(answers: Sequence[Any], asked: Sequence[Any], name: str) -> Sequence[Any]:
    if len(answers) != len(asked):
        raise RuntimeError(f"{name} gave {len(answers)} answers to {len(asked)} questions")
    return answers


# ------------------------------- provenance

_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.pth")


def weights_sha256(checkpoint: str | Path) -> str:
    """Hash a checkpoint's weights by SHA-256.

    One weight file gives the hash of ``sha256sum``. Several (shards, an adapter, the layers of a question reader, its
    matcher, an action network) give the hash of the output of ``sha256sum`` over them, in this order.

    Raises:
        FileNotFoundError: there is no weight file.
    """
    from vimonet.model import action_matching, action_network, question_reader

    path = Path(checkpoint)
    if path.is_file():
        files = [path]
    else:
        files = next((found for pattern in _WEIGHTS if (found := sorted(path.glob(pattern)))), [])
        beside = (
            path / question_reader.FOLDER / question_reader.HEADS,
            path / question_reader.FOLDER / action_matching.FILE,
            path / action_network.FOLDER / action_network.WEIGHTS,
        )
        files += [file for file in beside if file.is_file()]
    if not files:
        raise FileNotFoundError(f"{path}: no weight file ({', '.join(_WEIGHTS)})")
    hashes = []
    for file in files:
        with file.open("rb") as stream:
            hashes.append(hashlib.file_digest(stream, "sha256").hexdigest())
    if len(files) == 1:
        return hashes[0]
    lines = "".join(f"{digest}  {file.name}\n" for digest, file in zip(hashes, files, strict=True))
    return hashlib.sha256(lines.encode()).hexdigest()


def assistant_sha256(assistant: Any, checkpoint: str | Path | None = None) -> str | None:
    """Hash an assistant's weights, from its directory or else from its tensors in memory.

    Args:
        assistant: object with ``directory`` or ``path``, or with ``model.state_dict()``.
        checkpoint: directory or file to hash instead.

    Returns:
        64 hexadecimal digits, with the prefix ``tensors:`` for tensors in memory; None without weights.
    """
    places = [checkpoint, getattr(assistant, "directory", None), getattr(assistant, "path", None)]
    for place in places:
        if place is not None and Path(place).exists():
            return weights_sha256(place)
    model = getattr(assistant, "model", None)
    if model is None or not hasattr(model, "state_dict"):
        return None
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return "tensors:" + digest.hexdigest()


def code_version() -> str:
    """Name the package version, with the commit in its own git checkout (``0.1.0+3f2a91c.modified``)."""
    package = Path(vimonet.__file__).resolve().parent
    top = _git(package, "rev-parse", "--show-toplevel")
    # An installation inside another repository must not report that repository's commit.
    if top is None or Path(top).resolve() / "src" / "vimonet" != package:
        return vimonet.__version__
    commit = _git(package, "rev-parse", "--short", "HEAD")
    if commit is None:
        return vimonet.__version__
    return f"{vimonet.__version__}+{commit}{'.modified' if _git(package, 'status', '--porcelain', '--', '.') else ''}"


def items_sha256(items: Sequence[Item]) -> str:
    """Hash ids, questions, answers and motions of the items."""
    digest = hashlib.sha256()
    motions: dict[int, str] = {}
    for item in items:
        key = id(item.motion)
        if key not in motions:
            motions[key] = _shown_sha256(item.motion)
        digest.update("\x1f".join([item.id, item.question, item.answer, motions[key]]).encode() + b"\x1e")
    return digest.hexdigest()


def _shown_sha256(shown: Any) -> str:
    """Hash a motion's joints, or a video's name, size and span, because videos may be hundreds of GB."""
    if isinstance(shown, VideoSpan):
        size = shown.path.stat().st_size if shown.path.is_file() else None
        content = f"{shown.path.name} {size} {shown.start} {shown.end}".encode()
    else:
        content = np.ascontiguousarray(shown.joints).tobytes()
    return hashlib.sha256(content).hexdigest()


def machine() -> str:
    """Describe the machine, for the report's wall time."""
    return f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
