from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp

from vimonet.cli.train import end_process
from vimonet.model.motion_vqvae.configuration_motion_vqvae import QUANTIZERS, MotionVQVAEConfig
from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionEncoder, MotionVQVAE
from vimonet.model.motion_vqvae.quantizers import EMAResetQuantizer
from vimonet.utils.errors import InputError

LENGTHS = (20, 13, 5, 1)


def tiny(quantizer: str = "ema_reset", **fields: object) -> MotionVQVAE:
    torch.manual_seed(0)
    config = {"input_dim": 12, "width": 16, "code_dim": 8, "num_codes": 16, "fsq_levels": [4, 4]} | fields
    return MotionVQVAE(MotionVQVAEConfig(quantizer=quantizer, **config))


def batch() -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(4, 20, 12, generator=torch.Generator().manual_seed(1))
    return x, torch.arange(20)[None] < torch.tensor(LENGTHS)[:, None]


def test_ema_reset_follows_the_reference_step_by_step(shared: Path) -> None:
    golden = np.load(shared / "golden" / "vqvae_ema_reset_steps.npz", allow_pickle=False)
    quantizer = EMAResetQuantizer(32, 64).train()
    for step in range(4):
        output = quantizer(torch.from_numpy(golden[f"s{step}_x_NCT"]).transpose(1, 2))
        np.testing.assert_array_equal(output.quantised.transpose(1, 2), golden[f"s{step}_out_NCT"])
        assert float(output.commitment_loss) == pytest.approx(float(golden[f"s{step}_commit"]), abs=1e-6)
        assert float(output.perplexity) == pytest.approx(float(golden[f"s{step}_perplexity"]), abs=1e-4)
        for name in ("codebook", "code_sum", "code_count"):
            np.testing.assert_array_equal(getattr(quantizer, name), golden[f"s{step}_{name}_after"])


@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_shapes_losses_and_gradients(quantizer: str) -> None:
    model = tiny(quantizer)
    x, mask = batch()
    output = model(x, mask)
    output.loss.backward()
    assert output.reconstruction.shape == x.shape
    assert output.codes.shape[:2] == (4, 5) and output.features.shape == (4, 5, 8)
    assert model.encoder.input.weight.grad.abs().sum() > 0, "the straight-through gradient must reach the encoder"
    assert 0.999 <= float(output.perplexity) <= model.config.codebook_size


