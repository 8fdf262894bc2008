"""Before stage 1 of the fusion experiment: the shipped nano learns to look things up, without a single picture.

    python -m research.fusion.lookup research/fusion/instruct.yaml runs/fusion/reader

Nano's language model has read of movements alone: it has no words for a scene, and never had to find one token among
many by a word of the question, which every pretrained language model can. Both are given here. The names of colours and
things become tokens. Then scenes are drawn without end and nothing is rendered: their clips are the exact tokens that
align.py will draw the translator to (`told`), and what is asked is what the picture answers. The movements of nano's
own training set keep it from forgetting. No movement is ever given with a scene here, so that no arm has an advantage.
"""

from __future__ import annotations

import argparse
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import AddedToken
from torch.utils.data import DataLoader, IterableDataset

from research.fusion.scenes import pinhole
from research.fusion.scenes.draw_scene import draw_scene
from research.fusion.scenes.scene import CLOTHES, FLOORS, HAIR, KINDS, LAMP, OBJECTS, WALLS
from research.fusion.scenes.scene_questions import WORDINGS, Asker, Filmed, lateral, of_picture
from research.fusion.score import by_answer
from research.fusion.tower import HEADS, PLACES, WORN, labels_of
from vimonet.model.configuration_vimonet import VIDEO_TOKEN
from vimonet.motion import FPS
from vimonet.training.config import load_config
from vimonet.training.data.collator import Collator
from vimonet.training.data.packing import ChatEncoder, PackedSample, segment_mask, write_rows
from vimonet.training.data.sampling import seed_everything
from vimonet.training.joint_training import assemble, samples_of
from vimonet.training.objective import supervised
from vimonet.vimos.reading import read_records

FEW = 3
"""Wordings of each form until the end of the long stretch: looking up is learnt later with more of them."""
FRAMES = 5
"""Of every clip, over the whole of it, as `video.frames` of instruct.yaml says."""

SLOTS = [f"{what}_{n}" for what in WORN for n in (0, 1)]
SLOTS += [*KINDS, "wall", "floor", "people", "way", *(f"lamp_{n}" for n in range(FRAMES))]
"""What each of the tokens of a clip tells; people are counted from the left of the picture, the lamp by frame."""

LOUD = 12.0
"""How many times its embedding a word is in a token: else the time that every token carries would drown it."""

NEW_WORDS = sorted({*CLOTHES, *HAIR, *WALLS, *LAMP, *FLOORS, *KINDS, "lamp", "shirt", "trousers", "hair", "floor"})
"""What nano's tokenizer would spell in pieces that other words share."""

WORDS = [*NEW_WORDS, "wall", "people", "no", "1", "2", "left", "right", "beginning", "end", "facing", "toward"]
"""What tokens are made of."""

_NAMES = {**{what: list(names) for what, names in WORN.items()}, "wall": list(WALLS), "floor": list(FLOORS)}


Told = tuple[NDArray[np.float32], NDArray[np.float32]]
"""What the tokens of a clip say: shares of words [slots, WORDS], and of which moment, s [slots]."""


def told(labels: dict[str, NDArray[Any]], times: NDArray[np.float64]) -> Told:
    """What the tokens of a clip should say, of labels of its frames and their times, s."""
    seen_at = [{name: int(value) for name, value in zip(HEADS, row, strict=True)} for row in labels["classes"]]
    first, middle = seen_at[0], FRAMES // 2
    when = np.full(len(SLOTS), np.mean(times), np.float32)
    when[-FRAMES:] = times
    two = first["people"] == 1
    found = np.zeros((len(SLOTS), len(WORDS)), np.float32)

    def say(row: NDArray[np.float32], *words: str, **shares: float) -> None:
        for word, share in [*((word, 1.0) for word in words), *shares.items()]:
            row[WORDS.index(word)] += share

    for row, slot in zip(found, SLOTS, strict=True):
        what, _, which = slot.partition("_")
        if what in WORN:
            seen = first[slot] >= 0
            side = [("left", "right")[int(which)]] if two else []
            say(row, what, *side, _NAMES[what][first[slot]]) if seen else say(row, "no", what)
        elif slot in KINDS:
            across = float(labels["places"][middle, PLACES.index(slot), 0])
            if first[f"has_{slot}"]:
                say(row, slot, list(OBJECTS)[first[f"colour_{slot}"]], left=-2 * across, right=2 * across)
            else:
                say(row, "no", slot)
        elif what == "lamp":
            end = {0: ["beginning"], FRAMES - 1: ["end"]}.get(int(which), [])
            say(row, "lamp", *end, list(LAMP)[seen_at[int(which)]["lamp"]])
        elif slot == "people":
            say(row, "people", "2" if two else "1")
        elif slot == "way":
            turned = np.nan_to_num(labels["facing"].mean(0))
            say(row, "facing", left=-float(turned[0]), right=float(turned[0]), toward=float(turned[1]))
        else:
            say(row, what, _NAMES[what][first[slot]])
    return found, when


