from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from tiny import tiny_motion
from tiny_evaluator import tiny_evaluator

from vimonet.retrieval.modeling_text_motion import MotionTextConfig, MotionTextModel, info_nce
from vimonet.retrieval.r_precision import caption_overlap, may_describe
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder, shipped_encoder
from vimonet.retrieval.window_features import split
from vimonet.utils.errors import InputError


@pytest.fixture(scope="module")
def evaluator() -> TextMotionEncoder:
    return tiny_evaluator()


@pytest.fixture(scope="module")
def folder(evaluator: TextMotionEncoder, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("evaluator") / "saved"
    evaluator.save(folder)
    return folder


def test_vectors_have_length_one_and_do_not_depend_on_their_batch(evaluator: TextMotionEncoder) -> None:
    texts = ["to the left", "what is the person doing", "a"]
    motions = [tiny_motion(20 + 7 * i, seed=i, dimensions=2 if i == 1 else 3) for i in range(4)]
    for together, alone in (
        (evaluator.texts(texts), np.concatenate([evaluator.texts([text]) for text in texts])),
        (evaluator.motions(motions), np.concatenate([evaluator.motions([motion]) for motion in motions])),
    ):
        assert together.shape[1] == 24
        assert np.linalg.norm(together, axis=1) == pytest.approx(1, abs=1e-5)
        assert together == pytest.approx(alone, abs=1e-5)
    assert evaluator.motions([]).shape == (0, 24)
    assert evaluator.texts([]).shape == (0, 24)


def test_a_long_motion_is_the_mean_of_its_windows(evaluator: TextMotionEncoder) -> None:
    motion = tiny_motion(150)
    windows = evaluator.clips([motion.window(*pair) for pair in split(150, 64, 32)])
    mean = windows.mean(0)
    assert evaluator.motions([motion])[0] == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    with pytest.raises(InputError, match="150 frames"):
        evaluator.clips([motion])


def test_windows_cover_a_recording() -> None:
    assert split(10, 20, 10) == [(0, 10)]
    assert split(20, 20, 10) == [(0, 20)]
    assert split(45, 20, 10) == [(0, 20), (10, 30), (20, 40), (25, 45)]
    assert split(40, 20, 10) == [(0, 20), (10, 30), (20, 40)]


def test_saved_in_half_precision_it_comes_back(evaluator: TextMotionEncoder, folder: Path) -> None:
    loaded = TextMotionEncoder.load(folder)
    motion = tiny_motion(50)
    assert loaded.model.dtype == torch.float32
    assert loaded.motions([motion])[0] @ evaluator.motions([motion])[0] > 0.9999
    assert loaded.texts(["to the right"])[0] @ evaluator.texts(["to the right"])[0] > 0.9999
    assert loaded.fingerprint == TextMotionEncoder.load(folder).fingerprint != ""
    usual = MotionTextModel.from_pretrained(folder, dtype=torch.float32)
    for name, value in loaded.model.state_dict().items():
        assert torch.equal(value, usual.state_dict()[name]), name


def test_it_says_what_is_wrong_with_a_folder(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no text-motion encoder is in this place"):
        TextMotionEncoder.load(tmp_path / "nowhere")
    broken = shutil.copytree(folder, tmp_path / "broken")
    weights = broken / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(InputError, match="cut off"):
        TextMotionEncoder.load(broken)
    other = shutil.copytree(folder, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "embedding_dim": 12}))
    with pytest.raises(InputError, match="not a text-motion encoder this version can load"):
        TextMotionEncoder.load(other)
    (other / "tokenizer.json").unlink()
    with pytest.raises(InputError, match=r"tokenizer\.json is missing"):
        TextMotionEncoder.load(other)


def test_it_refuses_what_it_cannot_read(evaluator: TextMotionEncoder) -> None:
    with pytest.raises(InputError, match="empty text"):
        evaluator.texts(["walk", "  "])
    with pytest.raises(InputError, match="not trained on 2D keypoints"):
        tiny_evaluator(keypoints=False).motions([tiny_motion(dimensions=2)])
    with pytest.raises(InputError, match="temperature"):
        MotionTextConfig(temperature=0)


def test_info_nce_is_the_textbook_sum() -> None:
    logits = torch.tensor([[2.0, 1.0], [0.0, 3.0]])
    rows = [-math.log(math.exp(2) / (math.exp(2) + math.exp(1))), -math.log(math.exp(3) / (math.exp(3) + 1))]
    columns = [-math.log(math.exp(2) / (math.exp(2) + 1)), -math.log(math.exp(3) / (math.exp(3) + math.exp(1)))]
    assert info_nce(logits).item() == pytest.approx((sum(rows) + sum(columns)) / 4, rel=1e-5)
    alike = torch.tensor([[True, True], [False, False]])
    without = (columns[0] + rows[1]) / 4  # text 0 against motion 1 counts in neither direction
    assert info_nce(logits, alike).item() == pytest.approx(without, rel=1e-5)


def test_contrast_learns_which_text_belongs_to_which_motion() -> None:
    evaluator = tiny_evaluator()
    texts = ["to the left", "walking forward", "which arm is raised", "describe the movement"]
    motions = [tiny_motion(24, seed=i, dimensions=2 if i > 1 else 3) for i in range(4)]
    tokens = evaluator.tokenizer(texts, padding=True, return_tensors="pt")
    batch = {**evaluator.extractor(motions, return_tensors="pt"), **tokens}
    model, before = evaluator.model, None
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        output = model(**batch)
        before = before or output.loss.item()
        optimiser.zero_grad()
        output.loss.backward()
        optimiser.step()
    assert output.loss.item() < before / 2
    found = evaluator.motions(motions) @ evaluator.texts(texts).T
    assert found.argmax(1).tolist() == [0, 1, 2, 3]


def test_words_that_say_the_same() -> None:
    texts = ["a person waves the left hand.", "someone is waving the left hand", "a man waves the right hand"]
    alike = caption_overlap(texts, texts)
    assert alike.diagonal() == pytest.approx(1)
    assert alike[0, 1] == pytest.approx(1)
    assert alike[0, 2] < 0.5
    first, second = "a person walks, then jumps.", "a person jumps, then walks."
    assert caption_overlap([first], [second])[0, 0] < 0.8
    assert may_describe(
        ["a man walks"], [["someone jumps", "the person is walking"], ["someone runs"], []]
    ).tolist() == [[True, False, False]]


def test_the_shipped_one_tells_left_from_right() -> None:
    if not (shipped_encoder() / "model.safetensors").is_file():
        pytest.skip("no evaluator is shipped yet")
    from vimonet.motion import load
    from vimonet.samples import sample_path

    evaluator = TextMotionEncoder.load()
    assert sum(file.stat().st_size for file in shipped_encoder().iterdir()) < 10e6
    texts = {side: evaluator.texts([f"someone raises the {side} hand"])[0] for side in ("left", "right")}
    motion = load(sample_path("raise_left"))
    assert evaluator.motions([motion])[0] @ (texts["left"] - texts["right"]) > 0
    assert evaluator.motions([motion.mirrored()])[0] @ (texts["right"] - texts["left"]) > 0
