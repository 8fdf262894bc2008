"""Fit the weights by which a model's own log-odds of yes against no and those of its matcher are summed.

    python -m research.mini.yes_no_weights -m mini [--questions research/people/dev.jsonl]

It asks the questions of yes or no of a development set, and prints the two weights of a logistic regression without a
constant, how often either alone and both are right, and their cross-entropy; ``yes_no_weights`` of a model's config
holds the weights.
"""

from __future__ import annotations

import argparse
from itertools import groupby
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

import vimonet
from research.people.score import load_questions, motions_of
from vimonet.utils.errors import InputError

DEV = Path(__file__).parents[1] / "people" / "dev.jsonl"


@torch.no_grad()
def log_odds(model: str | None, path: Path) -> tuple[Tensor, Tensor]:
    """Compute the log-odds of yes by the language model and by the matcher, [N, 2], and the right answers, [N].

    Raises:
        InputError: a model without a matcher.
    """
    assistant = vimonet.load(model)
    if assistant.reader is None or assistant.reader.matcher is None:
        raise InputError(f"{model}: it has no matcher.")
    tokenizer = assistant.processor.tokenizer
    yes, no = (tokenizer(word, add_special_tokens=False)["input_ids"][0] for word in ("yes", "no"))
    asked = [question for question in load_questions(path) if question["kind"] == "yesno"]
    asked.sort(key=lambda question: str(question["clip"]))
    motions, builder = motions_of(asked), assistant.builder()
    found: list[tuple[float, float]] = []
    for clip, group in tqdm(groupby(asked, key=lambda question: str(question["clip"])), desc="clips"):
        for question in group:
            (window,) = assistant.windows(builder, question["question"], motions[clip])
            logits = assistant.model(**assistant.prepare_inputs([window]), logits_to_keep=1).logits[0, -1].float()
            matched = assistant.reader.log_odds([(window.question, window.actions)])[0]
            found.append((float(logits[yes] - logits[no]), float(matched)))
    right = torch.tensor([float(str(question["answer"]).lower().startswith("yes")) for question in asked])
    return torch.tensor(found), right


def fit(odds: Tensor, right: Tensor) -> Tensor:
    """Fit the weights of both experts, [2], by maximum likelihood."""
    weights = torch.ones(2, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=100)

    def loss() -> Tensor:
        optimiser.zero_grad()
        value = F.binary_cross_entropy_with_logits(odds @ weights, right)
        value.backward()
        return value

    optimiser.step(loss)
    return weights.detach()


def main() -> None:
    """Fit the weights and print them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-m", "--model", help="model folder, hub id or shipped model")
    parser.add_argument("--questions", type=Path, default=DEV, help="development set; default: dev.jsonl")
    args = parser.parse_args()
    odds, right = log_odds(args.model, args.questions)
    weights = fit(odds, right)
    print(f"weights: {weights[0]:.2f} of the language model, {weights[1]:.2f} of the matcher, n {len(right)}")
    for name, scores in (("language model", odds[:, 0]), ("matcher", odds[:, 1]), ("both", odds @ weights)):
        share = ((scores > 0) == (right > 0)).float().mean()
        print(f"{name}: {share:.2f} right, cross-entropy {F.binary_cross_entropy_with_logits(scores, right):.3f}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(f"yes_no_weights: {error}") from None
