"""Extend the transformers Trainer: a learning rate per part, a loss per modality group, exact resumption."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_callback import PrinterCallback, ProgressCallback

from vimonet.training.config import ObjectiveConfig, TrainerConfig, TrainingConfig
from vimonet.training.data import ModalityGroup
from vimonet.training.data.sampling import LengthGroupedSampler
from vimonet.training.objective import (
    TokenPhraseLoss,
    group_counts,
    group_sums,
    group_weights,
    named_tokens,
    supervised,
)
from vimonet.training.parameters import blocks_of, compile_blocks, load_trained, recompute_blocks, save_trained
from vimonet.utils.errors import InputError

Parts = Mapping[str, Iterable[nn.Module]]


def world_size() -> int:
    """Return the number of processes of this run, as the launcher (accelerate, torchrun) says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def clips_of_process(trainer: TrainerConfig, processes: int) -> int:
    """Count the clips of one micro-batch of one process (of a device).

    Raises:
        InputError: a batch that does not divide.
    """
    clips, rest = divmod(trainer.batch_size, processes * trainer.accumulation)
    if rest or not clips:
        raise InputError(
            f"trainer.batch_size is {trainer.batch_size}; it must be a multiple of processes x accumulation "
            f"({processes} x {trainer.accumulation})."
        )
    return clips


def training_arguments(config: TrainingConfig, folder: Path) -> TrainingArguments:
    """Set up the transformers Trainer; ``batch_size`` is of the whole step, over processes and accumulation."""
    trainer = config.trainer
    processes = world_size()
    per_device = clips_of_process(trainer, processes)
    on_cpu = trainer.device == "cpu" or not torch.cuda.is_available()
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=per_device,
        per_device_eval_batch_size=per_device,
        gradient_accumulation_steps=trainer.accumulation,
        max_steps=trainer.steps,
        learning_rate=1.0,  # the groups carry their own
        lr_scheduler_type={"constant": "constant_with_warmup"}.get(config.optim.decay, config.optim.decay),
        warmup_steps=config.optim.warmup,  # below 1: a share of the steps
        weight_decay=config.optim.weight_decay,
        adam_beta2=config.optim.beta2,
        max_grad_norm=config.optim.grad_clip,
        optim="adamw_torch_fused",
        bf16=trainer.bf16,
        use_cpu=on_cpu,
        ddp_backend="gloo" if on_cpu and processes > 1 else None,
        ddp_find_unused_parameters=True if processes > 1 else None,  # a batch without 2D clips leaves that tower unused
        logging_steps=trainer.log_every,
        logging_nan_inf_filter=False,
        save_steps=trainer.save_every,
        save_total_limit=2,
        eval_strategy="steps" if trainer.eval_every and config.validation else "no",
        eval_steps=trainer.eval_every or None,
        dataloader_num_workers=trainer.workers,
        dataloader_pin_memory=not on_cpu,
        remove_unused_columns=False,
        label_names=["labels"],
        prediction_loss_only=True,
        report_to=[],
        use_cache=True,  # of the saved model, for generation: transformers would write False into its config
        disable_tqdm=True,  # our own bar shows the time left and one line of figures
        seed=config.seed,
        data_seed=config.seed,
    )