@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_a_padded_clip_gives_what_it_gives_alone(quantizer: str) -> None:
    model = tiny(quantizer)
    x, mask = batch()
    model(x, mask)  # fills the codebook
    model.eval()
    padded = x.masked_fill(~mask[..., None], float("nan"))  # padding must not be read at all
    features, codes = model.encode_features(padded, mask), model.encode(padded, mask)
    reconstruction = model(padded, mask).reconstruction
    for i, length in enumerate(LENGTHS):
        clip = x[i : i + 1, :length]
        tokens = -(-length // 4)
        torch.testing.assert_close(features[i, :tokens], model.encode_features(clip)[0], atol=1e-6, rtol=0)
        assert torch.equal(codes[i, :tokens], model.encode(clip)[0])
        assert (codes[i, tokens:] == -1).all() and (features[i, tokens:] == 0).all()
        torch.testing.assert_close(reconstruction[i, :length], model(clip).reconstruction[0], atol=1e-6, rtol=0)
    decoded = model.decode(codes)
    torch.testing.assert_close(decoded[:, :20] * mask[..., None], reconstruction, atol=1e-6, rtol=0)


def test_masked_loss_is_the_mean_over_real_frames() -> None:
    model = tiny(position_channels=[2, 6]).eval()
    model.quantizer.set_codebook(torch.randn(16, 8))
    x, mask = batch()
    together = model(x, mask)
    alone = [model(x[i : i + 1, :n]) for i, n in enumerate(LENGTHS)]
    for name in ("reconstruction_loss", "position_loss"):
        expected = sum(getattr(o, name) * n for o, n in zip(alone, LENGTHS, strict=True)) / sum(LENGTHS)
        torch.testing.assert_close(getattr(together, name), expected)
    expected = sum(o.commitment_loss * (-(-n // 4)) for o, n in zip(alone, LENGTHS, strict=True)) / 12
    torch.testing.assert_close(together.commitment_loss, expected)


@pytest.mark.parametrize("quantizer", QUANTIZERS)
@pytest.mark.parametrize("how", ["eval", "freeze", "config", "encode", "before training"])
def test_a_frozen_codebook_does_not_drift(quantizer: str, how: str) -> None:
    model = tiny(quantizer, freeze_codebook=how == "config")
    x, mask = batch()
    if how not in ("config", "before training"):
        model(x, mask)
    if how in ("eval", "before training"):
        model.eval()
    elif how == "freeze":
        model.freeze().train()
    before = {key: value.clone() for key, value in model.quantizer.state_dict().items()}
    for _ in range(3):
        if how == "encode":
            model.encode(x + 1.0, mask)
        else:
            model(x + 1.0, mask)
    after = model.quantizer.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("quantizer", ["ema_reset", "residual"])
def test_a_training_codebook_does_move(quantizer: str) -> None:
    model = tiny(quantizer)
    x, mask = batch()
    model(x, mask)
    before = {key: value.clone() for key, value in model.quantizer.state_dict().items()}
    model(x + 1.0, mask)
    after = model.quantizer.state_dict()
    assert any(not torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("quantizer", QUANTIZERS)
def test_save_and_load_are_identical_and_training_goes_on_alike(quantizer: str, tmp_path: Path) -> None:
    model = tiny(quantizer)
    x, mask = batch()
    for _ in range(3):
        model(x, mask)
    model.save_pretrained(tmp_path)
    again = MotionVQVAE.from_pretrained(tmp_path)
    assert not again.training
    assert torch.equal(model.eval()(x, mask).reconstruction, again(x, mask).reconstruction)
    states = []
    for each in (model, again):
        torch.manual_seed(5)
        each.train()(x, mask)
        states.append(each.state_dict())
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_half_precision_weights_keep_the_codebook_in_float32(tmp_path: Path) -> None:
    tiny().save_pretrained(tmp_path)
    model = MotionVQVAE.from_pretrained(tmp_path, dtype=torch.bfloat16)
    assert model.encoder.input.weight.dtype == torch.bfloat16 and model.quantizer.codebook.dtype == torch.float32
    assert model(torch.randn(1, 8, 12, dtype=torch.bfloat16)).reconstruction.dtype == torch.bfloat16


def test_training_learns_and_uses_the_codebook() -> None:
    model = tiny(num_codes=32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(0)
    time, offset = torch.arange(32)[:, None] / 32, torch.arange(12) / 12
    losses = []
    for _ in range(60):
        phase = torch.rand(16, 1, 1, generator=generator)
        x = torch.sin(2 * torch.pi * (time + offset + phase))
        output = model(x)
        optimizer.zero_grad()
        output.loss.backward()
        optimizer.step()
        losses.append(output.reconstruction_loss.item())
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    assert output.codes.unique().numel() > 0.25 * 32


def _train_in_a_group(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/group", rank=rank, world_size=2)
    for name in ("ema_reset", "residual"):
        quantizer = tiny(name).quantizer
        torch.manual_seed(rank)
        for step in range(3):
            quantizer(tokens(step)[rank * 3 : rank * 3 + 3])
        torch.save(quantizer.state_dict(), f"{folder}/{name}{rank}.pt")
    dist.destroy_process_group()
    end_process(0)


def tokens(step: int) -> torch.Tensor:
    return torch.randn(6, 4, 8, generator=torch.Generator().manual_seed(step))


@pytest.mark.slow
def test_two_processes_update_the_codebook_as_one(tmp_path: Path) -> None:
    mp.spawn(_train_in_a_group, (str(tmp_path),), nprocs=2)
    alone = tiny().quantizer
    for step in range(3):
        alone(tokens(step))
    for name in ("ema_reset", "residual"):
        first, second = (torch.load(tmp_path / f"{name}{rank}.pt", weights_only=True) for rank in range(2))
        assert all(torch.equal(first[key], second[key]) for key in first)
        if name == "ema_reset":  # the library draws its replacements at random: alike everywhere is all it can be
            torch.testing.assert_close(dict(first), dict(alone.state_dict()), atol=1e-5, rtol=1e-5)


def test_a_code_unused_for_very_long_gives_no_nan() -> None:
    quantizer = EMAResetQuantizer(4, 2).train()
    quantizer(torch.randn(1, 8, 2))
    quantizer.code_count[3], quantizer.code_sum[3] = 0.0, 0.0
    quantizer(torch.full((1, 8, 2), 100.0))
    assert quantizer.codebook.isfinite().all()


def test_encoder_works_alone() -> None:
    config = MotionVQVAEConfig(input_dim=7, width=8, code_dim=6)
    encoder = MotionEncoder(config)
    mask = torch.tensor([[True] * 5 + [False] * 4])
    assert encoder(torch.randn(1, 9, 7), mask).shape == (1, 3, 6)
    assert encoder.token_mask(mask).tolist() == [[True, True, False]]
    assert config.ratio == 4 and config.position_channels is None


@pytest.mark.parametrize("field", [{"quantizer": "vq"}, {"activation": "tanh"}, {"stride_t": 3}])
def test_unknown_options_are_refused(field: dict) -> None:
    with pytest.raises(InputError, match=next(iter(field))):
        MotionVQVAEConfig(**field)
