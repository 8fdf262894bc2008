"""An arm's long stretch: movements and scenes in exact tokens, the scenes coloured anew every time.

    python -m research.fusion.stretch research/fusion/instruct.yaml runs/fusion/paired --arm paired

3,000 filmed clips are learnt by heart before a small language model has learnt to join what two streams tell. So an arm
first sees the movements of the training clips beside their scenes as `lookup.told` says them, with colours and things
exchanged at every draw, and is asked about both; towards the end a share of the clips (``--films``) comes in the tokens
of its film, which err as stage 1 does; only then the films themselves (instruct.yaml). Each arm is given what its name
says, here as there: motion alone, scenes alone, one or the other, or both (of which a share loses one).
"""

from __future__ import annotations

import argparse
import random
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset

from research.fusion.lookup import FEW, FRAMES, SLOTS, WORDS, Reader, Spelling, Told, clips_of, save, told
from research.fusion.scenes import pinhole
from research.fusion.scenes.scene import CLOTHES, FLOORS, HAIR, KINDS, LAMP, OBJECTS, WALLS, Scene
from research.fusion.scenes.scene_questions import Asker, Filmed, ask_both, of_picture
from research.fusion.tower import labels_of
from vimonet.model.configuration_vimonet import MOTION_TOKEN, VIDEO_TOKEN
from vimonet.motion import FPS
from vimonet.motion.kinematics import Facts, measure
from vimonet.training.config import TrainingConfig, load_config
from vimonet.training.data.collator import Collator, FrameCache
from vimonet.training.data.packing import ChatEncoder, PackedSample, segment_mask, write_rows
from vimonet.training.data.sampling import seed_everything
from vimonet.training.joint_training import assemble
from vimonet.vimos.parquet import Instruction, Record
from vimonet.vimos.reading import read_records
from vimonet.vimos.types import Part, with_steps
from vimonet.vimos.wordings import ask as ask_motion

ARMS = ("motion", "video", "unpaired", "paired")
NOTHING: Told = (np.zeros((len(SLOTS), len(WORDS)), np.float32), np.zeros(len(SLOTS), np.float32))
"""What stands for a scene that is seen in its film."""
_LOST = 0.3
"""Share of the paired clips that lose one stream, as objective.modality_dropout of instruct.yaml."""


def recoloured(scene: Scene, rng: random.Random) -> Scene:
    """The scene with every name exchanged for another of its kind: what differs stays different."""

    def other(names: Any) -> dict[str, str]:
        names = list(names)
        return dict(zip(names, rng.sample(names, len(names)), strict=True))

    cloth, hair, kind, paint, shade = (other(names) for names in (CLOTHES, HAIR, KINDS, OBJECTS, LAMP))
    people = tuple(
        replace(who, shirt=cloth[who.shirt], trousers=cloth[who.trousers], hair=hair[who.hair]) for who in scene.people
    )
    props = tuple(replace(prop, kind=kind[prop.kind], colour=paint[prop.colour]) for prop in scene.props)
    assert scene.lamp is not None
    lamp = replace(scene.lamp, colours=tuple((at, shade[name]) for at, name in scene.lamp.colours))
    room = replace(scene.room, colour=rng.choice(list(WALLS)), floor=rng.choice(FLOORS))
    return replace(scene, people=people, props=props, lamp=lamp, room=room)


@dataclass(frozen=True)
class Taken:
    """A training clip as far as questions about it need it; of a second person only measures and place."""

    record: Record
    scene: Scene
    facts: tuple[Facts, ...]
    parts: tuple[tuple[Part, ...], ...]
    bodies: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, record: Record) -> Taken:
        """Measure a record's movement, and what the second person does."""
        assert record.motion is not None
        scene = Scene.from_dict(record.provenance["scene"])
        parts = tuple(tuple(Part(*part) for part in person) for person in record.provenance["actions"])
        motions = [record.motion]
        if len(scene.people) == 2:
            motions.append(record.motion.mirrored())
        bodies = tuple(pinhole.place(p, m.joints) for p, m in zip(scene.people, motions, strict=True))
        return cls(record, scene, tuple(measure(motion) for motion in motions), parts, bodies)

    def asked(
        self, scene: Scene, rng: random.Random, most: int | None, numbers: tuple[int, int, int]
    ) -> list[tuple[str, str]]:
        """Questions about the clip with their answers.

        Args:
            scene: the clip's own, or another colouring of it.
            rng: source of chance.
            most: so many wordings of a scene's forms are used, the first ones; None for all.
            numbers: questions that need the picture, the movement, both.
        """
        reverse = self.record.provenance["mode"] == "reversed"
        filmed = Filmed(scene, self.bodies, self.parts, self.facts, reversed=reverse)
        asker = Asker(rng, test=False, most=most)
        of_scene, of_movement, of_both = numbers
        picture = list(of_picture(filmed, rng))
        picture = rng.sample(picture, min(of_scene, len(picture)))
        chosen = [*(asker.scene(question, "picture") for question in picture), *ask_both(filmed, asker, of_both)]
        turns = [(one.question, with_steps(one.answer, one.evidence)) for one in chosen]
        motion = [one for one in self.record.instructions if one.evidence["needs"] == "motion"]
        motion = rng.sample(motion, min(of_movement, len(motion)))
        return turns + [(_anew(one, rng), one.answer) for one in motion]


