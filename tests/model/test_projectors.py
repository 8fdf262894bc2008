from __future__ import annotations

import pytest
import torch

from vimonet.model.projectors import AttentiveProjector, Projectors, build_projector, sinusoids


@pytest.mark.parametrize("kind", ["linear", "mlp"])
def test_one_token_per_feature(kind):
    projector = build_projector(kind, 6, 8)
    x = torch.randn(2, 5, 6)
    tokens, weights = projector(x)
    assert tokens.shape == (2, 5, 8) and weights is None
    torch.testing.assert_close(tokens[:, 2:3], projector(x[:, 2:3])[0])


def test_attentive_has_a_fixed_budget_and_weights_that_sum_to_one():
    projector = AttentiveProjector(6, 8, queries=3, heads=2)
    tokens, weights = projector(torch.randn(2, 7, 6))
    assert tokens.shape == (2, 3, 8) and weights.shape == (2, 2, 3, 7)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 2, 3))


def test_attentive_ignores_padding():
    projector = AttentiveProjector(6, 8, queries=3, heads=2)
    x = torch.randn(1, 4, 6)
    padded = torch.cat([x, 1e3 * torch.randn(1, 3, 6)], dim=1)
    mask = torch.arange(7)[None] < 4
    tokens, weights = projector(padded, mask)
    torch.testing.assert_close(tokens, projector(x)[0])
    assert weights[..., 4:].abs().max() == 0


def test_attentive_knows_the_order():
    projector = AttentiveProjector(6, 8, queries=3, heads=2)
    x = torch.randn(1, 5, 6)
    assert not torch.allclose(projector(x)[0], projector(x.flip(1))[0], atol=1e-4)


def test_attentive_gradients_reach_everything():
    projector = AttentiveProjector(6, 8, queries=3, heads=2)
    projector(torch.randn(2, 5, 6))[0].square().sum().backward()
    for name, parameter in projector.named_parameters():
        # A constant added to every key leaves softmax as it is, so its bias alone has no gradient.
        assert name == "key.bias" or parameter.grad.abs().max() > 0, name


def test_bfloat16():
    projector = AttentiveProjector(6, 8, queries=3, heads=2).to(torch.bfloat16)
    assert projector(torch.randn(1, 5, 6, dtype=torch.bfloat16))[0].dtype == torch.bfloat16


def test_each_input_has_its_own():
    projectors = Projectors("mlp", {"motion": 6, "keypoint": 4}, 8)
    assert projectors(torch.randn(1, 5, 6), "motion")[0].shape == (1, 5, 8)
    assert projectors(torch.randn(1, 5, 4), "keypoint")[0].shape == (1, 5, 8)


def test_unknown_kind_and_wrong_heads():
    with pytest.raises(ValueError, match="'linear', 'mlp' or 'attentive'"):
        build_projector("conv", 6, 8)
    with pytest.raises(ValueError, match="multiple"):
        AttentiveProjector(6, 9, heads=2)


@pytest.mark.parametrize("width", [7, 8])
def test_sinusoids_tell_places_apart(width):
    code = sinusoids(50, width)
    assert code.shape == (50, width)
    assert torch.cdist(code, code).fill_diagonal_(9).min() > 0.05
