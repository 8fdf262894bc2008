from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from bench_world import Observer
from dataset_world import write_vimos

from vimonet.bench import Options, run
from vimonet.bench.adapters import MotionModel
from vimonet.bench.scoring.caption_scores import Similarity
from vimonet.utils.errors import InputError

WORDS = ("a", "person", "someone", "walks", "forward", "ahead", "stands", "still", ".")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved sentence-transformers model with random weights, laid out as they are published."""
    pytest.importorskip("sentence_transformers")
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("similarity") / "tiny"
    vocabulary = {word: k for k, word in enumerate(("[PAD]", "[UNK]", *WORDS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(path)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=32,
    )
    BertModel(config).save_pretrained(path)
    types = {"": "Transformer", "1_Pooling": "Pooling"}
    modules = [
        {"idx": k, "name": str(k), "path": place, "type": f"sentence_transformers.models.{kind}"}
        for k, (place, kind) in enumerate(types.items())
    ]
    (path / "modules.json").write_text(json.dumps(modules))
    (path / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": 16, "pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}
    (path / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return path


def test_the_nearest_reference_counts(folder: Path) -> None:
    measure = Similarity(folder)
    said = ["a person walks", "someone stands still", "someone stands still", " "]
    told = [["someone stands", "a person walks"], ["a person walks ahead"], ["stands still someone ."], ["a person"]]
    found = measure(said, told)
    assert found[0] == pytest.approx(1, abs=1e-5) and found[3] == 0
    assert found[1] < found[2] < 1  # shared words are nearer
    assert measure(said[1:2], [told[1]])[0] == pytest.approx(found[1], abs=1e-5)
    assert len(measure.sha256 or "") == 64 and measure.describe().startswith("tiny (")


def test_a_report_with_similarity(folder: Path, tmp_path: Path) -> None:
    settings = Options(
        write_vimos(tmp_path / "data"),
        ("captioning",),
        out=tmp_path / "out",
        controls=("blind",),
        samples=20,
        progress=False,
        similarity=folder,
    )
    report = run(settings, MotionModel(Observer()))
    for row in report.sections["captions"]:
        score = row["systems"]["model"]["similarity"]
        assert -1 <= score["low"] <= score["value"] <= score["high"] <= 1.0001 and score["n"] == row["n"]
    text = (tmp_path / "out" / "report.md").read_text()
    assert "| CIDEr | similarity |" in text and "sentence embeddings of tiny (" in text
    assert report.provenance["similarity"].startswith("tiny (")


def test_what_cannot_be_loaded(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"modules\.json is missing"):
        Similarity(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        Similarity(tmp_path / "nowhere")
    (tmp_path / "modules.json").write_text("{")
    with pytest.raises(InputError, match="can be loaded"):
        Similarity(tmp_path)
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(InputError, match=r"vimonet\[similarity\]"):
        Similarity(folder)