@dataclass
class Spelling:
    """The words of `WORDS` as rows of an embedding: a word of several pieces is their mean."""

    tokenizer: Any
    ids: torch.Tensor = field(init=False)
    shares: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        pieces = [
            self.tokenizer(word if word in NEW_WORDS or word.isdigit() else f" {word}", add_special_tokens=False)[
                "input_ids"
            ]
            for word in WORDS
        ]
        self.ids = torch.tensor(sorted({piece for word in pieces for piece in word}))
        place = {int(piece): n for n, piece in enumerate(self.ids)}
        self.shares = torch.zeros(len(WORDS), len(self.ids))
        for row, word in zip(self.shares, pieces, strict=True):
            for piece in word:
                row[place[piece]] += 1 / len(word)

    def __call__(self, shares: torch.Tensor, when: torch.Tensor, model: Any) -> torch.Tensor:
        """Shares of words [..., WORDS] of moments [...], s, as inputs of the model's language model [..., H]."""
        embeddings = model.get_input_embeddings().weight
        words = self.shares.to(shares) @ embeddings[self.ids.to(embeddings.device)]
        return LOUD * (shares @ words) + model.vimonet.translators.time_code(when * (FPS / model.config.ratio))


def with_words(model: Any, tokenizer: Any) -> None:
    """Make NEW_WORDS tokens; each begins as the mean of the pieces it was spelled with."""
    spelled = [tokenizer(f" {word}", add_special_tokens=False)["input_ids"] for word in NEW_WORDS]
    tokenizer.add_tokens([AddedToken(word, single_word=True, normalized=False) for word in NEW_WORDS])
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    weight = model.get_input_embeddings().weight
    with torch.no_grad():
        for word, pieces in zip(NEW_WORDS, spelled, strict=True):
            weight[tokenizer.convert_tokens_to_ids(word)] = weight[pieces].mean(0)


@dataclass
class DrawnScenes(IterableDataset[Any]):
    """Scenes without end, each with its questions in a row of its own.

    Attributes:
        writer: puts questions into tokens.
        stances: joints [T, 22, 3] of somebody who stands about there.
        batch: clips.
        seed: of the draws.
    """

    writer: ChatEncoder
    stances: list[NDArray[np.float32]]
    batch: int
    seed: int

    def __iter__(self) -> Iterator[Any]:
        worker = torch.utils.data.get_worker_info()
        rng = random.Random(f"{self.seed}/{0 if worker is None else worker.id}")
        while True:
            drawn = [self._one(rng) for _ in range(self.batch)]
            yield batch_of([piece for piece, _ in drawn], [said for _, said in drawn], self.writer)

    def _one(self, rng: random.Random) -> tuple[PackedSample, Told]:
        while True:
            bodies = rng.sample(self.stances, rng.choice((1, 2)))
            ends = rng.uniform(2.0, 8.0)
            changes = sorted(rng.uniform(0.3, ends - 0.3) for _ in range(rng.choice((1, 2))))
            scene = draw_scene(bodies, changes, rng)
            if scene is None:
                continue
            placed = tuple(pinhole.place(p, body) for p, body in zip(scene.people, bodies, strict=True))
            filmed = Filmed(scene, placed, ((), ())[: len(bodies)], ())
            asker = Asker(rng, test=False, most=FEW)
            asked = [asker.scene(question, "picture") for question in of_picture(filmed, rng)]
            turns = [(one.question, one.answer) for one in rng.sample(asked, min(len(asked), 7))]
            turns += rng.sample(helping := steps_on_the_way(filmed, asker), min(len(helping), 3))
            times = np.linspace(0, ends, FRAMES)
            return piece_of(turns, self.writer), told(
                labels_of(scene.to_dict(), times, np.repeat(bodies[0][:1], 200, 0)), times
            )


