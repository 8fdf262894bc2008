"""Measure training speed in useful tokens per second: packed rows against a padded row per question.

    python benchmarks/packing.py [--dataset data/vimos-open] [--clips 64] [--turns 8] [--json]

The shipped nano is trained on the same clips and questions with each packing of `vimonet.training.data.packing`; the
reference is ``none``, a padded row per question with a copy of the clip's tokens. Useful tokens are those of questions
and answers, and of each clip once; the second figure also counts the copies that ``none`` makes. Without a dataset, one
of procedural movements is built first. On a GPU, ``--peak-tflops`` prints the model FLOPs utilisation.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
import transformers
from torch.utils.flop_counter import FlopCounterMode

import vimonet
from vimonet.model import ViMoNetForConditionalGeneration, ViMoNetProcessor, get_parts
from vimonet.training.config import TrainingConfig, make_config
from vimonet.training.data.collator import Collator
from vimonet.training.data.packing import PACKINGS
from vimonet.training.data.sampling import QAPairSampler
from vimonet.training.trainer import AnswerTrainer

transformers.utils.logging.disable_progress_bar()

NANO = Path(vimonet.__file__).parent / "weights" / "nano"


def samples_of(dataset: Path, clips: int, turns: int, folder: str) -> list[Any]:
    """Draw clips with questions from the training split."""
    from vimonet.training.data.vimos_dataset import training_samples

    if not (dataset / "vimos.json").is_file():
        from research.vimos_open.builder import OpenBuilder
        from vimonet.vimos.dataset_writer import build

        dataset = Path(folder) / "synthetic"
        build(OpenBuilder(sources=("synthetic",), count=4 * clips, val=5), dataset, workers=0, progress=False)
    samples = QAPairSampler(training_samples(dataset=str(dataset), split="val" if clips < 400 else "train"), turns, 0)
    return [samples[i * len(samples) // clips] for i in range(min(clips, len(samples)))]


class Training:
    """Wrap nano in the package's trainer, to run single steps."""

    def __init__(self, config: TrainingConfig, packing: str, folder: str) -> None:
        self.model = ViMoNetForConditionalGeneration.from_pretrained(NANO, dtype=torch.float32)
        processor = ViMoNetProcessor.from_pretrained(NANO)
        self.collate = Collator(
            processor.tokenizer,
            processor.feature_extractor,
            fold_questions=processor.fold_questions,
            chat_template=str(processor.chat_template),
            max_tokens=config.trainer.max_tokens,
            packing=packing,
        )
        head = self.model.get_output_embeddings()
        assert head is not None
        parts = {name: [part] for name, part in get_parts(self.model).items()}
        self.trainer = AnswerTrainer(
            config,
            self.model,
            Path(folder) / packing,
            head=head,
            parts=parts,
            train_dataset=[],
            data_collator=self.collate,
        )
        self.model.to(self.trainer.args.device).train()
        self.optimizer = self.trainer.create_optimizer()

    def step(self, batch: dict[str, torch.Tensor]) -> None:
        """Run forward pass, backward pass and update."""
        batch = {name: value.to(self.trainer.args.device) for name, value in batch.items()}
        with self.trainer.compute_loss_context_manager():
            loss = self.trainer.compute_loss(self.model, batch)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", type=Path, default=Path("data/vimos-open"))
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16, help="clips of a step (default: 16)")
    parser.add_argument("--turns", type=int, default=8, help="questions of a clip (default: 8)")
    parser.add_argument("--max-tokens", type=int, default=512)
    parser.add_argument("--peak-tflops", type=float, help="stated bf16 peak of the GPU, for utilisation")
    parser.add_argument("--json", action="store_true", help="one JSON object per way")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        samples = samples_of(options.dataset, options.clips, options.turns, folder)
        reference: dict[str, Any] = {}
        for packing in PACKINGS[::-1]:
            rates = [f"optim.lr.{part}=1e-5" for part in ("motion_tower", "keypoint_tower", "language_model")]
            keys = [f"trainer.max_tokens={options.max_tokens}", f"trainer.packing={packing}", *rates]
            training = Training(make_config({}, keys), packing, folder)
            starts = range(0, len(samples), options.batch)
            batches = [training.collate(samples[start : start + options.batch]) for start in starts]
            training.step(batches[0])
            with FlopCounterMode(display=False) as counted:
                training.step(batches[0])
            start = time.perf_counter()
            for batch in batches:
                training.step(batch)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            spent = time.perf_counter() - start
            pad = int(training.collate._pad)
            filled = sum(int((batch["input_ids"] != pad).sum()) for batch in batches)
            row = {
                "packing": packing,
                "rows": sum(len(batch["input_ids"]) for batch in batches),
                "tokens": sum(batch["input_ids"].numel() for batch in batches),
                "filled": filled,
                "learnt": sum(int((batch["labels"] >= 0).sum()) for batch in batches),
                "seconds": spent,
            }
            if options.peak_tflops:
                size = len(batches) * counted.get_total_flops()
                row["utilisation"] = size / spent / (options.peak_tflops * 1e12)
            reference = reference or row
            report(row, reference, options.json)


def report(row: dict[str, Any], reference: dict[str, Any], as_json: bool) -> None:
    """Print one packing relative to the padded one; without copies, useful tokens are those in packed rows."""
    row["copies_counted_ratio"] = row["filled"] / row["seconds"] / (reference["filled"] / reference["seconds"])
    row["ratio"] = reference["seconds"] / row["seconds"] * row["learnt"] / reference["learnt"]
    if as_json:
        print(json.dumps(row), flush=True)
        return
    print(
        f"{row['packing']:10} {row['rows']:4} rows, {row['tokens']:7,} tokens, "
        f"{row['filled'] / row['tokens']:4.0%} filled, "
        f"{row['learnt']:6,} learnt, {row['seconds']:6.1f} s: {row['ratio']:.2f} x padding in useful tokens/s "
        f"({row['copies_counted_ratio']:.2f} x with copies of clips counted as useful)",
        flush=True,
    )


if __name__ == "__main__":
    main()
