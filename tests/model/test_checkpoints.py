from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from vimonet.model.conversion.convert_t2m_gpt import convert_state_dict, load_released_vqvae
from vimonet.model.motion_vqvae.configuration_motion_vqvae import MotionVQVAEConfig
from vimonet.model.motion_vqvae.modeling_motion_vqvae import MotionVQVAE
from vimonet.utils.errors import InputError
from vimonet.weights import WEIGHTS


@pytest.fixture
def released(shared: Path) -> dict[str, torch.Tensor]:
    return load_file(shared / "golden" / "vqvae_small.safetensors")


def test_released_checkpoint_reproduces_its_numbers(shared: Path) -> None:
    model, report = load_released_vqvae(shared / "golden" / "vqvae_small.safetensors")
    golden = np.load(shared / "golden" / "vqvae_small_io.npz", allow_pickle=False)
    x = torch.from_numpy(golden["input"])
    with torch.no_grad():
        features = model.encode_features(x)
        codes = model.encode(x)
        output = model(x)
        decoded, first = model.decode(codes), model.decode(codes[:1])
    assert len(report.renamed) == 67 and not report.unused
    np.testing.assert_allclose(features, golden["features"], atol=2.3e-6, rtol=0)
    np.testing.assert_array_equal(codes, golden["indices"])
    np.testing.assert_allclose(model.quantizer.lookup(codes), golden["dequantised"], atol=0, rtol=0)
    np.testing.assert_allclose(output.reconstruction, golden["reconstruction"], atol=2e-6, rtol=0)
    np.testing.assert_allclose(decoded, golden["reconstruction"], atol=2e-6, rtol=0)
    np.testing.assert_allclose(first, golden["forward_decoder_0"], atol=3e-6, rtol=0)
    assert float(output.commitment_loss) == pytest.approx(float(golden["commit_loss"]), abs=1e-6)
    assert float(output.perplexity) == pytest.approx(float(golden["perplexity"]), abs=1e-5)


def test_losses_are_those_of_the_paper(shared: Path) -> None:
    model, _ = load_released_vqvae(shared / "golden" / "vqvae_small.safetensors")
    golden = np.load(shared / "golden" / "vqvae_small_io.npz", allow_pickle=False)
    expected = json.loads((shared / "golden" / "vqvae_full_keys.json").read_text())["t2mgpt_losses_on_small_io"]
    output = model(torch.from_numpy(golden["input"]))
    assert float(output.reconstruction_loss.detach()) == pytest.approx(expected["recons_l1_smooth"], abs=2e-6)
    assert float(output.position_loss.detach()) == pytest.approx(expected["vel_l1_smooth"], abs=2e-6)
    assert float(output.loss.detach()) == pytest.approx(expected["total_with_0_02_commit_0_5_vel"], abs=2e-6)


def test_every_key_of_the_full_size_checkpoint_has_its_place(shared: Path) -> None:
    keys = json.loads((shared / "golden" / "vqvae_full_keys.json").read_text())["keys"]
    state = {key: torch.empty(shape, device="meta") for key, shape in keys.items()}
    converted, config, renamed, unused = convert_state_dict(state)
    with torch.device("meta"):
        ours = MotionVQVAE(config).state_dict()
    assert unused == () and len(renamed) == len(keys)
    assert (config.width, config.code_dim, config.num_codes, config.down_t, config.depth) == (512, 512, 512, 2, 3)
    assert set(ours) - set(converted) == {"quantizer.code_sum", "quantizer.code_count", "quantizer.initialised"}
    assert {key: value.shape for key, value in converted.items()} == {key: ours[key].shape for key in converted}
    assert sum(p.numel() for p in converted.values()) == 19_698_951