def steps_on_the_way(filmed: Filmed, asker: Asker) -> list[tuple[str, str]]:
    """Questions that what needs both streams rests on, and that the picture alone answers: whose movement is given, on
    which side of somebody a thing stands. The dataset does not ask them.
    """
    rng, scene = asker.rng, filmed.scene
    if len(filmed.bodies) == 2:
        place = rng.choice((0, 1))
        lead = rng.choice(WORDINGS["given"]["seen"]).format(side=filmed.side(place))
        shirts = [person.shirt for person in scene.people]
        rng.shuffle(shirts)
        found = [
            (f"{lead} Is that the person in the {shirt} shirt?", "yes" if scene.people[place].shirt == shirt else "no")
            for shirt in shirts
        ]
        return [*found, (f"{lead} What colour is the shirt of that person?", scene.people[place].shirt)]
    aside = [(prop.kind, float(lateral(filmed.bodies[0], prop).mean())) for prop in scene.props]
    return [
        (f"On which hand of the person is the {kind}, left or right?", "left" if away > 0 else "right")
        for kind, away in aside
        if abs(away) > 0.3
    ]


def piece_of(turns: list[tuple[str, str]], writer: ChatEncoder) -> PackedSample:
    """Questions about a scene, behind one copy of its tokens."""
    clips = ((VIDEO_TOKEN, len(SLOTS)),)
    return PackedSample(0, writer.prefix(clips), [writer.segment(*pair, clips) for pair in turns])


def batch_of(pieces: list[PackedSample], said: list[Told], writer: ChatEncoder) -> dict[str, torch.Tensor]:
    """Rows for the language model, and what stands in the place of the clips' tokens: ``told`` [N, slots, WORDS] and
    ``when`` [N, slots].
    """
    arrays = write_rows([[piece] for piece in pieces], int(writer.tokenizer.pad_token_id))
    return {
        "input_ids": torch.from_numpy(arrays["ids"]),
        "attention_mask": segment_mask(torch.from_numpy(arrays["segments"])),
        "position_ids": torch.from_numpy(arrays["positions"]),
        "labels": torch.from_numpy(arrays["labels"]),
        **clips_of(said),
    }


def clips_of(said: list[Told]) -> dict[str, torch.Tensor]:
    """``told`` and ``when`` of some clips."""
    shares, when = zip(*said, strict=True)
    return {"told": torch.from_numpy(np.stack(shares)), "when": torch.from_numpy(np.stack(when))}


@dataclass
class Reader:
    """The language model with exact tokens in the place of a video's."""

    model: Any
    spelling: Spelling

    def __call__(self, batch: dict[str, torch.Tensor], blur: float = 0.0) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits of what is learnt [n, V], and the tokens that are right [n].

        Where the batch has ``told`` (shares of words) or ``moved`` (tokens of movements, ready-made), they stand in the
        place of its clips, in order. Of the clips told, those marked in ``filmed`` have the tokens of their films
        instead: ``seen`` [n, slots, H].
        """
        batch = {name: values.to(self.model.device) for name, values in batch.items()}
        labels, shares, moved = batch.pop("labels"), batch.pop("told", None), batch.pop("moved", None)
        filmed, seen = batch.pop("filmed", None), batch.pop("seen", None)
        given = []
        if shares is not None:
            tokens = self.spelling(shares, batch.pop("when"), self.model)
            if seen is not None:
                tokens = tokens.masked_scatter(filmed[:, None, None], seen.to(tokens.dtype))
            tokens = tokens + blur * tokens.detach().std() * torch.randn_like(tokens)
            given.append((self.model.config.video_token_id, tokens))
        if moved is not None:
            given.append((self.model.config.motion_token_id, moved))
        if given:
            ids = batch.pop("input_ids")
            found = self.model.get_input_embeddings()(ids)
            for token, tokens in given:
                found = found.masked_scatter((ids == token)[..., None], tokens.to(found.dtype))
            batch["inputs_embeds"] = found
        batch.pop("modality_groups", None)
        hidden = self.model.vimonet(**batch, use_cache=False).last_hidden_state
        keep, targets = supervised(labels)
        return self.model.get_output_embeddings()(hidden[keep]), targets

    @torch.no_grad()
    def right(self, batch: dict[str, torch.Tensor]) -> list[bool]:
        """Whether each answer would be given word for word, in the order of the questions."""
        logits, targets = self(dict(batch))
        learnt, _ = supervised(batch["labels"])
        same = np.zeros(learnt.shape, bool)
        same[learnt.numpy()] = (logits.argmax(-1) == targets).cpu().numpy()
        return by_answer(same, learnt.numpy())


def save(model: Any, processor: Any, folder: Path) -> None:
    """Write a model's folder, whole or not at all."""
    part = folder.with_name(folder.name + ".part")
    model.cpu().save_pretrained(part)
    processor.save_pretrained(part)
    part.rename(folder)