def _anew(told: Instruction, rng: random.Random) -> str:
    """A question about movement in other words, unless its words name one of two people."""
    if told.generator != "kinematic":
        return told.question
    return ask_motion(told.form, rng, plain=True, **told.slots)


def said_of(scene: Scene, record: Record) -> Told:
    """What a scene's exact tokens say."""
    assert record.motion is not None
    times = np.linspace(0, record.motion.frames / FPS, FRAMES)
    return told(labels_of(scene.to_dict(), times, record.motion.joints), times)


@dataclass
class Rows:
    """Rows of a batch, and what stands in the place of their clips."""

    writer: ChatEncoder
    moved: list[torch.Tensor]
    """Tokens of each record's movement, [n, H]."""
    seen: list[torch.Tensor]
    """Tokens of each record's film, [slots, H]; none where none are drawn."""

    def __call__(self, drawn: list[tuple[int, str, Told | None, list[tuple[str, str]]]]) -> dict[str, Any]:
        """Of (record, cell, what the scene says, turns): a batch for `lookup.Reader`; None says what the film does."""
        rows, said, moved, filmed = [], [], [], []
        for number, cell, scene, turns in drawn:
            clips: tuple[tuple[str, int], ...] = ()
            if cell in ("motion", "both"):
                clips += ((MOTION_TOKEN, len(self.moved[number])),)
                moved.append(self.moved[number])
            if cell in ("video", "both"):
                clips += ((VIDEO_TOKEN, len(SLOTS)),)
                said.append(scene or NOTHING)
                filmed.append(number if scene is None else None)
            blocks = [self.writer.segment(question, answer, clips) for question, answer in turns]
            rows.append([PackedSample(0, self.writer.prefix(clips), blocks)])
        arrays = write_rows(rows, int(self.writer.tokenizer.pad_token_id))
        batch = {
            "input_ids": torch.from_numpy(arrays["ids"]),
            "attention_mask": segment_mask(torch.from_numpy(arrays["segments"])),
            "position_ids": torch.from_numpy(arrays["positions"]),
            "labels": torch.from_numpy(arrays["labels"]),
        }
        if said:
            batch |= clips_of(said)
        if films := [self.seen[number] for number in filmed if number is not None]:
            batch |= {"seen": torch.stack(films), "filmed": torch.tensor([number is not None for number in filmed])}
        if moved:
            batch["moved"] = torch.cat(moved)
        return batch


@dataclass
class Draws(IterableDataset[Any]):
    """Batches without end for an arm."""

    taken: list[Taken]
    rows: Rows
    arm: str
    batch: int
    seed: int
    most: int | None
    numbers: tuple[int, int, int]
    films: float

    def __iter__(self) -> Any:
        rng = random.Random(f"{self.seed}/{self.arm}")
        while True:
            drawn = []
            for _ in range(self.batch):
                number = rng.randrange(len(self.taken))
                taken = self.taken[number]
                filmed = rng.random() < self.films
                scene = taken.scene if filmed else recoloured(taken.scene, rng)
                turns = taken.asked(scene, rng, self.most, self.numbers)
                said = None if filmed else said_of(scene, taken.record)
                drawn.append((number, self._cell(rng), said, turns))
            yield self.rows(drawn)

    def _cell(self, rng: random.Random) -> str:
        if self.arm in ("motion", "video"):
            return self.arm
        alone = self.arm == "unpaired" or rng.random() < _LOST
        return rng.choice(("motion", "video")) if alone else "both"


def tokens_of(model: Any, collate: Collator, records: list[Record]) -> list[torch.Tensor]:
    """The movement of each record as the language model reads it: [n, H] each."""
    found = []
    for record in records:
        assert record.motion is not None
        values = collate.features({"joints": record.motion.joints, "confidence": record.motion.confidence})
        padded, mask = collate.feature_extractor.pad([values])
        with torch.no_grad():
            tokens, _ = model.vimonet.get_motion_features(torch.from_numpy(padded), torch.from_numpy(mask), "motion")
        found.append(tokens.float())
    return found


