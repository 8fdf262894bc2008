from __future__ import annotations

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from tiny import tiny_model, tiny_motion

import vimonet
from vimonet.evidence import describe
from vimonet.inference.answer import join_windows
from vimonet.inference.assistant import Answer, Assistant, load
from vimonet.inference.windows import split_windows
from vimonet.model import ViMoNetForConditionalGeneration
from vimonet.model.weight_files import check_safetensors
from vimonet.motion import load as load_motion
from vimonet.samples import sample_path
from vimonet.utils.errors import InputError


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A saved tiny model."""
    torch.set_num_threads(1)
    path = tmp_path_factory.mktemp("model")
    model, processor = tiny_model(caption_question="what is the person doing")
    model.save_pretrained(path)
    processor.save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def assistant(folder):
    return load(folder)


def test_ask_gives_text_confidence_and_times(assistant):
    answer = assistant.ask("Which way does the person turn?", tiny_motion(40))
    assert isinstance(answer, Answer) and isinstance(answer.text, str)
    assert 0 < answer.confidence <= 1 and (answer.start, answer.end) == (0.0, 2.0) and answer.windows == ()
    assert json.loads(json.dumps(answer.to_dict())) == {
        "text": answer.text,
        "model_text": answer.text,
        "provenance": "model",
        "confidence": round(answer.confidence, 4),
        "start": 0.0,
        "end": 2.0,
        "inputs_read": ["motion"],
        "evidence": [],
    }


def test_the_three_line_interface(folder, monkeypatch):
    monkeypatch.setenv("VIMONET_MODEL", str(folder))
    assert isinstance(vimonet.load(), Assistant)


def test_confidence_is_the_mean_probability_of_the_answer_s_tokens(assistant):
    """Recomputed from one forward pass over prompt and answer."""
    question, clip = "which arm", tiny_motion(20)
    answer = assistant.ask(question, clip, max_new_tokens=6)
    inputs = assistant.prepare_inputs([(question, clip)])
    with torch.no_grad():
        ids = assistant.model.generate(**inputs, max_new_tokens=6, do_sample=False)
        whole = {**inputs, "input_ids": ids, "attention_mask": torch.ones_like(ids)}
        chances = assistant.model(**whole).logits.softmax(-1)[0, :-1].gather(-1, ids[0, 1:, None])[:, 0]
    said = ids[0, inputs["input_ids"].shape[1] :]
    length = len(said) if said[-1] != assistant.processor.tokenizer.eos_token_id else len(said) - 1
    start = inputs["input_ids"].shape[1] - 1
    assert answer.confidence == pytest.approx(float(chances[start : start + length].mean()), rel=1e-4)


def test_an_unlikely_action_gives_way_to_what_is_measured(folder):
    plain, strict = load(folder), load(folder)
    strict.config.abstention_thresholds |= {"action": 1.0, "caption": 1.0}
    clip = load_motion(sample_path("squats")).window(0, 60)
    own = plain.ask("What is the person doing?", clip)
    assert (own.provenance, own.model_text) == ("model", own.text)
    answer = strict.ask("What is the person doing?", clip)
    assert answer.text == describe(clip) and (answer.provenance, answer.model_text) == ("measured", own.text)
    assert answer.confidence == own.confidence and answer.to_dict()["model_text"] == own.text
    assert strict.caption(clip).provenance == "measured"
    assert strict.ask_batch([("What is the person doing?", clip)])[0] == answer
    for raw in (
        strict.ask("What is the person doing?", clip, answer_policy="raw"),
        strict.ask_batch([("What is the person doing?", clip)], answer_policy="raw")[0],
    ):
        assert raw == own
    for question, movement in (("Which way does the person turn?", clip), ("What is the person doing?", None)):
        assert strict.ask(question, movement) == plain.ask(question, movement)
    examined = strict.ask("What is the person doing?", clip, evidence=True)
    assert "contradicts" not in {item.verdict for item in examined.evidence}


def test_windows_answered_from_several_sources():
    measured = Answer("stands", 0.2, 5, 10, provenance="measured", model_text="dancing")
    parts = [Answer("walking", 0.8, 0, 5), measured]
    joined = join_windows(parts)
    assert joined.provenance == "mixed" and joined.model_text == "0.0-5.0 s: walking; 5.0-10.0 s: dancing"
    assert join_windows(parts[1:] * 2).provenance == "measured" and join_windows(parts[:1] * 2).model_text == "walking"


def test_the_temperature_changes_confidence_and_not_the_answer(folder):
    cool, hot = load(folder), load(folder)
    hot.config.confidence_temperature = 3.0
    one, two = (a.ask("which arm", tiny_motion(20)) for a in (cool, hot))
    assert one.text == two.text and two.confidence < one.confidence


def test_a_batch_answers_as_one_by_one(assistant):
    pairs = [
        ("which way", tiny_motion(30)),
        ("which arm is raised", None),
        ("what", tiny_motion(9, dimensions=2)),
        ("what", tiny_motion(150, seed=3)),
        ("describe", tiny_motion(5, seed=1)),
    ]
    together = assistant.ask_batch(pairs)
    for got, (question, motion) in zip(together, pairs, strict=True):
        alone = assistant.ask(question, motion)
        assert got.text == alone.text and got.confidence == pytest.approx(alone.confidence, rel=1e-3)
        assert (got.start, got.end) == (alone.start, alone.end)
    assert assistant.ask_batch([]) == []


def test_case_space_and_question_mark_change_nothing(assistant):
    answers = [assistant.ask(q, tiny_motion(20)) for q in ("Which arm is raised?", "  which ARM\tis raised")]
    assert answers[0] == answers[1]


def test_a_blind_question_has_no_times(assistant):
    answer = assistant.ask("what is the person doing")
    assert (answer.start, answer.end) == (0.0, 0.0)


def test_caption_asks_the_question_of_the_config(assistant):
    clip = tiny_motion(20)
    assert assistant.caption(clip, max_new_tokens=8) == assistant.ask(
        "what is the person doing", clip, max_new_tokens=8
    )


def test_arrays_with_their_rate(assistant):
    joints = tiny_motion(80).joints
    assert assistant.ask("what", joints).end == 4.0
    assert assistant.ask("what", joints, fps=40).end == 2.0


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_a_very_short_recording_is_answered(assistant, frames):
    assert 0 < assistant.ask("what", tiny_motion(frames)).confidence <= 1


def test_long_recordings_are_answered_by_window(assistant):
    clip = tiny_motion(150)
    answer = assistant.ask("what", clip)
    assert [(w.start, w.end) for w in answer.windows] == [(0.0, 3.2), (3.2, 6.4), (6.4, 7.5)]
    assert (answer.start, answer.end) == (0.0, 7.5)
    assert answer.confidence == pytest.approx(np.mean([w.confidence for w in answer.windows]))
    assert answer.windows[1].text == assistant.ask("what", clip.window(64, 128)).text
    assert len(answer.to_dict()["windows"]) == 3


@pytest.mark.parametrize(
    ("frames", "bounds"),
    [
        (1, [(0, 1)]),
        (196, [(0, 196)]),
        (197, [(0, 98), (98, 197)]),
        (244, [(0, 122), (122, 244)]),
        (245, [(0, 196), (196, 245)]),
        (392, [(0, 196), (196, 392)]),
        (400, [(0, 196), (196, 298), (298, 400)]),
    ],
)
def test_windows_tile_and_none_is_tiny(frames, bounds):
    assert split_windows(frames, 196) == bounds


@pytest.mark.parametrize("longest", [4, 7, 64, 196])
def test_windows_cover_every_frame_once(longest):
    for frames in range(1, 5 * longest, 3):
        bounds = split_windows(frames, longest)
        assert [f for start, end in bounds for f in range(start, end)] == list(range(frames))
        assert all(end - start <= longest for start, end in bounds)
        assert len(bounds) == 1 or min(end - start for start, end in bounds) >= longest // 4


def test_windows_join_with_their_times():
    parts = [Answer("walking", 0.8, 0, 9.8), Answer("walking", 0.6, 9.8, 19.6), Answer("sitting", 0.7, 19.6, 27.24)]
    joined = join_windows(parts)
    assert joined.text == "0.0-19.6 s: walking; 19.6-27.2 s: sitting"
    assert joined.confidence == pytest.approx(0.7) and joined.windows == tuple(parts) and joined.end == 27.24
    assert join_windows(parts[:2]).text == "walking"


@pytest.mark.parametrize("policy", ["calibrated", "raw", None])
@pytest.mark.parametrize("frames", [20, 150])
def test_streaming_gives_the_same_text(assistant, policy, frames):
    clip = tiny_motion(frames)
    for question in ("which arm", "what is the person doing", "how many people are there"):
        options = {"max_new_tokens": 8, "answer_policy": policy}
        pieces = list(assistant.stream(question, clip, **options))
        assert "".join(pieces) == assistant.ask(question, clip, **options).text


def test_an_unknown_policy_is_named(assistant):
    for ask in (assistant.ask, assistant.stream):
        with pytest.raises(InputError, match="the answer policy is 'strict'; there are calibrated and raw"):
            ask("what", tiny_motion(8), answer_policy="strict")


@pytest.mark.parametrize(
    ("question", "message"),
    [
        ("x" * 100_000, "100,000 characters; at most 2,000"),
        ("  \n ", "empty"),
        ("<|motion|>", "empty"),
        (7, "is a int; expected text"),
    ],
)
def test_unusable_questions(assistant, question, message):
    with pytest.raises(InputError, match=message):
        assistant.ask(question, tiny_motion(8))


def test_a_kind_the_model_does_not_read(tmp_path):
    model, processor = tiny_model(keypoint_config=None)
    with pytest.raises(InputError, match=r"2D recording, but this model .* only reads 3D motion"):
        Assistant(model, processor).ask("what", tiny_motion(8, dimensions=2))


@pytest.mark.parametrize("kind", ["float32", "float16", "tied", "split", "bfloat16"])
def test_both_ways_of_loading_agree(kind, tmp_path, monkeypatch):
    from vimonet.cli.fast_start import load_directly
    from vimonet.model import hub

    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    model, processor = tiny_model(language_dtype="bfloat16" if kind == "bfloat16" else None)
    if kind == "tied":
        model.config.text_config.tie_word_embeddings = model.config.tie_word_embeddings = True
        model = type(model)(model.config).eval()
    if kind == "float16":
        model = model.to(torch.float16)
    model.save_pretrained(tmp_path, **({"max_shard_size": "100KB"} if kind == "split" else {}))
    processor.save_pretrained(tmp_path)
    usual = load(tmp_path)
    monkeypatch.setattr(hub, "load_model", load_directly)
    direct = load(tmp_path)
    state = usual.model.state_dict()
    assert set(state) == set(direct.model.state_dict())
    assert all(torch.equal(value, state[name]) for name, value in direct.model.state_dict().items())
    assert usual.model.dtype == direct.model.dtype == torch.float32
    language_model = direct.model.language_model
    held = torch.bfloat16 if kind == "bfloat16" else torch.float32
    assert {value.dtype for value in language_model.parameters()} == {held}
    assert language_model.model.rotary_emb.inv_freq.dtype == torch.float32, "frequencies would be rounded"
    assert direct.model.generation_config.to_dict() == usual.model.generation_config.to_dict()
    assert direct.ask("what", tiny_motion(30)) == usual.ask("what", tiny_motion(30))


def test_counts_of_batch_norms_are_no_reason_to_load_slowly(tmp_path, monkeypatch):
    from vimonet.cli.fast_start import load_directly
    from vimonet.model import hub

    model, _processor = tiny_model()
    model.vimonet.extra = torch.nn.BatchNorm1d(2)
    state = {
        name: value.bfloat16() if value.is_floating_point() else value for name, value in model.state_dict().items()
    }
    made = ViMoNetForConditionalGeneration.__init__

    def with_norm(self, config):
        made(self, config)
        self.vimonet.extra = torch.nn.BatchNorm1d(2)

    monkeypatch.setattr(ViMoNetForConditionalGeneration, "__init__", with_norm)
    monkeypatch.setattr(hub, "load_by_transformers", lambda folder: pytest.fail("loaded slowly"))
    model.save_pretrained(tmp_path, state_dict=state)
    loaded = load_directly(tmp_path)
    assert loaded.vimonet.extra.num_batches_tracked.dtype == torch.int64 and loaded.dtype == torch.float32


def test_tied_and_half_precision_models_load(tmp_path):
    model, processor = tiny_model()
    model.config.text_config.tie_word_embeddings = True
    model.config.tie_word_embeddings = True
    model = type(model)(model.config).eval()
    for name, saved in (("tied", model), ("half", model.to(torch.bfloat16))):
        saved.save_pretrained(tmp_path / name)
        processor.save_pretrained(tmp_path / name)
    tied = load(tmp_path / "tied").model
    assert tied.get_input_embeddings().weight is tied.get_output_embeddings().weight
    assert load(tmp_path / "half").ask("what", tiny_motion(8)).confidence > 0


def test_an_adapter_folder_loads_merged(tmp_path, folder):
    from peft import get_peft_model

    from vimonet.model import lora_config

    base = ViMoNetForConditionalGeneration.from_pretrained(folder)
    wrapped = get_peft_model(base, lora_config(rank=2))
    with torch.no_grad():
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn_like(parameter))
    wrapped.save_pretrained(tmp_path)
    adapted, plain = load(tmp_path), load(folder)
    inputs = plain.prepare_inputs([("what", tiny_motion(20))])
    with torch.no_grad():
        wanted = wrapped.eval()(**inputs).logits
        torch.testing.assert_close(adapted.model(**inputs).logits, wanted, rtol=1e-3, atol=1e-4)
        assert not torch.allclose(plain.model(**inputs).logits, wanted, atol=1e-3)


def _copy(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "m")
    return tmp_path / "m"


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda m: (m / "config.json").unlink(), "config.json is missing"),
        (lambda m: (m / "tokenizer.json").unlink(), "tokenizer.json is missing"),
        (lambda m: (m / "processor_config.json").unlink(), "processor_config.json is missing"),
        (lambda m: (m / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda m: (m / "config.json").write_text("{"), "config.json: not readable as JSON"),
        (lambda m: (m / "config.json").write_text('{"model_type": "bert"}'), "'bert'; expected 'vimonet'"),
        (lambda m: (m / "tokenizer.json").write_text("{}"), "tokenizer"),
        (lambda m: (m / "processor_config.json").write_text("{}"), "processor_config.json"),
        (lambda m: _cut(m / "model.safetensors", 0.5), "model.safetensors: .* cut off"),
        (lambda m: _cut(m / "model.safetensors", 0.0), "model.safetensors: 0 bytes"),
        (lambda m: (m / "model.safetensors").write_bytes(b"no weights at all" * 9), "model.safetensors"),
        (lambda m: (m / "model.safetensors").write_bytes(b"\x02" + 7 * b"\0" + b"{}"), "the weights lack vimonet"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_a_damaged_model_folder_is_named(folder, tmp_path, break_it, message):
    broken = _copy(folder, tmp_path)
    break_it(broken)
    with pytest.raises(InputError, match=message) as caught:
        load(broken)
    assert "\n" not in str(caught.value) and str(broken) in str(caught.value)


def _cut(path, part):
    data = path.read_bytes()
    path.write_bytes(data[: int(part * len(data))])


def test_no_folder_a_file_and_an_unreachable_hub_id(tmp_path, monkeypatch):
    import huggingface_hub

    def refuse(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    (tmp_path / "f.bin").write_bytes(b"x")
    for source, message in (
        (tmp_path / "absent", "no such model folder"),
        (tmp_path / "f.bin", "this is a file; give a model folder"),
        ("nobody/nothing", "neither a local folder nor a model on the hub"),
    ):
        with pytest.raises(InputError, match=message):
            load(source)


def test_an_unknown_device_is_named(folder):
    with pytest.raises(InputError, match="device 'abacus' cannot be used"):
        load(folder, device="abacus")


def test_whole_weights_pass(folder):
    check_safetensors(folder / "model.safetensors")


@pytest.mark.slow
def test_a_quick_start_answers_alike_without_the_compiler(folder, assistant, tmp_path):
    np.save(tmp_path / "j.npy", tiny_motion(40).joints)
    code = (
        "import sys, numpy as np, torch\n"
        "torch.set_num_threads(1)\n"
        "from vimonet.cli.fast_start import quick_imports\n"
        "assert quick_imports()\n"
        "from vimonet.inference.assistant import load\n"
        "answer = load(sys.argv[1]).ask('which way', np.load(sys.argv[2]))\n"
        "heavy = {'torch._dynamo', 'sympy', 'accelerate', 'peft', 'torch.distributed.tensor'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "import torch._dynamo as real\n"
        "assert real.__file__\n"
        "assert not quick_imports()\n"
        "import gc\n"
        "assert gc.isenabled()\n"
        "print(answer.text, end='')\n"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(folder), str(tmp_path / "j.npy")], capture_output=True, check=False
    )
    assert out.returncode == 0, out.stderr.decode()
    assert out.stdout.decode() == assistant.ask("which way", tiny_motion(40)).text


def test_evidence_that_contradicts_nothing_only_when_asked_for(assistant: Assistant) -> None:
    plain = assistant.ask("Which way does the person turn?", tiny_motion(40))
    assert plain.evidence == () and plain.to_dict()["evidence"] == []
    answer = assistant.ask("Which way does the person turn?", tiny_motion(40), evidence=True)
    assert answer.text == plain.text
    assert [item.topic for item in answer.evidence] == ["turn"]
    assert answer.to_dict()["evidence"][0]["topic"] == "turn"
    assert assistant.ask("Which way does the person turn?", evidence=True).evidence == ()  # blind: nothing to measure


def test_evidence_of_windows_is_in_the_recordings_time(assistant: Assistant) -> None:
    whole = assistant.ask("What is the posture at the end?", tiny_motion(128), evidence=True)
    assert len(whole.windows) == 2
    for window in whole.windows:
        for span in (span for item in window.evidence for span in item.spans):
            assert window.start <= span.start <= span.end <= window.end
    assert whole.evidence == tuple(item for window in whole.windows for item in window.evidence)