def main() -> None:
    """Teach the look-up, and save the model."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("config")
    ask.add_argument("out")
    ask.add_argument("--nano", default="src/vimonet/weights/nano")
    ask.add_argument("--tower", default="runs/fusion/tower")
    ask.add_argument("--movements", default="data/vimos-open", help="nano's training set")
    ask.add_argument("--steps", type=int, default=480)
    ask.add_argument("--batch", type=int, default=24)
    ask.add_argument("--rate", type=float, default=1e-3)
    ask.add_argument("--blur", type=float, default=0.1, help="noise on the tokens, in their standard deviation")
    ask.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = ask.parse_args()
    if Path(args.out).exists():
        return
    settings = [f"model={args.nano}", f"video.checkpoint={args.tower}", f"video.tokens={len(SLOTS)}"]
    config = load_config(args.config, settings)
    seed_everything(0)
    model, processor = assemble(config, None)
    with_words(model, processor.tokenizer)
    model.to(args.device)
    writer = ChatEncoder(processor.tokenizer, str(processor.chat_template), processor.fold_questions)
    reader = Reader(model, Spelling(processor.tokenizer))
    held = list(read_records(config.data["dataset"], "val"))
    asked = {key: [] for key in ("labels", "qa_pairs", "forms")}
    for record in held:
        picture = [told for told in record.instructions if told.evidence["needs"] == "picture"]
        times = np.linspace(0, record.motion.frames / FPS, FRAMES)
        asked["labels"].append(told(labels_of(record.provenance["scene"], times, record.motion.joints), times))
        asked["qa_pairs"].append(piece_of([(one.question, one.answer) for one in picture], writer))
        asked["forms"] += [one.form for one in picture]
    val = batch_of(asked["qa_pairs"], asked["labels"], writer)
    stances = [record.motion.joints[:1] for record in read_records(config.data["dataset"], "train")][:500]
    scenes = iter(DataLoader(DrawnScenes(writer, stances, args.batch, 0), batch_size=None, num_workers=1))
    rehearsal = load_config(args.config, [f"data.dataset={args.movements}", "data.streams=motion", "data.qa_pairs=8"])
    moved, _ = samples_of(rehearsal, None, None)
    collate = Collator(
        processor.tokenizer, processor.feature_extractor, fold_questions=processor.fold_questions, max_tokens=384
    )
    optimiser = torch.optim.AdamW(model.language_model.parameters(), args.rate, betas=(0.9, 0.98), weight_decay=0.05)
    warm, falls = 50, args.steps * 3 // 4
    shape = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda n: min(1, (n + 1) / warm, (args.steps - n) / (args.steps - falls))
    )
    if shutil.which("g++"):
        model.language_model.base_model.compile(dynamic=True)
    began = time.time()
    for step in range(args.steps):
        optimiser.zero_grad()
        losses = []
        chosen = np.random.default_rng([step, 7]).integers(0, len(moved), 4)
        for batch in (next(scenes), collate([moved[int(i)] for i in chosen])):
            with torch.autocast(args.device.split(":")[0], torch.bfloat16):
                logits, targets = reader(dict(batch), args.blur)
            losses.append(torch.nn.functional.cross_entropy(logits.float(), targets))
        sum(losses).backward()
        torch.nn.utils.clip_grad_norm_(model.language_model.parameters(), 1.0)
        optimiser.step()
        shape.step()
        if step % 50 == 0 or step == args.steps - 1:
            right = reader.right(val)
            forms: dict[str, list[bool]] = {}
            for form, good in zip(asked["forms"], right, strict=True):
                forms.setdefault(form, []).append(good)
            by = {form: round(float(np.mean(values)), 2) for form, values in sorted(forms.items())}
            print(
                f"{step}/{args.steps} scenes {losses[0].item():.3f} movements {losses[1].item():.3f} "
                f"val {np.mean(right):.3f} {by} {time.time() - began:.0f} s",
                flush=True,
            )
    save(model, processor, Path(args.out))


if __name__ == "__main__":
    main()
