"""The weights of two experts are those under which the right answers are likeliest."""

from __future__ import annotations

import torch

from research.mini.yes_no_weights import fit


def test_an_expert_that_knows_nothing_gets_no_weight() -> None:
    torch.manual_seed(0)
    odds = torch.randn(4000, 2) * 2
    right = (torch.rand(4000) < (0.5 * odds[:, 0]).sigmoid()).float()
    weights = fit(odds, right)
    assert abs(float(weights[0]) - 0.5) < 0.06 and abs(float(weights[1])) < 0.06
