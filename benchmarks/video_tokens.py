"""Compare the time of 2,048 video tokens (every patch of 8 frames, as MotionLLM) with that of a token budget of 256.

    python benchmarks/video_tokens.py [--shape mid] [--tokens 2048 256 64] [--json]

A random language model reads the clip and a question of 32 tokens: the prompt's pass of generation, and a training step
(forward and backward pass) with gradients of the language model's input alone, as in stage align. The ratio of counted
FLOPs is printed beside the ratio of times. research/fusion measures the effect of pooling on scores.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForCausalLM, LlamaConfig

SHAPES = {
    "nano": {"hidden_size": 256, "num_hidden_layers": 6, "num_attention_heads": 4, "intermediate_size": 768},
    "mid": {"hidden_size": 1024, "num_hidden_layers": 12, "num_attention_heads": 16, "intermediate_size": 2816},
}
TEXT = 32


def prefill(model: torch.nn.Module, embeddings: torch.Tensor) -> None:
    """Run the prompt's pass, with logits of the last position only."""
    with torch.inference_mode():
        model(inputs_embeds=embeddings, use_cache=True, logits_to_keep=1)


def train(model: torch.nn.Module, embeddings: torch.Tensor) -> None:
    """Run a forward and backward pass with the loss on the text."""
    embeddings = embeddings.detach().requires_grad_()
    logits = model(inputs_embeds=embeddings, use_cache=False, logits_to_keep=TEXT).logits
    logits.float().logsumexp(-1).sum().backward()


def seconds(work: Callable[[], None], repeats: int) -> float:
    """Time `repeats` runs after one warm-up; return the shortest."""
    work()
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return best


def operations(work: Callable[[], None]) -> int:
    with FlopCounterMode(display=False) as counted:
        work()
    return counted.get_total_flops()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=list(SHAPES), default="mid")
    parser.add_argument("--tokens", nargs="+", type=int, default=[2048, 256])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peak-tflops", type=float, help="stated bf16 peak of the GPU, for utilisation")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(0)
    shape = LlamaConfig(
        **SHAPES[options.shape], vocab_size=32000, max_position_embeddings=4096, tie_word_embeddings=True
    )
    # sdpa is timed; FLOPs are counted with eager attention, which FlopCounterMode supports on every device.
    model = AutoModelForCausalLM.from_config(shape, attn_implementation="sdpa").to(device).eval().requires_grad_(False)
    if device.type == "cuda":
        model = model.to(torch.bfloat16)
    results = []
    for tokens in options.tokens:
        embeddings = torch.randn(1, tokens + TEXT, shape.hidden_size, device=device, dtype=model.dtype)
        row: dict[str, float] = {"tokens": tokens}
        for name, work in (("prefill", prefill), ("train", train)):
            run = partial(work, model, embeddings)
            row[f"{name}_s"] = seconds(run, options.repeats)
            model.set_attn_implementation("eager")
            row[f"{name}_flops"] = operations(run)
            model.set_attn_implementation("sdpa")
            if options.peak_tflops:
                row[f"{name}_utilisation"] = row[f"{name}_flops"] / row[f"{name}_s"] / (options.peak_tflops * 1e12)
        results.append(row)
    if options.json:
        print(json.dumps({"shape": options.shape, "results": results}))
        return
    full = results[0]
    for row in results:
        line = [f"{row['tokens']:5} video tokens"]
        for name in ("prefill", "train"):
            ratio, limit = full[f"{name}_s"] / row[f"{name}_s"], full[f"{name}_flops"] / row[f"{name}_flops"]
            line.append(f"{name} {row[f'{name}_s']:7.3f} s ({ratio:.1f} x faster; operations allow {limit:.1f} x)")
        print("   ".join(line), flush=True)


if __name__ == "__main__":
    main()
