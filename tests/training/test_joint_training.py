"""Training with video: cells, cached frames, packed rows, modality dropout, both stages end to end."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from joint_world import COLOURS, make_dataset
from safetensors.torch import load_file, save_file
from tiny import tiny_model
from tiny_language import saved_reader
from tiny_video import saved_backbone, tiny_clip_config
from training_world import Clips, tiny

import vimonet
from vimonet.model import ViMoNetForConditionalGeneration, ViMoNetProcessor, build_model, get_parts
from vimonet.model.question_reader import ENCODER_FILES, FOLDER, HEADS, NAMES
from vimonet.motion import Motion
from vimonet.training.data import ModalityGroup, Sample, group_of, question_readings
from vimonet.training.data import collator as frames_module
from vimonet.training.data.collator import Collator, FrameCache, video_frames_of
from vimonet.training.data.question_readings import FOLDS, UNTUNED
from vimonet.training.data.sampling import QAPairSampler
from vimonet.training.data.vimos_dataset import training_samples
from vimonet.training.run_folder import Run
from vimonet.training.stages.align import run_align
from vimonet.training.stages.instruct import run_instruct
from vimonet.training.trainer import StageTrainer
from vimonet.utils.errors import InputError

TOWER = ["video.tokens=24", "video.frames=4"]
RATES = ["optim.lr.language_model=1e-2", "optim.lr.video_tower=1e-3", "optim.lr.keypoint_tower=1e-3"]


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_dataset(tmp_path_factory.mktemp("vimos") / "joint")


@pytest.fixture(scope="session")
def tower(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return saved_backbone("clip", tmp_path_factory.mktemp("towers"))


@pytest.fixture(scope="session")
def joint_folder(
    tmp_path_factory: pytest.TempPathFactory, language_folder: Path, tokenizer_folder: Path, dataset: Path, tower: Path
) -> Path:
    output = tmp_path_factory.mktemp("runs") / "align"
    parts = [f"language.checkpoint={language_folder}", f"motion.checkpoint={tokenizer_folder}"]
    data = [
        f"data.dataset={dataset}",
        "validation.split=val",
        "trainer.eval_every=2",
        "objective.token_phrase_contrastive=0.5",
    ]
    rates = ["optim.lr.projectors=1e-2", "trainer.batch_size=10"]
    return run_align(tiny(output, *parts, *data, *TOWER, *rates, f"video.checkpoint={tower}"))


@pytest.fixture(scope="module", params=["spatial", "attentive"])
def pair(request: pytest.FixtureRequest) -> tuple[ViMoNetForConditionalGeneration, ViMoNetProcessor]:
    options = {"video_pooling": request.param, "video_tokens": 24, "video_frames": 4, "projector_time": True}
    return tiny_model(video_config=tiny_clip_config(), **options)


def collator_of(processor: ViMoNetProcessor, **options: Any) -> Collator:
    return Collator(
        processor.tokenizer, processor.feature_extractor, frame_processor=processor.video_processor, **options
    )


def losses(folder: Path, name: str = "loss") -> list[float]:
    lines = (folder / "training_log.jsonl").read_text().splitlines()
    return [record[name] for record in map(json.loads, lines) if name in record]


# --- data ---


def test_rows_have_their_cells_and_the_span_of_their_video(dataset: Path) -> None:
    samples = training_samples(str(dataset), noise=False)
    assert samples.modality_groups.tolist() == [0, 1, 3, 4, 4] * 4 == [group_of(samples[i]) for i in range(20)]
    assert samples.lengths.tolist() == [20, 20, 0, 20, 20] * 4
    assert len(samples.videos) == 12 and samples[0]["video"] is None
    assert samples[3]["video"] == (str(dataset / "video/train-0003.mp4"), 1.0, 2.0) == samples.videos[1]
    assert samples[2]["joints"] is None and samples[2]["dimensions"] is None
    assert {answer for _, answer in samples[2]["qa_pairs"]} == {"blue", "a person waves."}


def test_streams_give_a_part_of_paired_rows(dataset: Path) -> None:
    cells = {}
    for streams in ("motion", "video", "unpaired"):
        samples = training_samples(str(dataset), streams=streams)
        cells[streams] = [group_of(samples[i]) for i in range(len(samples))]
        if streams != "unpaired":
            assert samples.modality_groups.tolist() == cells[streams]
    assert cells == {"motion": [0, 1, 0, 1] * 4, "video": [3, 3, 3] * 4, "unpaired": [0, 1, 3, 3, 1, 0, 1, 3, 0, 3] * 2}
    samples.set_epoch(1)
    assert [group_of(samples[i]) for i in range(5)] == [0, 1, 3, 0, 3]
    with pytest.raises(InputError, match=r"data\.streams is 'both'"):
        training_samples(str(dataset), streams="both")


def test_modality_dropout_depends_on_seed_epoch_and_index_alone(dataset: Path) -> None:
    samples = training_samples(str(dataset))
    view, again = (QAPairSampler(samples, 2, 3, dropout=0.5) for _ in range(2))
    plain = QAPairSampler(samples, 2, 3)
    drawn: Counter[int] = Counter()
    for epoch in range(60):
        for each in (view, again, plain):
            each.set_epoch(epoch)
        for index in range(5):
            sample = view[index]
            assert group_of(sample) == group_of(again[index])
            assert sample["qa_pairs"] == plain[index]["qa_pairs"]
            if index < 3:
                assert group_of(sample) == group_of(plain[index])
            else:
                drawn[group_of(sample)] += 1
                assert (sample["video"] is None) + (sample["joints"] is None) <= 1
    assert 45 <= drawn[ModalityGroup.PAIRED] <= 75 and drawn[ModalityGroup.TEXT] == 0
    assert 18 <= drawn[ModalityGroup.VIDEO] <= 42
    assert group_of(QAPairSampler(samples, 2, 3, dropout=1.0)[3]) != ModalityGroup.PAIRED


# --- frames ---


def test_frames_are_decoded_once_and_shared(
    dataset: Path, tmp_path: Path, pair: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = pair[1].video_processor
    clips = training_samples(str(dataset)).videos
    calls: list[Any] = []
    monkeypatch.setattr(
        frames_module, "video_frames_of", lambda *given: (calls.append(given), video_frames_of(*given))[1]
    )
    first = FrameCache(tmp_path / "frames", [*clips, clips[0]], prepare)
    assert not (tmp_path / "frames").exists()
    for clip in (clips[0], clips[5], clips[0]):
        found, wanted = first(clip), video_frames_of(clip, prepare)
        np.testing.assert_array_equal(found.images, wanted.images)  # of the tower's size: kept exactly
        np.testing.assert_allclose(found.times, wanted.times, atol=1e-6)
        assert found.times[0] == pytest.approx(0, abs=0.06) and found.times[-1] <= 1.0
    assert len(calls) == 2
    again = FrameCache(tmp_path / "frames", clips, prepare)  # a resumed run
    again(clips[5])
    assert len(calls) == 2 and len(list((tmp_path / "frames").iterdir())) == 1
    other = FrameCache(tmp_path / "frames", clips[1:], prepare)  # other data never reads these
    other(clips[5])
    assert len(calls) == 3 and len(list((tmp_path / "frames").iterdir())) == 2
    with pytest.raises(InputError, match=r"gone\.mp4: this video of the dataset is missing"):
        FrameCache(tmp_path, [("gone.mp4", None, None)], prepare)
    monkeypatch.setattr(frames_module.shutil, "disk_usage", lambda folder: type("", (), {"free": 10}))
    with pytest.raises(InputError, match="the disk has less"):
        FrameCache(tmp_path / "full", clips, prepare)(clips[0])


def test_larger_pictures_are_kept_to_the_nearest_byte(tmp_path: Path, pair: Any) -> None:
    from video_clips import make

    prepare = pair[1].video_processor
    clip = (str(make(tmp_path / "a.mp4", 20, size=(96, 64))), None, None)
    kept = prepare([FrameCache(tmp_path, [clip], prepare)(clip)])
    fresh = prepare([video_frames_of(clip, prepare)])
    assert kept["video_values"].shape == fresh["video_values"].shape
    step = 0.5 / 255 / min(prepare.image_std)
    assert 0 < np.abs(kept["video_values"] - fresh["video_values"]).max() <= step * 1.01


# --- rows ---


@pytest.mark.parametrize("cached", [False, True])
def test_a_packed_question_is_the_single_question_exactly(
    cached: bool, pair: Any, dataset: Path, tmp_path: Path
) -> None:
    model, processor = pair
    data = training_samples(str(dataset), noise=False)
    samples: list[Sample] = [data[index] for index in range(5)]
    samples.append({"joints": None, "qa_pairs": samples[0]["qa_pairs"], "source": "text"})
    video_frames = FrameCache(tmp_path, data.videos, processor.video_processor) if cached else None
    batch = collator_of(processor, video_frames=video_frames)(samples)
    assert batch["modality_groups"].tolist() == [0, 1, 3, 4, 4, 2]
    assert batch["video_values"].shape == (3, 4, 3, 32, 32) and batch["video_mask"].all()
    assert len(batch["motion_values"]) == len(batch["keypoint_values"]) == 2
    inputs = {name: value for name, value in batch.items() if name not in ("labels", "modality_groups")}
    with torch.no_grad():
        packed = model(**inputs).logits
    for row, sample in enumerate(samples):
        motion = video = None
        if sample["joints"] is not None:
            motion = Motion(sample["joints"], confidence=sample["confidence"], dimensions=sample["dimensions"])
        if sample.get("video") is not None:
            path, start, end = sample["video"]
            video = processor.video_frames(path, start=start, end=end)
        start = None
        for question, answer in sample["qa_pairs"]:
            single = processor.apply_chat_template(
                processor.messages(question, motion, answer, video=video),
                tokenize=True,
                return_dict=True,
                return_tensors="pt",
                return_assistant_tokens_mask=True,
            )
            told = torch.as_tensor(single.pop("assistant_masks"))[0].bool()
            ids = single["input_ids"][0]
            prefix = 0
            if motion is not None or video is not None:
                prefix = 1 + sum(
                    int((ids == token).sum())
                    for token in (processor.motion_token_id, processor.keypoint_token_id, processor.video_token_id)
                )
            start = prefix if start is None else start
            both = torch.cat([torch.arange(prefix), torch.arange(start, start + len(ids) - prefix)])
            assert batch["input_ids"][row][both].tolist() == ids.tolist()
            assert batch["position_ids"][row][both].tolist() == list(range(len(ids)))
            assert (batch["labels"][row][both] != -100).tolist() == told.tolist()
            with torch.no_grad():
                logits = model(**single).logits[0]
            torch.testing.assert_close(packed[row][both][prefix:], logits[prefix:], rtol=1e-4, atol=1e-5)
            start += len(ids) - prefix


def test_rows_without_room_or_tower_are_refused(pair: Any, dataset: Path) -> None:
    _, processor = pair
    samples = training_samples(str(dataset))
    with pytest.raises(InputError, match=r"become 30 tokens, which leaves no room .* trainer\.max_tokens=28"):
        collator_of(processor, max_tokens=28)([samples[3]])
    blind = Collator(processor.tokenizer, processor.feature_extractor)
    with pytest.raises(InputError, match=r"train-0002\.mp4: .*set video\.checkpoint"):
        blind([samples[2]])


# --- stages ---


def test_align_trains_the_translator_of_video_and_leaves_its_tower(joint_folder: Path, tower: Path) -> None:
    model = ViMoNetForConditionalGeneration.from_pretrained(joint_folder)
    theirs = build_model(model.config, vimonet.load(joint_folder).processor.tokenizer, video_tower=str(tower))
    for name, value in get_parts(theirs)["video_tower"].state_dict().items():
        assert torch.equal(value, get_parts(model)["video_tower"].state_dict()[name]), name
    for cell in ("motion", "keypoint", "video", "paired"):
        assert len(losses(joint_folder, f"loss_{cell}")) >= 3, cell
    assert losses(joint_folder, "loss_video")[-1] < losses(joint_folder, "loss_video")[0]
    assert losses(joint_folder, "eval_loss")
    record = json.loads((joint_folder / "training.json").read_text())
    assert record["parameters"]["video_tower"] > 0
    assert not joint_folder.with_name("align.partial").exists()  # and the frames with it
    assert model.config.video_frames == 4 and model.config.video_tokens == 24


def test_a_joint_model_is_asked_with_motion_and_video(joint_folder: Path, dataset: Path) -> None:
    assistant = vimonet.load(joint_folder)
    sample = training_samples(str(dataset), noise=False)[3]
    motion = Motion(sample["joints"])
    cells = [(), (motion,), (None, sample["video"][0]), (motion, sample["video"][0])]
    answers = [assistant.ask("What colour is it?", *clips) for clips in cells]
    assert [answer.inputs_read for answer in answers] == [(), ("motion",), ("video",), ("motion", "video")]
    assert len({answer.confidence for answer in answers}) == 4
    assert assistant.processor.video_processor.num_frames == 4


@pytest.mark.slow
def test_video_tells_the_colour_that_motion_cannot(joint_folder: Path, dataset: Path, tmp_path: Path) -> None:
    """What the pictures alone hold is learnt, from video and from both; the tower is trained too."""
    options = [f"model={joint_folder}", f"data.dataset={dataset}", "trainer.steps=150", "trainer.save_every=150"]
    rates = ["optim.lr.language_model=4e-3", "optim.lr.video_tower=1e-3", "optim.lr.projectors=4e-3"]
    rates += ["trainer.batch_size=10", "trainer.log_every=10", "objective.group_weights={motion: 0.1, keypoint: 0.1}"]
    output = run_instruct(tiny(tmp_path / "o", *options, *rates, "objective.modality_dropout=0.3"))
    model = vimonet.load(output)
    before = get_parts(ViMoNetForConditionalGeneration.from_pretrained(joint_folder))["video_tower"].state_dict()
    after = get_parts(model.model)["video_tower"].state_dict()
    assert any(not torch.equal(value, before[name]) for name, value in after.items())
    data = training_samples(str(dataset), "val", noise=False)
    for index, wanted in ((2, "blue"), (3, "red"), (4, "blue")):
        sample = data[index]
        motion = None
        if sample["joints"] is not None:
            motion = Motion(sample["joints"], dimensions=sample["dimensions"])
        path, start, end = sample["video"]
        said = model.ask("What colour is it?", motion, model.processor.video_frames(path, start=start, end=end)).text
        assert said == wanted and said in COLOURS


def test_readings_stand_behind_the_questions_and_their_reader_is_kept(
    joint_folder: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = saved_reader(tmp_path / "reader", {"What colour is it?": (1, 0)})
    options = [f"model={joint_folder}", f"data.dataset={dataset}", "lora.rank=2", "trainer.steps=1"]
    with pytest.raises(InputError, match=r"no folds\.safetensors"):
        run_instruct(tiny(tmp_path / "o", *options, f"reader={reader}"))
    own = load_file(reader / HEADS)
    heads = {name: values[None].contiguous() for name, values in own.items()}
    save_file({**heads, "vectors": torch.ones(1, 32), "fold": torch.tensor([0])}, reader / FOLDS)
    shutil.copyfile(reader / "model.safetensors", reader / UNTUNED)
    seen: list[str] = []
    monkeypatch.setattr(question_readings, "_unread", lambda text: bool(seen.append(text)))
    output = run_instruct(tiny(tmp_path / "o", *options, f"reader={reader}"))
    assert "What colour is it?" in seen
    assert sorted(file.name for file in (output / FOLDER).iterdir()) == sorted([*ENCODER_FILES, HEADS, NAMES])
    found = vimonet.load(output).reader
    assert found is not None and found(["What colour is it?"]) == ["What colour is it (how many steps are there)"]
    with pytest.raises(InputError, match="has a question reader: give the output"):
        run_instruct(tiny(tmp_path / "again", f"model={output}", f"data.dataset={dataset}", "trainer.steps=1"))


@pytest.mark.slow
@pytest.mark.parametrize("lora", [False, True])
def test_a_killed_run_continues_on_the_same_curve_without_decoding_again(
    lora: bool, joint_folder: Path, dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(Exception):
        pass

    decoded: list[Any] = []
    usual = frames_module.video_frames_of
    monkeypatch.setattr(frames_module, "video_frames_of", lambda *given: (decoded.append(given[0]), usual(*given))[1])
    options = [f"model={joint_folder}", f"data.dataset={dataset}", *RATES, "trainer.steps=8"]
    options += ["objective.modality_dropout=0.5", *(["lora.rank=2"] if lora else [])]

    def run(output: Path) -> Path:
        return run_instruct(tiny(output, *options))

    whole = run(tmp_path / "whole")
    assert len(decoded) == len(set(decoded)) <= 12
    decoded.clear()
    with monkeypatch.context() as patch:
        original = StageTrainer.training_step
        count = 0

        def dies(self: StageTrainer, *args: Any, **kwargs: Any) -> torch.Tensor:
            nonlocal count
            count += 1
            if count > 5:
                raise Killed
            return original(self, *args, **kwargs)

        patch.setattr(StageTrainer, "training_step", dies)
        with pytest.raises(Killed):
            run(tmp_path / "cut")
    assert list((tmp_path / "cut.partial" / "frames").iterdir())
    cut = run(tmp_path / "cut")
    assert len(decoded) == len(set(decoded)) <= 12
    assert losses(cut) == losses(whole)
    name = "adapter_model.safetensors" if lora else "model.safetensors"
    assert (cut / name).read_bytes() == (whole / name).read_bytes()


def test_a_model_of_motion_gets_a_video_tower(aligned_folder: Path, dataset: Path, tower: Path, tmp_path: Path) -> None:
    options = [f"model={aligned_folder}", f"data.dataset={dataset}", f"video.checkpoint={tower}", *TOWER]
    output = run_align(tiny(tmp_path / "o", *options, "trainer.steps=2", "video.pooling=attentive"))
    model = ViMoNetForConditionalGeneration.from_pretrained(output)
    before = ViMoNetForConditionalGeneration.from_pretrained(aligned_folder).state_dict()
    for name, value in model.state_dict().items():
        if "motion_tower" in name:
            assert torch.equal(value, before[name]), name
    answer = vimonet.load(output).ask("What colour is it?", video=dataset / "video/train-0003.mp4")
    assert answer.inputs_read == ("video",)


def test_mistakes_are_named(aligned_folder: Path, dataset: Path, tower: Path, tmp_path: Path) -> None:
    model, data = f"model={aligned_folder}", f"data.dataset={dataset}"
    with pytest.raises(InputError, match="the data has video and the model has no video tower"):
        run_align(tiny(tmp_path / "a", model, data))
    with pytest.raises(InputError, match="there is no such folder"):
        run_align(tiny(tmp_path / "b", model, data, "video.checkpoint=./nowhere"))
    with pytest.raises(InputError, match="no video tower can be loaded"):
        run_align(tiny(tmp_path / "c", model, data, f"video.checkpoint={dataset}"))
    assert list(tmp_path.iterdir()) == []
    run_align(tiny(tmp_path / "d", model, data, "data.streams=motion", "trainer.steps=1"))


def test_a_run_begun_before_there_was_video_goes_on(tmp_path: Path) -> None:
    partial = tmp_path / "o.partial"
    (partial / "checkpoint-2").mkdir(parents=True)
    (partial / "checkpoint-2" / "trainer_state.json").write_text("{}")
    config = tiny(tmp_path / "o")
    settings = {"stage": "align", **config.to_dict()}
    del settings["video"], settings["optim"]["lr"]["video_tower"], settings["objective"]["modality_dropout"]
    (partial / "config.json").write_text(json.dumps(settings))
    Run(config, "align")
    with pytest.raises(InputError, match=r"objective\.modality_dropout=0\.0"):
        Run(tiny(tmp_path / "o", "objective.modality_dropout=0.2"), "align")


def test_motion_only_samples_need_no_frames(aligned_folder: Path, tmp_path: Path) -> None:
    output = run_align(tiny(tmp_path / "o", f"model={aligned_folder}", "trainer.steps=1"), Clips())
    assert not (tmp_path / "o.partial").exists() and output.is_dir()