@pytest.mark.parametrize(("wrapper", "prefix"), [("net", "vqvae."), ("state_dict", "vae."), ("net", "module.vqvae.")])
def test_wrappers_and_prefixes_of_the_family(released: dict, tmp_path: Path, wrapper: str, prefix: str) -> None:
    state = {prefix + key.removeprefix("vqvae."): value for key, value in released.items()}
    state |= {"lm.head.weight": torch.ones(2), "t2m_motionencoder.encoder.model.0.weight": torch.ones(2, 2, 3)}
    torch.save({wrapper: state, "epoch": 3}, tmp_path / "net_best.pth")
    model, report = load_released_vqvae(tmp_path / "net_best.pth")
    assert set(report.unused) == {"lm.head.weight", "t2m_motionencoder.encoder.model.0.weight"}
    assert torch.equal(model.quantizer.codebook, released["vqvae.quantizer.codebook"])


def test_imported_model_saves_and_loads(released: dict, tmp_path: Path) -> None:
    save_file(released, tmp_path / "vq.safetensors")
    model, _ = load_released_vqvae(tmp_path / "vq.safetensors")
    model.save_pretrained(tmp_path / "ours")
    again = MotionVQVAE.from_pretrained(tmp_path / "ours").eval()
    x = torch.randn(1, 24, 263)
    assert torch.equal(model.encode_features(x), again.encode_features(x))


def test_training_on_keeps_the_imported_codebook(released: dict, tmp_path: Path) -> None:
    # The peer's code re-initialises its codebook here, because its running means are not saved.
    save_file(released, tmp_path / "vq.safetensors")
    model, _ = load_released_vqvae(tmp_path / "vq.safetensors")
    before = model.quantizer.codebook.clone()
    model.train()(torch.randn(2, 32, 263))
    used_less = (model.quantizer.codebook - before).abs().amax(1)
    assert (used_less < 1e-5).sum() >= 8  # codes not seen in this batch stay where they were


def test_damaged_and_foreign_files_are_named(tmp_path: Path, released: dict) -> None:
    cut = tmp_path / "cut.safetensors"
    save_file(released, tmp_path / "whole.safetensors")
    cut.write_bytes((tmp_path / "whole.safetensors").read_bytes()[:5000])
    evil = tmp_path / "evil.pth"
    evil.write_bytes(pickle.dumps({"net": print}, protocol=2))
    foreign = tmp_path / "foreign.safetensors"
    save_file({"layer.weight": torch.ones(2)}, foreign)
    partial = tmp_path / "partial.safetensors"
    save_file({k: v for k, v in released.items() if "decoder.model.3" not in k}, partial)
    for file in (cut, evil, foreign, partial, tmp_path / "absent.pth"):
        with pytest.raises(InputError, match=file.name):
            load_released_vqvae(file)


def test_config_overrides_reach_the_model() -> None:
    theirs = convert_state_dict(_theirs(MotionVQVAEConfig(width=8, code_dim=4, num_codes=5)), activation="gelu")
    assert theirs[1].activation == "gelu" and theirs[1].num_codes == 5


def _theirs(config: MotionVQVAEConfig) -> dict[str, torch.Tensor]:
    """Just enough of a file of the family, made here: this test needs no shared data."""
    w, c = config.width, config.code_dim
    state = {"vqvae.encoder.model.0.weight": torch.zeros(w, config.input_dim, 3)}
    for stage in (2, 3):
        state[f"vqvae.encoder.model.{stage}.0.weight"] = torch.zeros(w, w, 4)
        state[f"vqvae.encoder.model.{stage}.1.model.0.conv1.weight"] = torch.zeros(w, w, 3)
    state["vqvae.encoder.model.4.weight"] = torch.zeros(c, w, 3)
    state["vqvae.quantizer.codebook"] = torch.zeros(config.num_codes, c)
    return state


def test_a_template_without_a_system_message_is_rendered_without_one(tmp_path: Path) -> None:
    from vimonet.model.template_trial import check_template

    nanos = (WEIGHTS / "nano" / "chat_template.jinja").read_text()
    check_template(nanos, tmp_path)  # of another folder, so that it is tried
    with pytest.raises(InputError, match="cannot be used"):
        check_template("{{ raise_exception('no') }}", tmp_path)
