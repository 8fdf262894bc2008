"""Measure time to first token and tokens per second, against MotionLLM's generation loop and plain transformers.

    python benchmarks/generation.py [--shape nano mid] [--batch 1 8 32] [--new 100] [--json]

Three implementations must give the same greedy tokens on one random model (they may differ where two logits tie to
rounding; the first difference is then printed):

- ``vimonet``: `ViMoNetForConditionalGeneration.generate` with a motion of 49 tokens in each prompt;
- ``transformers``: `generate` of the language model alone, on the same fused inputs;
- ``reference``: MotionLLM's loop, written from its description: without a cache, the whole sequence passes through the
  model for every new token, with logits of all positions.

The limit of decoding at batch 1 is printed too: every weight is read once per token, so tokens per second are at most
the measured memory bandwidth divided by the bytes of the weights. On a GPU ``--peak-tflops`` prints the share of the
stated bf16 peak that the prompt's pass reaches.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from transformers import LlamaConfig

from vimonet.model import MotionVQVAEConfig, ViMoNetConfig, ViMoNetForConditionalGeneration

MOTION, FRAMES, PROMPT = 5, 196, 80
"""Placeholder id, frames of a clip, tokens of a prompt (49 of them the clip's)."""

SHAPES = {
    "nano": {"hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 4, "intermediate_size": 768},
    "mid": {"hidden_size": 1024, "num_hidden_layers": 12, "num_attention_heads": 16, "intermediate_size": 2816},
}
VOCABULARY = {"nano": 2048, "mid": 32000}


def build(shape: str, device: torch.device) -> ViMoNetForConditionalGeneration:
    """Build a random model of a shape, with a motion tower."""
    torch.manual_seed(0)
    text = LlamaConfig(
        **SHAPES[shape], vocab_size=VOCABULARY[shape], tie_word_embeddings=True, max_position_embeddings=2048
    )
    motion = MotionVQVAEConfig(input_dim=263, width=128, code_dim=128)
    config = ViMoNetConfig(text_config=text, motion_config=motion, motion_token_id=MOTION)
    model = ViMoNetForConditionalGeneration(config).eval()
    return model.to(device, torch.bfloat16 if device.type == "cuda" else torch.float32)


def prompts(model: ViMoNetForConditionalGeneration, batch: int) -> dict[str, torch.Tensor]:
    """Make prompts of equal length with one clip each."""
    draw = torch.Generator().manual_seed(1)
    ids = torch.randint(10, model.config.text_config.vocab_size, (batch, PROMPT), generator=draw)
    ids[:, 8 : 8 + FRAMES // 4] = MOTION
    values = torch.randn(batch, FRAMES, 263, generator=draw)
    moved = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "motion_values": values}
    return {name: value.to(model.device) for name, value in moved.items()}


def with_vimonet(model: Any, inputs: dict[str, torch.Tensor], new: int) -> torch.Tensor:
    return model.generate(**inputs, **greedy(new))[:, PROMPT:]


def with_transformers(model: Any, inputs: dict[str, torch.Tensor], new: int) -> torch.Tensor:
    embeddings, _ = model.vimonet.fuse(inputs["input_ids"], motion_values=inputs["motion_values"])
    return model.language_model.generate(
        inputs_embeds=embeddings, attention_mask=inputs["attention_mask"], **greedy(new)
    )


def without_cache(model: Any, inputs: dict[str, torch.Tensor], new: int) -> torch.Tensor:
    """Generate by the reference: one whole forward pass per token."""
    sequence, _ = model.vimonet.fuse(inputs["input_ids"], motion_values=inputs["motion_values"])
    tokens = []
    for _ in range(new):
        logits = model.language_model(inputs_embeds=sequence, use_cache=False).logits
        tokens.append(logits[:, -1].argmax(-1, keepdim=True))
        sequence = torch.cat([sequence, model.get_input_embeddings()(tokens[-1])], dim=1)
    return torch.cat(tokens, dim=1)


WAYS: dict[str, Callable[..., torch.Tensor]] = {
    "vimonet": with_vimonet,
    "transformers": with_transformers,
    "reference": without_cache,
}


def greedy(new: int) -> dict[str, Any]:
    """Generate exactly `new` tokens greedily."""
    return {"max_new_tokens": new, "min_new_tokens": new, "do_sample": False, "pad_token_id": 0, "eos_token_id": 1}


def seconds(work: Callable[[], torch.Tensor], device: torch.device, repeats: int) -> tuple[float, torch.Tensor]:
    """Time `repeats` runs; return the shortest time and the result."""
    best, result = float("inf"), torch.empty(0)
    for _ in range(repeats):
        start = time.perf_counter()
        result = work()
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best, result


def bandwidth(device: torch.device) -> float:
    """Measure memory bandwidth in bytes/s, by copying a block larger than all caches."""
    source = torch.ones(64 * 2**20, device=device)
    target = torch.empty_like(source)
    best, _ = seconds(lambda: target.copy_(source), device, 5)
    return 2 * source.nbytes / best


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", nargs="+", choices=list(SHAPES), default=list(SHAPES))
    parser.add_argument("--batch", nargs="+", type=int, default=[1, 8, 32])
    parser.add_argument("--new", type=int, default=100, help="tokens of an answer (default: 100)")
    parser.add_argument("--repeats", type=int, default=3, help="timed runs of the cached ways; the shortest counts")
    parser.add_argument("--peak-tflops", type=float, help="stated bf16 peak of the GPU, for utilisation")
    parser.add_argument("--json", action="store_true", help="one JSON object per line")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    stream = bandwidth(device)
    if not options.json:
        name = torch.cuda.get_device_name() if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
        print(f"{name}; stream copy {stream / 1e9:.1f} GB/s; {options.new} new tokens after {PROMPT}")
    for shape in options.shape:
        model = build(shape, device)
        weights = sum(p.nbytes for p in model.language_model.parameters())
        parameters = sum(p.numel() for p in model.language_model.parameters())
        for batch in options.batch:
            inputs = prompts(model, batch)
            rows, answers = {}, {}
            for way, generate in WAYS.items():
                generate(model, inputs, 2)
                repeats = 1 if way == "reference" else options.repeats
                first, _ = seconds(partial(generate, model, inputs, 1), device, options.repeats)
                whole, answers[way] = seconds(partial(generate, model, inputs, options.new), device, repeats)
                rows[way] = {"first_token_s": first, "tokens_per_s": batch * options.new / whole}
            ours = rows["vimonet"]
            flops = 2 * parameters * batch * PROMPT
            reached = flops / ours["first_token_s"] / (options.peak_tflops * 1e12) if options.peak_tflops else None
            result = {
                "shape": shape,
                "batch": batch,
                **rows,
                "ratio_to_reference": ours["tokens_per_s"] / rows["reference"]["tokens_per_s"],
                "ratio_to_transformers": ours["tokens_per_s"] / rows["transformers"]["tokens_per_s"],
                "limit_tokens_per_s": batch * stream / weights,
                "equal_tokens": {way: agreement(answers["vimonet"], answers[way]) for way in WAYS},
                "prompt_utilisation": reached,
            }
            print(json.dumps(result) if options.json else line(result), flush=True)


def agreement(a: torch.Tensor, b: torch.Tensor) -> float:
    """Compute the share of tokens before the first difference in their row."""
    return float((a == b).long().cumprod(1).float().mean())


def line(row: dict[str, Any]) -> str:
    ways = "   ".join(
        f"{way} {row[way]['tokens_per_s']:8.1f} ({row[way]['first_token_s'] * 1e3:.0f} ms)" for way in WAYS
    )
    reached = "" if row["prompt_utilisation"] is None else f", prompt at {row['prompt_utilisation']:.0%} of the peak"
    return (
        f"{row['shape']:5} batch {row['batch']:3}: tokens/s (first token): {ways}   "
        f"{row['ratio_to_reference']:.1f} x the reference, {row['ratio_to_transformers']:.2f} x transformers; "
        f"weights alone allow {row['limit_tokens_per_s']:.0f} tokens/s{reached}; "
        f"equal {min(row['equal_tokens'].values()):.0%}"
    )


if __name__ == "__main__":
    main()
