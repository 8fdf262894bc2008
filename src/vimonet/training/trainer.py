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

from vimonet.training.config import ObjectiveConfig, TrainingConfig, clips_of_process
from vimonet.training.data import ModalityGroup
from vimonet.training.data.packing import additive_mask
from vimonet.training.data.sampling import LengthGroupedSampler
from vimonet.training.objective import (
    TokenPhraseLoss,
    group_counts,
    group_sums,
    group_weights,
    named_tokens,
    supervised,
    token_weights,
)
from vimonet.training.parameters import (
    blocks_of,
    causal_lm_of,
    compile_blocks,
    load_trained,
    recompute_blocks,
    save_trained,
)
from vimonet.utils.errors import InputError

Parts = Mapping[str, Iterable[nn.Module]]


def world_size() -> int:
    """Return the number of processes, as set by the launcher (accelerate, torchrun)."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def training_arguments(config: TrainingConfig, folder: Path) -> TrainingArguments:
    """Translate the settings to transformers' TrainingArguments, with checkpoints in `folder`."""
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
        learning_rate=1.0,  # each parameter group has its own
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
        use_cache=True,  # transformers would otherwise save use_cache=False, which slows generation
        disable_tqdm=True,  # `Progress` draws the bar
        seed=config.seed,
        data_seed=config.seed,
    )


class StageTrainer(Trainer):
    """Train with a learning rate per part, on batches that depend on (seed, epoch) alone.

    Args:
        config: settings of the run.
        model, train_dataset, data_collator, eval_dataset, callbacks: as for Trainer.
        folder: folder of the checkpoints.
        parts: name of a learning rate -> modules it applies to. A rate of 0 freezes the modules and keeps them in eval
            mode (a frozen VQ codebook must not drift by its moving average, nor dropout act in a frozen tower).
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
        """Set the epoch of sampler and dataset (called at the start of an epoch, also after a resume)."""
        if self._sampler is not None:
            self._sampler.set_epoch(epoch)
        if hasattr(self.train_dataset, "set_epoch"):
            self.train_dataset.set_epoch(epoch)  # type: ignore[union-attr]

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Create AdamW with a group per part; biases and norms have no weight decay."""
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
            raise InputError("every learning rate is 0, so nothing would be trained; set one under optim.lr.")
        optimizer_class, options = self.get_optimizer_cls_and_kwargs(self.args, whole)
        self.optimizer = optimizer_class(list(groups.values()), **options)
        return self.optimizer

    def _get_learning_rate(self) -> float:
        """Return the largest rate of the groups now (transformers would report the first group's)."""
        rates: list[float] = self.lr_scheduler.get_last_lr()  # type: ignore[union-attr,assignment]
        return max(rates)

    def set_frozen_eval(self) -> None:
        """Put frozen parts back into eval mode after ``model.train()``."""
        for module in self._frozen:
            module.eval()
        for block in self._recomputed:
            # Gradients pass through frozen blocks too, and a block checkpoints only while this flag is set; its
            # submodules stay in eval mode.
            block.training = True

    def prediction_step(
        self, model: nn.Module, inputs: dict[str, Any], prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[torch.Tensor, None, None]:
        """Compute the loss on a held-out batch."""
        with torch.no_grad():
            loss: Any = self.compute_loss(model, self._prepare_inputs(inputs))
            return loss.detach(), None, None

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Save the trained parameters or the PEFT adapter; FSDP and ZeRO write checkpoints of their own."""
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
        """Gather sharded weights on the CPU of the main process; None if not sharded. Every process must call it."""
        return self.accelerator.get_state_dict(self.model_wrapped) if self.is_sharded else None

    def _shard_as(self, blocks: list[str]) -> None:
        """Under FSDP, wrap modules of these classes one by one; all other weights are gathered at the start of a step.

        Towers and projectors must not be wrapped: a process whose batch has no video would not join the all-gather of
        the video tower, and the other processes would wait for it.
        """
        if self.is_fsdp_enabled:
            self.accelerator.state.fsdp_plugin.transformer_cls_names_to_wrap = blocks

    def over_processes(self, values: torch.Tensor) -> torch.Tensor:
        """Sum `values` over processes."""
        if self.accelerator.num_processes == 1:
            return values
        return self.accelerator.reduce(values.clone(), reduction="sum")

    def share_of_step(self, loss: torch.Tensor, count: float | torch.Tensor, total: Any) -> torch.Tensor:
        """Scale a micro-batch's mean loss to its contribution to the mean of the whole step.

        Args:
            loss: mean over the micro-batch.
            count: elements that the mean is over.
            total: elements of the step, over micro-batches and processes; None outside a step: no scaling.
        """
        if total is None:
            return loss
        # Gradients are averaged over processes.
        return loss * torch.as_tensor(count / total).to(loss) * self.accelerator.num_processes

    def count(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Count the elements that the losses of `batch` are means over; counts of batches can be summed."""
        raise NotImplementedError

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute the model's loss, scaled by `share_of_step`."""
        if model.training:
            self.set_frozen_eval()
        output = model(**inputs)
        loss = self.share_of_step(output["loss"], self.count(inputs), num_items_in_batch)
        return (loss, output) if return_outputs else loss

    def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list[Any], Any]:
        """Take the batches of one optimiser step; return them and their count over all processes.

        None are left when the last step's checkpoint is resumed, a run killed while it wrote its result: transformers
        looks for the end only after a step, and would take one too many.
        """
        if self.state.global_step >= self.args.max_steps:
            self.control.should_training_stop = True
            return [], None
        batches = list(itertools.islice(epoch_iterator, num_batches))
        if not batches:
            return batches, None
        counts = torch.stack([self.count(batch) for batch in batches]).sum(0).to(device)
        return batches, self.over_processes(counts)