def films_of(model: Any, processor: Any, config: TrainingConfig, records: list[Record]) -> list[torch.Tensor]:
    """The film of each record as the language model reads it after stage 1: [slots, H] each."""
    root = Path(config.data["dataset"])
    clips = [(str(root / str(record.video)), None, None) for record in records]
    cache = FrameCache(config.video.cache, clips, processor.video_processor)
    found = []
    for clip in clips:
        given = [torch.from_numpy(values) for values in processor.video_processor([cache(clip)]).values()]
        with torch.no_grad():
            tokens, _ = model.vimonet.get_video_features(*given)
        found.append(tokens.float())
    return found


def main() -> None:
    """Train an arm's language model, and save the model."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("config")
    ask.add_argument("out")
    ask.add_argument("--arm", choices=ARMS, default="paired")
    ask.add_argument("--start", default="runs/fusion/start", help="what align.py made")
    ask.add_argument("--steps", type=int, default=900)
    ask.add_argument("--falling", action="store_true", help="the end: all wordings, at a falling rate")
    ask.add_argument(
        "--asked",
        nargs=3,
        type=int,
        default=(1, 1, 4),
        metavar=("PICTURE", "MOVEMENT", "BOTH"),
        help="questions a clip that need each (1 1 4: what needs both takes longest to learn)",
    )
    ask.add_argument("--films", type=float, default=0.0, help="share of clips in tokens of their film; val then, too")
    ask.add_argument("--batch", type=int, default=16)
    ask.add_argument("--rate", type=float, default=1e-3)
    ask.add_argument("--blur", type=float, default=0.1, help="noise on the tokens, in their standard deviation")
    ask.add_argument("--seed", type=int, default=0)
    ask.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = ask.parse_args()
    if Path(args.out).exists():
        return
    config = load_config(args.config, [f"model={args.start}"])
    seed_everything(args.seed)
    model, processor = assemble(config, None)
    writer = ChatEncoder(processor.tokenizer, str(processor.chat_template), processor.fold_questions)
    collate = Collator(processor.tokenizer, processor.feature_extractor, fold_questions=processor.fold_questions)
    train, held = (list(read_records(config.data["dataset"], split)) for split in ("train", "val"))
    model.eval()
    films = films_of(model, processor, config, train + held) if args.films and args.arm != "motion" else []
    rows = Rows(writer, tokens_of(model, collate, train), films)
    held_rows = Rows(writer, tokens_of(model, collate, held), films[len(train) :])
    taken = [Taken.of(record) for record in train]
    model.train()
    reader = Reader(model, Spelling(processor.tokenizer))
    asked = [[(i.question, with_steps(i.answer, i.evidence)) for i in record.instructions] for record in held]
    told_of = [None if films else said_of(Scene.from_dict(r.provenance["scene"]), r) for r in held]
    val = {
        cell: held_rows([(n, cell, told_of[n], asked[n]) for n in range(len(held))])
        for cell in (("both", "motion", "video") if args.arm in ("unpaired", "paired") else (args.arm,))
    }
    model.to(args.device)
    needs = np.array([one.evidence["needs"] for record in held for one in record.instructions])
    most = None if args.falling else FEW
    endless = Draws(taken, rows, args.arm, args.batch, args.seed, most, tuple(args.asked), args.films)
    draws = iter(DataLoader(endless, batch_size=None, num_workers=1))
    optimiser = torch.optim.AdamW(model.language_model.parameters(), args.rate, betas=(0.9, 0.98), weight_decay=0.05)
    shape = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda n: min(1, (n + 1) / 50, 1.5 * (1 - n / args.steps) if args.falling else 1)
    )
    if shutil.which("g++"):
        model.language_model.base_model.compile(dynamic=True)
    began = time.time()
    for step in range(args.steps):
        with torch.autocast(args.device.split(":")[0], torch.bfloat16):
            logits, targets = reader(next(draws), args.blur)
        loss = torch.nn.functional.cross_entropy(logits.float(), targets)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.language_model.parameters(), 1.0)
        optimiser.step()
        shape.step()
        if step % 300 == 0 or step == args.steps - 1:
            right = {cell: np.array(reader.right(batch)) for cell, batch in val.items()}
            share = {
                cell: {need: round(float(good[needs == need].mean()), 3) for need in ("picture", "motion", "both")}
                for cell, good in right.items()
            }
            print(f"{step}/{args.steps} loss {loss.item():.3f} val {share} {time.time() - began:.0f} s", flush=True)
    save(model, processor, Path(args.out))


if __name__ == "__main__":
    main()
