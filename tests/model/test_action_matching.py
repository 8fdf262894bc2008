"""A matcher weighs yes against no, and leaves every other token and the sum of both as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import tiny_model, tiny_motion
from tiny_language import byte_level_tokenizer, saved_language_model, saved_reader

from vimonet.bench.adapters import MotionModel
from vimonet.inference.assistant import Assistant
from vimonet.model.action_matching import FILE, NO, OPEN, YES, ActionMatcher, action_question, weigh
from vimonet.model.action_recognition import Recognised
from vimonet.model.build import compose
from vimonet.model.question_reader import QuestionReader, copy_reader, embed
from vimonet.utils.errors import InputError


def telling(meaning: int, width: int = 32) -> ActionMatcher:
    """A matcher for which every action has one meaning."""
    matcher = ActionMatcher(width, inner=4, hidden=8).eval()
    matcher.head.weight.data.zero_()
    matcher.head.bias.data = 6.0 * torch.nn.functional.one_hot(torch.tensor(meaning), 3).float()
    return matcher


def spans(*named: tuple[str, float]) -> list[Recognised]:
    return [Recognised(0.0, 2.0, tuple(named))]


def test_odds_change_the_split_and_nothing_else() -> None:
    logits = torch.tensor([[1.0, 2.0, 0.5, -1.0], [0.0, 3.0, 1.0, 2.0]])
    weighed = weigh(logits, torch.tensor([3.0, 0.0]), yes=2, no=0)
    before, after = logits.softmax(-1), weighed.softmax(-1)
    torch.testing.assert_close(after[1], before[1])
    torch.testing.assert_close(after[0, [1, 3]], before[0, [1, 3]])
    torch.testing.assert_close(after[0, 0] + after[0, 2], before[0, 0] + before[0, 2])
    torch.testing.assert_close((after[0, 2] / after[0, 0]).log(), (before[0, 2] / before[0, 0]).log() + 3.0)
    assert torch.equal(logits[0], torch.tensor([1.0, 2.0, 0.5, -1.0]))  # not changed in place


@pytest.mark.parametrize(("meaning", "sign"), [(YES, 1), (NO, -1), (OPEN, 0)])
def test_what_an_action_means_decides_the_odds(meaning: int, sign: int) -> None:
    torch.manual_seed(0)
    vector, actions = torch.randn(32), torch.randn(2, 32)
    odds = telling(meaning).log_odds(vector, spans(("walk", 0.7), ("run", 0.2)), [actions])
    assert odds == pytest.approx(3.9 * sign, abs=0.2)


def test_one_span_of_several_makes_the_answer_yes() -> None:
    torch.manual_seed(0)
    matcher = ActionMatcher(32, inner=4, hidden=8).eval().requires_grad_(False)
    question, walk, wave = torch.randn(3, 32)
    told = matcher(question.expand(2, -1), torch.stack([walk, wave])).softmax(-1)
    both = [Recognised(0.0, 1.0, (("walk", 0.9),)), Recognised(1.0, 4.0, (("wave", 0.6),))]
    yes, left_open = float(told[:, YES].max()), float(told[0, OPEN] * 0.25 + told[1, OPEN] * 0.75)
    decided = max(1 - left_open, yes)
    expected = decided * float(torch.logit(torch.tensor(yes / decided).clamp(0.02, 0.98)))
    assert matcher.log_odds(question, both, [walk[None], wave[None]]) == pytest.approx(expected, abs=1e-4)


def test_a_reader_with_a_matcher_is_saved_copied_and_checked(tmp_path: Path) -> None:
    folder = saved_reader(tmp_path / "reader", {"is that a stroll": (0, 0), "how many": (1, 0)})
    assert QuestionReader.open(folder).matcher is None
    assert not QuestionReader.open(folder).log_odds([("Is that a stroll?", spans(("walk", 1.0)))]).any()
    width = QuestionReader.open(folder).encoder.config.hidden_size
    telling(YES, width).save(folder)
    (tmp_path / "model").mkdir()
    copy_reader(tmp_path / "model", folder)
    reader = QuestionReader.open(tmp_path / "model" / "question_reader")
    odds = reader.log_odds([("Is that a stroll?", spans(("walk", 1.0))), ("Is that a stroll?", ())])
    assert odds[0] > 3 and odds[1] == 0
    assert reader.matcher is not None
    vector = embed(reader.encoder, reader.tokenizer, ["Is that a stroll?", action_question("walk")])
    assert float(odds[0]) == pytest.approx(reader.matcher.log_odds(vector[0], spans(("walk", 1.0)), [vector[1:]]))
    state = load_file(folder / FILE)
    save_file({name: value for name, value in state.items() if name != "head.bias"}, folder / FILE)
    with pytest.raises(InputError, match="not a question reader"):
        QuestionReader.open(folder)
    save_file({**state, "head.bias": torch.full_like(state["head.bias"], torch.nan)}, folder / FILE)
    with pytest.raises(InputError, match=r"head\.bias"):
        QuestionReader.open(folder)


def test_the_answer_of_a_model_follows_its_matcher(tmp_path: Path) -> None:
    saved_language_model("qwen", tmp_path, tokenizer=byte_level_tokenizer("qwen"))
    made = compose(tmp_path / "qwen", motion_towers=tiny_model(), context=["actions"])
    model, tokenizer = made.model, made.processor.tokenizer
    model.config.action_phrases = ["walk", "jump"]
    reader = QuestionReader.open(saved_reader(tmp_path / "reader", {"is that a stroll": (0, 0), "how many": (1, 0)}))
    biased = torch.full((model.get_output_embeddings().weight.shape[0],), -50.0)
    biased[[tokenizer(word)["input_ids"][0] for word in ("yes", "no")]] = torch.tensor([1.0, 1.5])
    model.get_output_embeddings().register_forward_hook(lambda module, given, logits: 0 * logits + biased)

    def ask(*leave_out: str) -> str:
        found = Assistant(model, made.processor, "tiny", reader)
        options = {"max_new_tokens": 1, "answer_policy": "raw", "leave_out": leave_out}
        return found.ask("Is that a stroll?", tiny_motion(60), **options).text

    no, width = ask(), reader.encoder.config.hidden_size
    reader.matcher = telling(YES, width)
    assert ask() != no and ask("actions") == no
    chooses = MotionModel(Assistant(model, made.processor, "tiny", reader))
    asked = [("Is that a stroll?", tiny_motion(60), ("yes", "no"))]
    chosen = chooses.choose_batch(asked)[0]
    reader.matcher = telling(NO, width)
    assert ask() == no and chooses.choose_batch(asked)[0].text != chosen.text