class StageTrainer(Trainer):
    """Train with a learning rate per part, on batches that depend on (seed, epoch) alone.

    Args:
        config: the run's settings.
        parts: name of a learning rate -> modules it applies to; a rate of 0 freezes the modules and keeps them in
            eval mode (a frozen VQ codebook must not drift by its moving average, nor dropout change a frozen tower).
        callbacks: as for Trainer.
    """

    def __init__(
        self,
        config: TrainingConfig,
        model: nn.Module,
        folder: Path,
        *,
        parts: Parts,
        train_dataset: Any,
        data_collator: Callable[..., Any],
        eval_dataset: Any = None,
        callbacks: list[TrainerCallback] | None = None,
    ) -> None:
        self.config = config
        self.parts = {name: list(modules) for name, modules in parts.items()}
        self.rates = {name: float(getattr(config.optim.lr, name)) for name in self.parts}
        self._frozen = [m for name, modules in self.parts.items() if not self.rates[name] for m in modules]
        for module in self._frozen:
            module.requires_grad_(False)
        self._recomputed: list[nn.Module] = []
        self._sampler: LengthGroupedSampler | None = None
        super().__init__(
            model=model,
            args=training_arguments(config, folder),
            train_dataset=train_dataset,
            eval_dataset=eval_dataset,
            data_collator=data_collator,
            callbacks=[_Epochs(self), *(callbacks or [])],
        )
        self.remove_callback(PrinterCallback)
        self.remove_callback(ProgressCallback)
        self.loss_is_scaled_for_ga = True
        self._shard_as([])

    def _get_train_sampler(self, train_dataset: Any = None) -> LengthGroupedSampler:
        dataset: Any = self.train_dataset if train_dataset is None else train_dataset
        trainer = self.config.trainer
        self._sampler = LengthGroupedSampler(
            dataset.lengths(),
            dataset.modality_groups(),
            trainer.batch_size,
            self.config.seed,
            group=trainer.group_by_length,
        )
        return self._sampler

    def set_epoch(self, epoch: int) -> None:
        """Make the order and the draws of data those of `epoch` (called at its beginning, also after a resume)."""
        if self._sampler is not None:
            self._sampler.set_epoch(epoch)
        if hasattr(self.train_dataset, "set_epoch"):
            self.train_dataset.set_epoch(epoch)  # type: ignore[union-attr]

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW with a group per part, biases and norms without weight decay."""
        if self.optimizer is not None:
            return self.optimizer
        whole: Any = self.model if model is None else model
        decayed = set(self.get_decay_parameter_names(whole))
        rate_of = {
            id(p): (name, self.rates[name]) for name, mods in self.parts.items() for m in mods for p in m.parameters()
        }
        groups: dict[tuple[str, bool], dict[str, Any]] = {}
        for name, parameter in whole.named_parameters():
            if not parameter.requires_grad:
                continue
            if id(parameter) not in rate_of:
                raise RuntimeError(f"{name} is trainable and belongs to no part")
            part, rate = rate_of[id(parameter)]
            key = (part, name in decayed)
            decay = self.args.weight_decay if key[1] else 0.0
            groups.setdefault(key, {"params": [], "lr": rate, "weight_decay": decay, "part": part})["params"].append(
                parameter
            )
        if not groups:
            raise InputError("every learning rate is 0: nothing would be trained; set one under optim.lr.")
        optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, whole)
        self.optimizer = optimizer_class(list(groups.values()), **options)
        return self.optimizer

    def _get_learning_rate(self) -> float:
        """Return the largest rate of the groups now (transformers would report the first group's)."""
        rates: list[float] = self.lr_scheduler.get_last_lr()  # type: ignore[union-attr,assignment]
        return max(rates)

    def set_frozen_eval(self) -> None:
        """Put frozen parts back into eval mode; ``model.train()`` woke them."""
        for module in self._frozen:
            module.eval()
        for block in self._recomputed:
            # Gradients pass through a frozen language model too, and its blocks ask this flag whether to keep
            # activations; what is inside them stays in eval mode.
            block.training = True

    def prediction_step(
        self, model: nn.Module, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[torch.Tensor, None, None]:
        """Compute the loss on a held-out batch."""
        with torch.no_grad():
            loss: Any = self.compute_loss(model, self._prepare_inputs(inputs))
            return loss.detach(), None, None

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Write a checkpoint: what is trained (`vimonet.training.parameters`), of PEFT the adapter.

        FSDP and ZeRO write files of their own.
        """
        inner = self.accelerator.unwrap_model(self.model)
        if not isinstance(inner, PreTrainedModel):
            super()._save(output_dir, state_dict)
        elif self.args.should_save and not self.is_sharded:
            save_trained(inner, self._frozen, output_dir or str(self.args.output_dir))

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        inner = self.accelerator.unwrap_model(self.model if model is None else model)
        if isinstance(inner, PreTrainedModel) and not self.is_sharded:
            load_trained(inner, self._frozen, resume_from_checkpoint)
        else:
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    @property
    def is_sharded(self) -> bool:
        """Tell whether weights are sharded over processes (FSDP, ZeRO)."""
        return bool(self.is_fsdp_enabled or self.is_deepspeed_enabled)

    def consolidated_state(self) -> dict[str, torch.Tensor] | None:
        """Gather all weights on the CPU of the main process where they are sharded; None where each process has them.

        Every process must call it.
        """
        return self.accelerator.get_state_dict(self.model_wrapped) if self.is_sharded else None

    def _shard_as(self, blocks: list[str]) -> None:
        """Under FSDP, gather modules of these classes one by one, and everything else at the beginning of a step.

        Towers and projectors must be among the latter: a process whose batch has no video would not take part in
        gathering the tower, and the others would wait for it.
        """
        if self.is_fsdp_enabled:
            self.accelerator.state.fsdp_plugin.transformer_cls_names_to_wrap = blocks

    def over_processes(self, values: torch.Tensor) -> torch.Tensor:
        """Sum over processes."""
        if self.accelerator.num_processes == 1:
            return values
        return self.accelerator.reduce(values.clone(), reduction="sum")

    def share_of_step(self, loss: torch.Tensor, own: float | torch.Tensor, total: Any) -> torch.Tensor:
        """Scale a micro-batch's mean loss to its part of the whole step's mean.

        Args:
            loss: mean over what the micro-batch counts.
            own: its count.
            total: count of the step, over micro-batches and processes; None outside a step: the loss as it is.
        """
        if total is None:
            return loss
        # Gradients are averaged over processes.
        return loss * torch.as_tensor(own / total).to(loss) * self.accelerator.num_processes

    def count(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Count what the losses of `batch` are means over, as a tensor that adds up over batches."""
        raise NotImplementedError

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Weigh the model's own loss by the micro-batch's share of the step's count."""
        if model.training:
            self.set_frozen_eval()
        output = model(**inputs)
        loss = self.share_of_step(output["loss"], self.count(inputs), num_items_in_batch)
        return (loss, output) if return_outputs else loss

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list[Any], Any]:
        """Take the batches of one optimiser step and count over all of them and all processes."""
        batches = list(itertools.islice(epoch_iterator, num_batches))
        if not batches:
            return batches, None
        counts = torch.stack([self.count(batch) for batch in batches]).sum(0).to(device)
        return batches, self.over_processes(counts)


class AnswerTrainer(StageTrainer):
    """Train on packed answers: cross-entropy averaged in each modality group, then weighted.

    Means are over the learnt tokens of the whole optimiser step, across processes and accumulation, so that the loss
    does not depend on how the batch is distributed. With `token_phrase` the mean over named motion tokens is added,
    times ``objective.token_phrase_contrastive``.
    """

    def __init__(
        self,
        config: TrainingConfig,
        model: nn.Module,
        folder: Path,
        *,
        head: nn.Module,
        objective: ObjectiveConfig | None = None,
        token_phrase: TokenPhraseLoss | None = None,
        **options: Any,
    ) -> None:
        self._token_phrase = token_phrase
        self._objective = objective or ObjectiveConfig()
        super().__init__(config, model, folder, **options)
        self._keep: torch.Tensor | None = None
        # The head over the vocabulary is a large part of a small model's cost, and only answers are scored: give it
        # just those positions. A hook works for every causal LM and keeps the call inside the wrapper of a
        # distributed run.
        head.register_forward_pre_hook(self._only_scored)
        attention = config.trainer.attention
        if attention == "auto":
            # On a CPU the backward pass of fused attention under a mask costs twice what plain matrix products do
            # (256 wide, rows of 160 tokens: a whole step takes 0.55 s against 0.87 s).
            attention = "eager" if self.args.device.type == "cpu" else "sdpa"
        self._additive = attention == "eager"
        language_model = _owner(model, head)
        language_model.set_attn_implementation("flash_attention_2" if attention == "flash" else attention)
        self._shard_as(sorted({type(block).__name__ for block in blocks_of(language_model)}))
        if config.trainer.gradient_checkpointing:
            trained = self.parts["video_tower"] if self.rates.get("video_tower") else []
            self._recomputed = recompute_blocks(language_model, *trained)
        if config.trainer.compile:
            compile_blocks(language_model, self.args.device)
        self._log_sums = torch.zeros(len(ModalityGroup) + 1, 2, dtype=torch.float64, device=self.args.device)

    def _only_scored(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        if self._keep is None:
            return None
        return (inputs[0][self._keep][None], *inputs[1:])

    def count(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Count learnt tokens per group, and named motion tokens."""
        return torch.cat([group_counts(batch["labels"], batch["modality_groups"]), named_tokens(batch)[None]])

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute this micro-batch's share of the step's weighted mean loss."""
        if model.training:
            self.set_frozen_eval()
        inputs = dict(inputs)
        here = self.count(inputs)
        labels, groups = inputs.pop("labels"), inputs.pop("modality_groups")
        phrases: dict[str, torch.Tensor] = {
            key: inputs.pop(key) for key in ("motion_phrases", "keypoint_phrases") if key in inputs
        }
        if self._additive and inputs["attention_mask"].ndim == 4:
            inputs["attention_mask"] = _additive(inputs["attention_mask"])
        keep, targets = supervised(labels)
        counts = here if num_items_in_batch is None else num_items_in_batch
        counts, named = counts[:-1], counts[-1]
        self._keep = keep
        try:
            outputs = model(**inputs, use_cache=False)
        finally:
            self._keep = None
        logits = outputs["logits"][0] if isinstance(outputs, dict) else outputs[0][0]
        sums = group_sums(logits, targets, keep, groups)
        aligned = (
            self._token_phrase(phrases) if self._token_phrase is not None and model.training else sums.new_zeros(())
        )
        summed = sums.detach().double()
        if model.training:
            self._log_sums += torch.stack([torch.cat([summed, aligned.detach().double()[None]]), here], dim=1)
        if num_items_in_batch is not None:
            summed = self.over_processes(summed)
        factors = self._objective.group_weights
        weights = group_weights(self._objective.weighting, factors, counts, summed)
        loss = (sums * (weights / counts.clamp(min=1)).to(sums)).sum()
        loss = loss + self._objective.token_phrase_contrastive * aligned / named.clamp(min=1).to(aligned)
        if num_items_in_batch is not None:
            loss = loss * self.accelerator.num_processes  # gradients are averaged over processes
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the mean loss of each group since the last log."""
        if "loss" in logs:
            sums = self.over_processes(self._log_sums)
            self._log_sums = torch.zeros_like(sums)
            for name, (total, count) in zip((*ModalityGroup.names(), "token_phrase"), sums.tolist(), strict=True):
                if count:
                    logs[f"loss_{name}"] = total / count
        super().log(logs, start_time)


def _owner(model: nn.Module, head: nn.Module) -> Any:
    """Return the causal language model that the output head belongs to."""
    name = next(name for name, module in model.named_modules() if module is head)
    return model.get_submodule(name.rpartition(".")[0])


def _additive(mask: torch.Tensor) -> torch.Tensor:
    """Turn a boolean mask into the numbers eager attention adds: 0 where one may look, else the lowest float32."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill_(~mask, torch.finfo(torch.float32).min)


class _Epochs(TrainerCallback):
    """Tell data and sampler the epoch before its first batch is drawn, and FSDP that batches differ."""

    def __init__(self, trainer: StageTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Let processes reduce gradients that only some of them have: a batch may lack a kind of clip."""
        if self.trainer.is_fsdp_enabled:
            wrapped: Any = self.trainer.model_wrapped
            wrapped.set_reduce_scatter_unused_params(True)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.trainer.set_epoch(int(state.epoch or 0))
