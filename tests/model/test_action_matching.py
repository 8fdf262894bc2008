"""A matcher weighs yes against no, and leaves every other token and the sum of both as they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tiny import tiny_model, tiny_motion
from tiny_language import byte_level_tokenizer, saved_language_model, saved_reader

from vimonet.bench.adapters import MotionModel
from vimonet.inference.assistant import Assistant
from vimonet.model.action_matching import FILE, NO, OPEN, YES, ActionMatcher, action_question, weigh
from vimonet.model.action_recognition import Recognised
from vimonet.model.build import compose
from vimonet.model.question_reader import HEADS, QuestionReader, copy_reader, embed
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
    logits = torch.tensor([[2.0, 1.0, 1.5, -1.0], [3.0, 0.0, 1.0, 2.0], [1.0, 4.0, 2.0, 0.0]])
    weighed = weigh(logits, torch.tensor([3.0, 0.0, 3.0]), yes=2, no=0)
    before, after = logits.softmax(-1), weighed.softmax(-1)
    torch.testing.assert_close(after[1:], before[1:])  # nothing to say; an answer that is neither yes nor no
    torch.testing.assert_close(after[0, [1, 3]], before[0, [1, 3]])
    torch.testing.assert_close(after[0, 0] + after[0, 2], before[0, 0] + before[0, 2])
    torch.testing.assert_close((after[0, 2] / after[0, 0]).log(), (before[0, 2] / before[0, 0]).log() + 3.0)
    pooled = weigh(logits, torch.tensor([3.0, 0.0, 3.0]), yes=2, no=0, weights=(0.5, 0.25)).softmax(-1)
    torch.testing.assert_close((pooled[0, 2] / pooled[0, 0]).log(), 0.5 * (before[0, 2] / before[0, 0]).log() + 0.75)
    assert torch.equal(logits[0], torch.tensor([2.0, 1.0, 1.5, -1.0]))  # not changed in place


def test_an_even_split_still_begins_with_yes_or_no_and_small_odds_survive_bfloat16() -> None:
    even = weigh(torch.tensor([[2.0, 1.9, 1.0]]), torch.tensor([1.0]), yes=2, no=0)
    assert int(even.argmax()) == 0 and float(even[0, 0] - even[0, 2]) == pytest.approx(0.0, abs=1e-5)
    close = weigh(torch.tensor([[18.0, 1.0, 18.0]], dtype=torch.bfloat16), torch.tensor([0.01]), yes=2, no=0)
    assert close.dtype == torch.float32 and int(close.argmax()) == 2


@pytest.mark.parametrize(("meaning", "sign"), [(YES, 1), (NO, -1), (OPEN, 0)])
def test_what_an_action_means_decides_the_odds(meaning: int, sign: int) -> None:
    torch.manual_seed(0)
    vector, actions = torch.randn(32), torch.randn(2, 32)
    odds = telling(meaning).log_odds(vector, spans(("walk", 0.7), ("run", 0.2)), [actions])
    assert odds == pytest.approx(3.9 * sign, abs=0.2)


def test_one_span_of_several_makes_the_answer_yes() -> None:
    matcher, question = telling(NO), torch.eye(32)[0]
    walk, wave = torch.eye(32)[1:3]
    both = [Recognised(0.0, 9.0, (("walk", 0.9),)), Recognised(9.0, 10.0, (("wave", 0.2),))]
    assert matcher.log_odds(question, both, [walk[None], wave[None]]) < -3
    known = {1: NO, 2: YES}
    matcher.forward = lambda asked, done: torch.stack(  # type: ignore[method-assign]
        [12.0 * torch.nn.functional.one_hot(torch.tensor(known[int(one.argmax())]), 3).float() for one in done]
    )
    assert matcher.log_odds(question, both, [walk[None], wave[None]]) > 3
    nothing = [Recognised(0.0, 1.0, (("walk", 0.0),))]  # a share that was rounded to nothing
    assert matcher.log_odds(question, nothing, [walk[None]]) < -3


def test_a_reader_with_a_matcher_is_saved_copied_and_checked(tmp_path: Path) -> None:
    folder = saved_reader(tmp_path / "reader", {"is that a stroll": (0, 0), "how many": (1, 0)})
    assert QuestionReader.open(folder).matcher is None
    assert not QuestionReader.open(folder).log_odds([("Is that a stroll?", spans(("walk", 1.0)))]).any()
    width = QuestionReader.open(folder).encoder.config.hidden_size
    telling(YES, width).save(folder, HEADS)
    (tmp_path / "model").mkdir()
    copy_reader(tmp_path / "model", folder)
    reader = QuestionReader.open(tmp_path / "model" / "question_reader")
    odds = reader.log_odds([("Is that a stroll?", spans(("walk", 1.0))), ("Is that a stroll?", ())])
    assert odds[0] > 3 and odds[1] == 0
    assert reader.matcher is not None
    vector = embed(reader.encoder, reader.tokenizer, ["Is that a stroll?", action_question("walk")])
    assert float(odds[0]) == pytest.approx(reader.matcher.log_odds(vector[0], spans(("walk", 1.0)), [vector[1:]]))
    state = load_file(folder / FILE)
    with safe_open(folder / FILE, framework="pt") as file:
        named = file.metadata()
    lacking = {name: value for name, value in state.items() if name != "head.bias"}
    unsound = {**state, "head.bias": torch.full_like(state["head.bias"], torch.nan)}
    for changed, reason in ((lacking, "not a question reader"), (unsound, r"head\.bias")):
        save_file(changed, folder / FILE, metadata=named)
        with pytest.raises(InputError, match=reason):
            QuestionReader.open(folder)
    telling(YES, width + 1).save(folder, HEADS)
    with pytest.raises(InputError, match=f"vectors of {width + 1} numbers"):
        QuestionReader.open(folder)
    telling(YES, width).save(folder, HEADS)
    heads = load_file(folder / HEADS)
    save_file({**heads, "bias": heads["bias"] + 1}, folder / HEADS)
    with pytest.raises(InputError, match="another reader"):
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
