"""Stage 1 of the fusion experiment: a translator whose tokens say in the language model's own words what is seen.

    python -m research.fusion.align research/fusion/instruct.yaml runs/fusion/start

Answers alone teach a small model late which of many visual tokens a question means. So, before any arm begins, pooling
and the translator behind it are taught what they see, as captions teach the translator in the paper's first stage: one
token says "left shirt red", one "box blue", one "lamp green" (`lookup.told`, which the language model has learnt to
read). Tower and language model stay as they are; the labels are the training scenes' descriptions. Nothing is taught
about movement, and no question is asked.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import torch

from research.fusion.lookup import SLOTS, Spelling, clips_of, save, told
from research.fusion.tower import labels_of
from vimonet.motion import FPS
from vimonet.training.config import load_config
from vimonet.training.data.collator import FrameCache
from vimonet.training.data.sampling import rng_of, seed_everything
from vimonet.training.joint_training import assemble
from vimonet.vimos.reading import read_records


def main() -> None:
    """Train pooling and translator, and save the model every arm begins with."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("config")
    ask.add_argument("out")
    ask.add_argument("--reader", default="runs/fusion/reader", help="what lookup.py made")
    ask.add_argument("--steps", type=int, default=1200)
    ask.add_argument("--batch", type=int, default=64)
    ask.add_argument("--rate", type=float, default=3e-3)
    ask.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = ask.parse_args()
    if Path(args.out).exists():
        return
    config = load_config(args.config, [f"model={args.reader}"])
    seed_everything(0)
    model, processor = assemble(config, None)
    model.to(args.device).eval()
    root = Path(config.data["dataset"])
    records = [record for split in ("train", "val") for record in read_records(root, split)]
    clips = [(str(root / str(record.video)), None, None) for record in records]
    cache = FrameCache(config.video.cache, clips, processor.video_processor)
    features, places, wanted = [], [], []
    with torch.no_grad(), torch.autocast(args.device.split(":")[0], torch.bfloat16):
        for record, clip in zip(records, clips, strict=True):
            video_frames = cache(clip)
            values = torch.from_numpy(processor.video_processor([video_frames])["video_values"]).to(args.device)
            features.append(model.vimonet.video_tower(values)[0].to(torch.bfloat16).cpu())
            places.append(torch.tensor(video_frames.times * FPS / model.config.ratio, dtype=torch.float32))
            labels = labels_of(record.provenance["scene"], video_frames.times, record.motion.joints)
            wanted.append(told(labels, video_frames.times))
    held = [record.split == "val" for record in records].index(True)
    seen, when = torch.stack(features), torch.stack(places)
    said = {name: values.to(args.device) for name, values in clips_of(wanted).items()}
    with torch.no_grad():
        target = Spelling(processor.tokenizer)(said["told"], said["when"], model).cpu()
    # Every token counts alike, whatever the lengths of the words that tell its meanings apart.
    spread = (target[:held] - target[:held].mean(0)).square().sum(-1).mean(0)
    translators = model.vimonet.translators
    translators.video.train()
    optimiser = torch.optim.AdamW(translators.video.parameters(), args.rate, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.rate, args.steps)

    def off(chosen: Any) -> torch.Tensor:
        """Share of each slot's variance that the tokens of some clips leave unexplained, [N, slots]."""
        patches, moments, said = (part[chosen].to(args.device) for part in (seen, when, target))
        with torch.autocast(args.device.split(":")[0], torch.bfloat16):
            tokens = translators(patches.float(), "video", places=moments)[0].float()
        return (tokens - said).square().sum(-1) / spread.to(args.device)

    began = time.time()
    for step in range(args.steps):
        loss = off(torch.from_numpy(rng_of(0, step, "align").integers(0, held, args.batch))).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 200 == 0 or step == args.steps - 1:
            with torch.no_grad():
                error = off(slice(held, None)).mean(0).cpu()
            left = {slot: round(float(value), 2) for slot, value in zip(SLOTS, error, strict=True)}
            print(
                f"{step}/{args.steps} loss {loss.item():.3f}, unexplained on val {left}, {time.time() - began:.0f} s",
                flush=True,
            )
    save(model, processor, Path(args.out))


if __name__ == "__main__":
    main()