class AnswerTrainer(StageTrainer):
    """Train on packed rows: cross-entropy averaged per modality group, then weighted over groups.

    Means are over the learnt tokens of the whole optimiser step, across processes and accumulation, so the loss does
    not depend on how the batch is distributed. `token_phrase` adds its mean over labelled motion tokens, weighted by
    ``objective.token_phrase_contrastive``. `digits` marks the tokens of the vocabulary that hold a digit.
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
        digits: torch.Tensor | None = None,
        **options: Any,
    ) -> None:
        self._token_phrase = token_phrase
        self._objective = objective or ObjectiveConfig()
        self._digits = digits
        super().__init__(config, model, folder, **options)
        self._keep: torch.Tensor | None = None
        # The vocabulary head is a large part of a small model's cost, and only answers enter the loss: a hook passes it
        # those positions alone. Hooks work with every causal LM and inside the wrappers of distributed runs.
        head.register_forward_pre_hook(self._only_scored)
        attention = config.trainer.attention
        if attention == "auto":
            # On a CPU the backward pass of fused attention with a mask is slower than matrix products (width 256, rows
            # of 160 tokens: 0.87 s per step against 0.55 s).
            attention = "eager" if self.args.device.type == "cpu" else "sdpa"
        self._additive = attention == "eager"
        language_model = causal_lm_of(model, head)
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

    def _token_weights(self, labels: torch.Tensor) -> torch.Tensor:
        return token_weights(labels, self._objective.first_token, self._objective.number_tokens, self._digits)

    def count(self, batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Sum the weights of the learnt tokens per group, and count the labelled motion tokens: [G + 1]."""
        weights = self._token_weights(batch["labels"])
        return torch.cat([group_counts(weights, batch["modality_groups"]), named_tokens(batch)[None]])

    def compute_loss(
        self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Compute the micro-batch's contribution to the weighted mean loss of the step."""
        if model.training:
            self.set_frozen_eval()
        inputs = dict(inputs)
        here = self.count(inputs)
        labels, groups = inputs.pop("labels"), inputs.pop("modality_groups")
        phrases: dict[str, torch.Tensor] = {
            key: inputs.pop(key) for key in ("motion_phrases", "keypoint_phrases") if key in inputs
        }
        if self._additive and inputs["attention_mask"].ndim == 4:
            inputs["attention_mask"] = additive_mask(inputs["attention_mask"])
        keep, targets = supervised(labels)
        counts = here if num_items_in_batch is None else num_items_in_batch
        counts, named = counts[:-1], counts[-1]
        self._keep = keep
        try:
            outputs = model(**inputs, use_cache=False)
        finally:
            self._keep = None
        logits = outputs["logits"][0] if isinstance(outputs, dict) else outputs[0][0]
        sums = group_sums(logits, targets, keep, groups, self._token_weights(labels))
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
        """Log the mean loss of each group since the last log."""
        if "loss" in logs:
            sums = self.over_processes(self._log_sums)
            self._log_sums = torch.zeros_like(sums)
            for name, (total, count) in zip((*ModalityGroup.names(), "token_phrase"), sums.tolist(), strict=True):
                if count:
                    logs[f"loss_{name}"] = total / count
        super().log(logs, start_time)


class _Epochs(TrainerCallback):
    """Set the epoch of data and sampler before its first batch; let FSDP accept batches that differ in modality."""

    def __init__(self, trainer: StageTrainer) -> None:
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Reduce gradients that only some processes have: a batch may lack a modality."""
        if self.trainer.is_fsdp_enabled:
            wrapped: Any = self.trainer.model_wrapped
            wrapped.set_reduce_scatter_unused_params(True)

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self.trainer.set_epoch(int(state.epoch or 0))
