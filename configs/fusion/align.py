"""Stage 1 of the fusion experiment: the shipped nano with a video tower whose tokens are aligned with words.

    python configs/fusion/align.py configs/fusion/instruct.yaml runs/fusion/start

Answers alone teach a small model late which of many visual tokens a question means. So, before any arm begins, pooling
and the translator behind it are taught what they see in the language model's own words, as captions teach the
translator in the paper's first stage: one token says "left shirt red", one "box blue", one "lamp green" (the sum of the
words' embeddings). Tower and language model stay as they are; the labels are the training scenes' descriptions. Nothing
is taught about movement, and no question is asked.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tower import HEADS, PLACES, WORN, labels_of

from vimonet.motion import FPS
from vimonet.training.config import load_config
from vimonet.training.data import rng_of, seed_everything
from vimonet.training.frames import FrameCache
from vimonet.training.stages import assemble
from vimonet.vimos.reading import read_records
from vimonet.vimos.scene.description import FLOORS, KINDS, LAMP, OBJECTS, WALLS

SLOTS = [f"{what}_{n}" for what in WORN for n in (0, 1)]
SLOTS += [*KINDS, "wall", "floor", "people", "lamp_first", "lamp_last", "way"]
"""What each of the tokens of a clip tells; people are counted from the left of the picture."""

_ROOM = {"lamp": list(LAMP), "wall": list(WALLS), "floor": list(FLOORS)}
_NAMES = {**{what: list(names) for what, names in WORN.items()}, **_ROOM}


class Words:
    """The language model's own embeddings of words."""

    def __init__(self, tokenizer: Any, embeddings: torch.Tensor) -> None:
        self._tokenizer, self._embeddings, self._known = tokenizer, embeddings, {}  # type: ignore[var-annotated]

    def __call__(self, *words: str) -> torch.Tensor:
        """Sum over words; a word of several tokens is their sum, as long as one."""
        for word in set(words) - set(self._known):
            ids = self._tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
            self._known[word] = self._embeddings[ids].sum(0) / len(ids) ** 0.5
        return torch.stack([self._known[word] for word in words]).sum(0)


def told(labels: dict[str, NDArray[Any]], words: Words) -> torch.Tensor:
    """What the tokens of a clip should say: [slots, H]."""
    first, last = ({name: int(value) for name, value in zip(HEADS, labels["classes"][k], strict=True)} for k in (0, -1))
    middle = len(labels["classes"]) // 2
    sideways = words("right") - words("left")
    two = first["people"] == 1
    found = []
    for slot in SLOTS:
        what, _, which = slot.partition("_")
        if what in WORN:
            side = [("left", "right")[int(which)]] if two else []
            seen = first[slot] >= 0
            found.append(words(what, *side, _NAMES[what][first[slot]]) if seen else words("no", what))
        elif slot in KINDS:
            there = bool(first[f"has_{slot}"])
            token = words(slot, list(OBJECTS)[first[f"colour_{slot}"]]) if there else words("no", slot)
            across = labels["places"][middle, PLACES.index(slot), 0]
            found.append(token + float(across) * sideways if there else token)
        elif what == "lamp":
            shade = (first if which == "first" else last)["lamp"]
            found.append(words("lamp", "beginning" if which == "first" else "end", list(LAMP)[shade]))
        elif slot == "people":
            found.append(words("people", "2" if two else "1"))
        elif slot == "way":
            turned = np.nan_to_num(labels["facing"].mean(0))
            found.append(words("camera") + float(turned[0]) * sideways + float(turned[1]) * words("towards"))
        else:
            found.append(words({"wall": "walls"}.get(slot, slot), _NAMES[slot][first[slot]]))
    return torch.stack(found)


def main() -> None:
    """Train pooling and translator, and save the model every arm begins with."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("config")
    ask.add_argument("out")
    ask.add_argument("--nano", default="src/vimonet/weights/nano")
    ask.add_argument("--tower", default="runs/fusion/tower")
    ask.add_argument("--steps", type=int, default=800)
    ask.add_argument("--batch", type=int, default=64)
    ask.add_argument("--rate", type=float, default=3e-3)
    ask.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = ask.parse_args()
    if Path(args.out).exists():
        return
    config = load_config(
        args.config, [f"model={args.nano}", f"video.checkpoint={args.tower}", f"video.tokens={len(SLOTS)}"]
    )
    seed_everything(0)
    model, processor = assemble(config, None)
    model.to(args.device).eval()
    root = Path(config.data["dataset"])
    records = [record for split in ("train", "val") for record in read_records(root, split)]
    clips = [(str(root / str(record.video)), None, None) for record in records]
    cache = FrameCache(config.video.cache, clips, processor.frame_processor)
    words = Words(processor.tokenizer, model.get_input_embeddings().weight.detach().cpu())
    features, places, wanted = [], [], []
    with torch.no_grad(), torch.autocast(args.device.split(":")[0], torch.bfloat16):
        for record, clip in zip(records, clips, strict=True):
            footage = cache(clip)
            values = torch.from_numpy(processor.frame_processor([footage])["video_values"]).to(args.device)
            features.append(model.vimonet.video_tower(values)[0].to(torch.bfloat16).cpu())
            places.append(torch.tensor(footage.times * FPS / model.config.ratio, dtype=torch.float32))
            wanted.append(told(labels_of(record.provenance["scene"], footage.times, record.motion.joints), words))
    held = [record.split == "val" for record in records].index(True)
    seen, when, target = torch.stack(features), torch.stack(places), torch.stack(wanted)
    translator = model.vimonet.translators.video.train()
    optimiser = torch.optim.AdamW(translator.parameters(), args.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.rate, args.steps)

    def off(chosen: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Squared error of each slot of some clips, [N, slots], and what was said."""
        here = (part[chosen].to(args.device) for part in (seen, when, target))
        patches, moments, said = here
        with torch.autocast(args.device.split(":")[0], torch.bfloat16):
            tokens = translator(patches.float(), moments)[0].float()
        return (tokens - said).square().sum(-1), tokens

    began = time.time()
    for step in range(args.steps):
        loss = off(torch.from_numpy(rng_of(0, step, "align").integers(0, held, args.batch)))[0].mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 200 == 0 or step == args.steps - 1:
            with torch.no_grad():
                error = off(slice(held, None))[0].mean(0)
            share = error.cpu() / (target[held:] - target[:held].mean(0)).square().sum(-1).mean(0)
            left = {slot: round(float(value), 2) for slot, value in zip(SLOTS, share, strict=True)}
            print(
                f"{step}/{args.steps} loss {loss.item():.3f}, unexplained on val {left}, {time.time() - began:.0f} s",
                flush=True,
            )
    folder = Path(args.out)
    part = folder.with_name(folder.name + ".part")
    model.cpu().save_pretrained(part)
    processor.save_pretrained(part)
    part.rename(folder)


if __name__ == "__main__":
    main()
