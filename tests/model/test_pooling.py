from __future__ import annotations

import pytest
import torch

from vimonet.model.projectors import AttentivePooling, GridPooling, Projectors, count_tokens, pooled_grid


@pytest.mark.parametrize(
    ("kind", "grid", "budget", "expected"),
    [
        ("spatial", (8, 16, 16), 256, (8, 5, 6)),  # the default: 240 tokens
        ("none", (8, 16, 16), 256, (8, 16, 16)),  # the paper's line: 2,048
        ("temporal", (8, 16, 16), 256, (1, 16, 16)),
        ("temporal", (8, 4, 4), 64, (4, 4, 4)),
        ("temporal", (8, 16, 16), 100, (1, 10, 10)),
        ("spatial", (8, 5, 5), 256, (8, 5, 5)),  # fits as it is
        ("spatial", (32, 7, 7), 16, (16, 1, 1)),
        ("attentive", (8, 16, 16), 64, (1, 1, 64)),
    ],
)
def test_the_budget_is_kept(kind, grid, budget, expected):
    assert pooled_grid(kind, grid, budget) == expected
    tokens = count_tokens(kind, grid, budget)
    assert tokens <= budget or kind == "none"
    features, places = torch.randn(2, grid[0], grid[1] * grid[2], 16), torch.arange(grid[0]).expand(2, -1).float()
    pooling = AttentivePooling(16, budget, 4) if kind == "attentive" else GridPooling(kind, *grid[1:], budget)
    assert pooling(features, places)[0].shape == (2, tokens, 16)


def test_no_budget_is_overrun():
    for kind in ("spatial", "temporal"):
        for frames in (1, 3, 8, 40):
            for side in (1, 4, 7, 16):
                for budget in (1, 5, 31, 256):
                    got = pooled_grid(kind, (frames, side, side), budget)
                    assert 1 <= got[0] * got[1] * got[2] <= budget
                    assert all(a <= b for a, b in zip(got, (frames, side, side), strict=True))


def test_a_pooled_token_is_the_mean_of_its_patches_and_knows_its_time():
    features = torch.arange(2 * 4 * 4, dtype=torch.float32).view(1, 2, 16, 1)
    tokens, places, weights = GridPooling("spatial", 4, 4, 8)(features, torch.tensor([[3.0, 7.0]]))
    square = features.view(2, 4, 4)
    wanted = [square[f, 2 * r : 2 * r + 2, 2 * c : 2 * c + 2].mean() for f in (0, 1) for r in (0, 1) for c in (0, 1)]
    assert tokens.flatten().tolist() == [float(value) for value in wanted]
    assert places.tolist() == [[3.0] * 4 + [7.0] * 4] and weights is None
    tokens, places, _ = GridPooling("temporal", 4, 4, 16)(features, torch.tensor([[3.0, 7.0]]))
    torch.testing.assert_close(tokens[0, :, 0], features[0, :, :, 0].mean(0))
    assert places.tolist() == [[5.0] * 16]


def test_attentive_weights_sum_to_one_and_see_time_and_place():
    torch.manual_seed(0)
    pooling = AttentivePooling(16, 5, 4)
    features = torch.randn(2, 3, 6, 16)
    places = torch.tensor([[0.0, 4.0, 8.0], [0.0, 4.0, 8.0]])
    tokens, token_places, weights = pooling(features, places)
    assert tokens.shape == (2, 5, 16) and weights.shape == (2, 4, 5, 3, 6)
    torch.testing.assert_close(weights.sum((-1, -2)), torch.ones(2, 4, 5))
    looked = (weights.mean(1).sum(-1) * places[:, None]).sum(-1)
    torch.testing.assert_close(token_places, looked, msg="a token's moment is where it looked")
    assert token_places.min() > 0 and token_places.max() < 8 and len(set(token_places.flatten().tolist())) > 1
    for moved in (
        pooling(features, places + 3)[0],
        pooling(features.flip(2), places)[0],
        pooling(features.flip(1), places)[0],
    ):
        assert (moved - tokens).abs().max() > 1e-4
    with pytest.raises(ValueError, match="width 16 is not a multiple of projector_heads=3"):
        AttentivePooling(16, 5, 3)


def test_one_clock_for_motion_and_video():
    """What happens at one time carries one code in both streams."""
    torch.manual_seed(0)
    spec = {"kind": "linear", "input_dim": 8, "rows": 2, "columns": 2, "budget": 64}
    translators = Projectors("linear", {"motion": 8}, 16, time=True, video=spec)
    for linear in (translators.motion.linear, translators.video.translator.linear):
        torch.nn.init.zeros_(linear.weight)
        torch.nn.init.zeros_(linear.bias)
    motion, _ = translators(torch.randn(1, 20, 8), "motion")
    video, _ = translators(torch.randn(1, 3, 4, 8), "video", places=torch.tensor([[0.0, 7.0, 19.0]]))
    torch.testing.assert_close(video.view(3, 4, 16)[:, 2], motion[0, [0, 7, 19]])
