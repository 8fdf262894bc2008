"""The video tower that every arm of the fusion experiment shares: a small ResNet that learns what stands in a picture.

    python -m research.fusion.tower data/vimos-paired runs/fusion/tower

No pretrained tower of this size exists, so one is taught here, as CLIP's are taught by captions: from the training
scenes' descriptions. It learns colours of clothes, hair, lamp, walls and things, which things there are and where, how
many people, and which way somebody faces. It is taught nothing about limbs, actions or order. Labels are read from
features pooled 4 x 4, as the language model will read them; the heads that read them are thrown away.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import ResNetConfig

from research.fusion.scenes import pinhole
from research.fusion.scenes.scene import (  # fmt: skip
    CLOTHES,
    FLOORS,
    HAIR,
    KINDS,
    LAMP,
    LAMP_HEIGHT,
    OBJECTS,
    WALLS,
    Camera,
)
from vimonet.model import VideoTower, ViMoNetConfig, build_video_processor
from vimonet.model.projectors import GridPooling
from vimonet.motion.kinematics import heading
from vimonet.training.data.collator import FrameCache
from vimonet.training.data.sampling import rng_of, seed_everything
from vimonet.vimos.reading import read_records

SIDE, FRAMES, ABSENT = 128, 8, -100
WORN = {"shirt": CLOTHES, "trousers": CLOTHES, "hair": HAIR}
HEADS = {
    **{f"{what}_{n}": len(names) for n in (0, 1) for what, names in WORN.items()},
    **{f"has_{kind}": 2 for kind in KINDS},
    **{f"colour_{kind}": len(OBJECTS) for kind in KINDS},
    **{"lamp": len(LAMP), "floor": len(FLOORS), "wall": len(WALLS), "people": 2},
}  # fmt: skip
"""Classes of each label; people are counted from the left of the picture."""
PLACES = (*KINDS, "lamp")
"""What has a place in the picture: x and y, -1 to 1."""


def labels_of(
    scene: dict[str, Any], times: NDArray[np.float64], joints: NDArray[np.float32]
) -> dict[str, NDArray[Any]]:
    """Labels of the frames of one video: ``classes`` [F, heads], ``places`` [F, places, 2], ``facing`` [F, 2] (sine and
    cosine against the line of sight, NaN where two people are seen).
    """
    camera, people = Camera(**scene["camera"]), scene["people"]
    spots = np.array([[p["place"][0], 0.9, p["place"][1]] for p in people])
    order = np.argsort(pinhole.project(camera, spots)[:, 0])
    found = {name: ABSENT for name in HEADS}
    for n, who in enumerate(order):
        for what, names in WORN.items():
            found[f"{what}_{n}"] = list(names).index(people[who][what])
    found |= {f"has_{kind}": 0 for kind in KINDS}
    places = np.full((len(times), len(PLACES), 2), np.nan, np.float32)
    for prop in scene["props"]:
        kind = prop["kind"]
        found[f"has_{kind}"] = 1
        found[f"colour_{kind}"] = list(OBJECTS).index(prop["colour"])
        at = np.array([prop["place"][0], 0.3, prop["place"][1]])
        places[:, PLACES.index(kind)] = pinhole.project(camera, at)[:2]
    found["floor"] = FLOORS.index(scene["room"]["floor"])
    found["wall"] = list(WALLS).index(scene["room"]["colour"])
    found["people"] = len(people) - 1
    classes = np.tile(np.array(list(found.values()), np.int64), (len(times), 1))
    lamp = scene["lamp"]
    at = np.array([lamp["place"][0], LAMP_HEIGHT, lamp["place"][1]])
    places[:, -1] = pinhole.project(camera, at)[:2]
    shines = [[name for start, name in lamp["colours"] if start <= t + 1e-6][-1] for t in times]
    classes[:, list(HEADS).index("lamp")] = [list(LAMP).index(name) for name in shines]
    facing = np.full((len(times), 2), np.nan, np.float32)
    if len(people) == 1:
        frames = np.minimum(np.rint(times * 20).astype(int), len(joints) - 1)
        off = heading(joints)[frames] + math.radians(people[0]["turn"]) - math.radians(camera.azimuth)
        facing = np.stack([np.sin(off), np.cos(off)], axis=1).astype(np.float32)
    return {"classes": classes, "places": places, "facing": facing}


class Reader(nn.Module):
    """Reads every label from a picture's pooled features, by a query of its own."""

    def __init__(self, width: int) -> None:
        super().__init__()
        slots = ["person_0", "person_1", *KINDS, "lamp", "room"]
        self.pool = GridPooling("spatial", SIDE // 16, SIDE // 16, 16)
        self.where = nn.Parameter(0.02 * torch.randn(16, width))
        self.queries = nn.Parameter(torch.randn(len(slots), width) * width**-0.5)
        self.look = nn.MultiheadAttention(width, 4, batch_first=True)
        self.mix = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        self.slot = {name: slots.index(self._slot(name)) for name in HEADS}
        self.classes = nn.ModuleDict({name: nn.Linear(width, n) for name, n in HEADS.items()})
        self.places, self.facing = nn.Linear(width, 2), nn.Linear(width, 2)

    @staticmethod
    def _slot(name: str) -> str:
        what, _, which = name.partition("_")
        return f"person_{which}" if which.isdigit() else which or ("lamp" if what == "lamp" else "room")

    def forward(self, features: torch.Tensor) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
        """Features [N, P, D] to logits by label, places [N, places, 2] and facing [N, 2]."""
        tokens = self.pool(features[:, None], features.new_zeros(len(features), 1))[0]
        tokens = tokens + self.where
        slots = self.look(self.queries.expand(len(tokens), -1, -1), tokens, tokens, need_weights=False)[0]
        slots = self.mix(slots)
        logits = {name: head(slots[:, self.slot[name]]) for name, head in self.classes.items()}
        return logits, self.places(slots[:, 2:9]), self.facing(slots[:, 0])


def loss_of(read: Any, labels: dict[str, torch.Tensor]) -> tuple[torch.Tensor, dict[str, float]]:
    """Sum of cross-entropies and squared errors over the labels that a picture has, and the accuracies."""
    logits, places, facing = read
    total, right = torch.zeros(()), {}
    for n, (name, values) in enumerate(logits.items()):
        wanted = labels["classes"][:, n]
        known = wanted != ABSENT
        if known.any():
            total = total + nn.functional.cross_entropy(values.float(), wanted)
            right[name] = float((values.argmax(-1) == wanted)[known].float().mean())
    for values, wanted in ((places, labels["places"]), (facing, labels["facing"])):
        known = ~wanted.isnan()
        if known.any():
            total = total + 4 * (values.float() - wanted)[known].square().mean()
    return total, right


def main() -> None:
    """Train the tower and save it as a backbone of transformers."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("dataset")
    ask.add_argument("out")
    ask.add_argument("--epochs", type=float, default=5)
    ask.add_argument("--batch", type=int, default=64)
    ask.add_argument("--rate", type=float, default=2e-3)
    ask.add_argument("--cache", default="runs/fusion/frames", help="decoded frames")
    ask.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    args = ask.parse_args()
    if Path(args.out).exists():
        return
    seed_everything(0)
    config = ResNetConfig(
        embedding_size=32, hidden_sizes=[48, 96, 192], depths=[1, 2, 2], layer_type="basic", image_size=SIDE
    )
    tower = VideoTower(config)
    processor = build_video_processor(
        ViMoNetConfig(video_config=config, video_frames=FRAMES, video_fit="stretch", video_tokens=128)
    )
    rows, clips, kept = {}, [], {}
    for split in ("train", "val"):
        kept[split] = list(read_records(args.dataset, split))
        clips += [(str(Path(args.dataset) / row.video), None, None) for row in kept[split]]
    cache = FrameCache(args.cache, clips, processor)
    for split, records in kept.items():
        rows[split] = []
        for record in records:
            video_frames = cache((str(Path(args.dataset) / record.video), None, None))
            labels = labels_of(record.provenance["scene"], video_frames.times, record.motion.joints)
            rows[split].append((video_frames.images, labels))
    model = nn.ModuleDict({"tower": tower, "reader": Reader(tower.dim)}).to(args.device)
    model.to(memory_format=torch.channels_last)
    steps = int(args.epochs * len(rows["train"]) * FRAMES / args.batch)
    optimiser = torch.optim.AdamW(model.parameters(), args.rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, args.rate, steps, pct_start=0.1)
    channels = (processor.image_mean, processor.image_std)
    mean, std = (torch.tensor(x, device=args.device)[:, None, None] for x in channels)

    def batch_of(split: str, chosen: NDArray[np.int64]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        picked = [(rows[split][i // FRAMES], i % FRAMES) for i in chosen.tolist()]
        images = np.stack([images[n] for (images, _), n in picked])
        pixels = torch.from_numpy(images).to(args.device).permute(0, 3, 1, 2).float() / 255
        labels = {
            key: torch.from_numpy(np.stack([told[key][n] for (_, told), n in picked])).to(args.device)
            for key in picked[0][0][1]
        }
        return (pixels - mean) / std, labels

    def read(pixels: torch.Tensor) -> Any:
        with torch.autocast(args.device.split(":")[0], torch.bfloat16):
            return model["reader"](model["tower"](pixels[:, None])[:, 0])

    began = time.time()
    for step in range(steps):
        model.train()
        pixels, labels = batch_of(
            "train", rng_of(0, step, "tower").integers(0, len(rows["train"]) * FRAMES, args.batch)
        )
        pixels = torch.roll(pixels, tuple(rng_of(0, step, "shift").integers(-4, 5, 2).tolist()), (2, 3))
        loss, _ = loss_of(read(pixels), labels)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
        if step % 250 == 0 or step == steps - 1:
            model.eval()
            with torch.no_grad():
                pixels, labels = batch_of("val", np.arange(0, len(rows["val"]) * FRAMES, 2))
                held, right = loss_of(read(pixels), labels)
            told = {name: round(value, 2) for name, value in right.items()}
            spent = time.time() - began
            print(f"{step}/{steps} loss {loss.item():.2f} val {held.item():.2f} {spent:.0f} s {told}", flush=True)
    folder = Path(args.out)
    part = folder.with_name(folder.name + ".part")
    tower.backbone.to(memory_format=torch.contiguous_format).save_pretrained(part)
    (part / "labels.json").write_text(json.dumps({"val": right, "steps": steps, "seconds": round(time.time() - began)}))
    part.rename(folder)


if __name__ == "__main__":
    main()
