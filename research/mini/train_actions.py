"""Train the action network: a small transformer names what happens at each moment of a recording.

    python -m research.mini.train_actions -o runs/mini/tokens/action_network [--steps 3600] [--root DIR]
    python -m research.mini.train_actions --score mini [--split val] [--root DIR]

It learns the labels of the recordings of `vimos-open`, 3D and 2D, none of them twice alike: mirrored, faster or slower,
cut, tilted, with the errors of another sensor (`research.vimos_open.sensor_noise`), seen by a virtual camera, or joined
to one another. Of an action with n clips in a corpus each has the weight 1 / sqrt(n), so that rare actions are drawn
more often. The weights are the exponential mean over the last few hundred steps. ``--score`` prints how often tokens,
network and both name the recordings of a split as their labels do. A run that is cut goes on from its last checkpoint;
with a GPU it runs there.
"""

from __future__ import annotations

import argparse
import math
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from tqdm import tqdm

import vimonet
from research.vimos_open.augment import OUTSIDE_TEST, OUTSIDE_TRAIN
from research.vimos_open.sensor_noise import sensed
from research.vimos_open.sources import SOURCES_2D, SOURCES_3D, load_clips, synthetic_clips
from vimonet.language import mirror_text
from vimonet.model.action_network import ActionNetwork, statistics_of
from vimonet.model.action_recognition import ActionRecogniser
from vimonet.model.hub import load_pretrained
from vimonet.model.weight_files import new_folder
from vimonet.motion import Motion
from vimonet.motion.features.body_features import BODY_DIM, KEYPOINT_DIM
from vimonet.motion.projection import random_view
from vimonet.utils.errors import InputError
from vimonet.utils.statistics import bootstrap_interval
from vimonet.vimos.types import Clip
from vimonet.weights import model_source

STEPS, RATE, WARM, DECAY = 3600, 1e-3, 200, 0.05
CLIPS_3D, CLIPS_2D = 22, 16
"""Clips of a step; of the 2D ones, 55 % are of real films and 45 % of 3D movement that a virtual camera sees."""
SMOOTHING = 0.1  # of the labels
SAVE_EVERY = 200
_AVERAGE = 0.998  # of the weights over steps
_JOINED, _BLEND = 0.35, 6  # share of the clips that others follow, and frames of the change
_REAL_FILMS = 0.55
_TILT, _LIFT = 0.06, 0.04  # rad and m, standard deviation


def labelled_clips(root: Path | None = None) -> list[Clip]:
    """Read the labelled clips of all splits, those of the generator included, and none of a class kept unnamed."""
    clips = load_clips(root, SOURCES_3D + SOURCES_2D)
    clips += [clip for split in ("train", "val", "test") for clip in synthetic_clips(split)]
    unnamed = OUTSIDE_TRAIN | OUTSIDE_TEST
    return [clip for clip in clips if clip.action and clip.action not in unnamed and clip.motion.frames > 2]


def phrases_of(clips: Sequence[Clip]) -> list[str]:
    """List the action phrases of clips and of their mirror images, in alphabetical order."""
    labels = {clip.action for clip in clips if clip.action}
    return sorted(labels | {mirror_text(label) for label in labels})


class Batches(torch.utils.data.Dataset[Any]):
    """Draw the batches of a run by step: (features, frames, labels of every second frame) in 3D and in 2D.

    Args:
        clips: labelled clips.
        phrases: action phrases; labels index them.
        extractor: feature extractor of the model that the network stands beside.
        seed: seed of the draws.
    """

    def __init__(self, clips: Sequence[Clip], phrases: Sequence[str], extractor: Any, seed: int = 0) -> None:
        index = {phrase: number for number, phrase in enumerate(phrases)}
        self.clips = [clip for clip in clips if clip.action in index]
        self.labels = [index[str(clip.action)] for clip in self.clips]
        self.mirrored = [index.get(mirror_text(phrase)) for phrase in phrases]
        self.extractor, self.seed = extractor, seed
        counts = Counter((clip.source, clip.action) for clip in self.clips)
        weights = np.array([counts[clip.source, clip.action] ** -0.5 for clip in self.clips])
        solid = np.array([clip.motion.dimensions == 3 for clip in self.clips])
        self.shares = {3: weights * solid / (weights * solid).sum()}
        if not solid.all():
            self.shares[2] = weights * ~solid / (weights * ~solid).sum()

    def __getitem__(self, step: int) -> list[tuple[str, Tensor, Tensor, Tensor]]:
        rng = random.Random(f"{self.seed}/{step}")
        draws = np.random.default_rng(rng.randrange(2**32))
        return [
            (name, *self._batch(count, dimensions, rng, draws))
            for name, count, dimensions in (("motion", CLIPS_3D, 3), ("keypoint", CLIPS_2D, 2))
        ]

    def _batch(self, count: int, dimensions: int, rng: random.Random, draws: Any) -> tuple[Tensor, Tensor, Tensor]:
        drawn = [self._joined(dimensions, rng, draws) for _ in range(count)]
        frames = torch.tensor([len(values) for values, _ in drawn])
        longest = int(frames.max()) + int(frames.max()) % 2
        values = torch.zeros(count, longest, drawn[0][0].shape[1])
        labels = torch.full((count, longest), -100)
        for row, (features, named) in enumerate(drawn):
            values[row, : len(features)], labels[row, : len(named)] = features, named
        return values, frames, labels[:, ::2]

    def _joined(self, dimensions: int, rng: random.Random, draws: Any) -> tuple[Tensor, Tensor]:
        """Draw a clip, and at times one or two that follow it; the change belongs to neither."""
        most = int(self.extractor.max_frames)
        values, label = self._draw(dimensions, rng, draws)
        labels = torch.full((len(values),), label)
        more = rng.choice((1, 1, 2)) if rng.random() < _JOINED else 0
        for _ in range(more):
            if len(values) > most - 20:
                break
            other, label = self._draw(dimensions, rng, draws)
            other = other[: rng.randrange(40, 120)]
            change = min(_BLEND, len(values), len(other))
            share = torch.linspace(0, 1, change)[:, None]
            between = values[-change:] * (1 - share) + other[:change] * share
            values = torch.cat([values[:-change], between, other[change:]])
            after = torch.full((len(other) - change,), label)
            labels = torch.cat([labels[:-change], torch.full((change,), -100), after])
        return values[:most], labels[:most]

    def _draw(self, dimensions: int, rng: random.Random, draws: Any) -> tuple[Tensor, int]:
        """Draw a clip and change it, until one can be seen."""
        while True:
            flat = dimensions == 2 and 2 in self.shares and rng.random() < _REAL_FILMS
            at = int(draws.choice(len(self.clips), p=self.shares[2 if flat else 3]))
            clip, label = self.clips[at], self.labels[at]
            motion = _cut(clip.motion, int(1.3 * self.extractor.max_frames), rng)
            if rng.random() < 0.5 and self.mirrored[label] is not None and "letter" not in str(clip.action):
                motion, label = motion.mirrored(), int(self.mirrored[label] or 0)
            motion = _paced(motion, rng.uniform(0.75, 1.35))
            try:
                motion = _refilmed(motion, rng, draws) if flat else _resensed(motion, rng, draws, dimensions)
                motion = _first(motion, int(self.extractor.max_frames))
            except InputError:  # no view shows the body, or the errors of a sensor tear it apart
                continue
            values = self.extractor.extract_joints(motion.joints, motion.confidence, motion.dimensions)
            return torch.from_numpy(values).float(), label


def _first(motion: Motion, frames: int, start: int = 0) -> Motion:
    confidence = None if motion.confidence is None else motion.confidence[start : start + frames]
    return replace(motion, joints=motion.joints[start : start + frames], confidence=confidence)


def _cut(motion: Motion, longest: int, rng: random.Random) -> Motion:
    """Take a part of a long recording, and at times leave out up to a fifth of a short one."""
    if motion.frames > longest:
        return _first(motion, longest, rng.randrange(motion.frames - longest + 1))
    if motion.frames <= 30 or rng.random() < 0.5:
        return motion
    less = int(motion.frames * rng.uniform(0, 0.2))
    return _first(motion, motion.frames - less, rng.randint(0, less))


def _paced(motion: Motion, factor: float) -> Motion:
    """Play a movement `factor` times as fast."""
    frames = max(8, round(motion.frames / factor))
    at = np.linspace(0, motion.frames - 1, frames)
    low = np.minimum(at.astype(int), motion.frames - 2)
    part = (at - low).astype(np.float32)

    def between(values: NDArray[np.float32]) -> NDArray[np.float32]:
        share = part.reshape(-1, *(1,) * (values.ndim - 1))
        return np.asarray(values[low] * (1 - share) + values[low + 1] * share, np.float32)

    confidence = None if motion.confidence is None else between(motion.confidence)
    return replace(motion, joints=between(motion.joints), confidence=confidence)


def _resensed(motion: Motion, rng: random.Random, draws: Any, dimensions: int) -> Motion:
    """Show a 3D movement as another sensor would, or as keypoints."""
    if rng.random() < 0.5:
        motion = sensed(motion, draws)
    joints = motion.joints
    if rng.random() < 0.4:
        joints = _turned(joints, rng.gauss(0, _TILT), 1, 2)
        joints = _turned(joints, rng.gauss(0, _TILT), 0, 1)
    joints = joints + np.array([0, rng.gauss(0, _LIFT), 0], np.float32)
    if dimensions == 3:
        return replace(motion, joints=joints)
    joints, confidence, _ = random_view(joints, motion.confidence, rng, crop=False)
    return Motion(joints, name=motion.name, confidence=confidence, dimensions=2)


def _refilmed(motion: Motion, rng: random.Random, draws: Any) -> Motion:
    """Change the size and tilt of keypoints, add jitter, and lose a joint for a moment."""
    joints = _turned(motion.joints, rng.gauss(0, _TILT), 0, 1) * np.float32(rng.uniform(0.88, 1.14))
    level = rng.choice((0.0, 0.005, 0.012))
    joints = joints + np.float32(level) * draws.standard_normal(joints.shape).astype(np.float32)
    joints[..., 2] = 0
    confidence = motion.confidence
    if confidence is not None and rng.random() < 0.3:
        confidence, start = confidence.copy(), rng.randrange(motion.frames)
        confidence[start : start + rng.randrange(3, 20), rng.randrange(1, 22)] = 0
    return replace(motion, joints=joints, confidence=confidence)


def _turned(joints: NDArray[np.float32], angle: float, a: int, b: int) -> NDArray[np.float32]:
    """Turn joints [T, 22, 3] by `angle`, rad, in the plane of axes `a` and `b` about their middle."""
    middle = joints[:, :1].mean(axis=0)
    out = joints - middle
    first, second = out[..., a].copy(), out[..., b].copy()
    out[..., a] = math.cos(angle) * first - math.sin(angle) * second
    out[..., b] = math.sin(angle) * first + math.cos(angle) * second
    return np.asarray(out + middle, np.float32)


def train(batches: Batches, network: ActionNetwork, steps: int, folder: Path) -> ActionNetwork:
    """Train a network, and return the mean of its weights, on the CPU.

    Args:
        batches: what it learns from.
        network: untrained.
        steps: of the whole run.
        folder: holds the checkpoint.

    Raises:
        InputError: the checkpoint is one of another run.
    """
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network.to(device)
    run = {"steps": steps, "seed": batches.seed, "clips": len(batches.clips), "phrases": list(network.phrases)}
    run |= {"sizes": network.sizes, "statistics": network.statistics}
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    mean = {name: value.clone() for name, value in network.state_dict().items()}
    first, saved = 0, folder / "checkpoint.pt"
    if saved.is_file():
        state = torch.load(saved, weights_only=True, map_location=device)
        if state.get("run") != run:
            raise InputError(f"{saved}: a checkpoint of a run with other settings or recordings; delete it.")
        first, mean = state["step"], state["mean"]
        network.load_state_dict(state["network"])
        optimiser.load_state_dict(state["optimiser"])
    loader = torch.utils.data.DataLoader(
        batches, batch_size=None, sampler=range(first, steps), num_workers=1, prefetch_factor=8
    )
    bar = tqdm(loader, initial=first, total=steps, desc="action network", mininterval=5)
    for step, batch in enumerate(bar, first):
        torch.manual_seed(step)  # of dropout: a run that is cut goes on as it would have
        for group in optimiser.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM) * (0.51 + 0.49 * math.cos(math.pi * step / steps))
        losses = []
        for name, *tensors in batch:
            values, frames, labels = (tensor.to(device) for tensor in tensors)
            with torch.autocast(device, torch.bfloat16):
                logits = network(values, frames, name)
            flat = logits.float().flatten(0, 1), labels.flatten()
            losses.append(F.cross_entropy(*flat, ignore_index=-100, label_smoothing=SMOOTHING))
        loss = torch.stack(losses).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        with torch.no_grad():
            share = 1 - min(_AVERAGE, (step + 1) / (step + 10))
            for name, value in network.state_dict().items():
                mean[name].lerp_(value, share)
        bar.set_postfix(loss=f"{float(loss.detach()):.2f}", refresh=False)
        if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
            state = {"run": run, "step": step + 1, "mean": mean, "network": network.state_dict()}
            torch.save({**state, "optimiser": optimiser.state_dict()}, saved.with_suffix(".part"))
            saved.with_suffix(".part").replace(saved)
    network.load_state_dict(mean)
    return network.cpu().eval()


def score(assistant: Any, clips: Sequence[Clip]) -> Iterator[str]:
    """Yield a row per corpus: how often the longest span has the label's name by tokens, network and both."""
    model, tokenizer, network = assistant.model, assistant.processor.tokenizer, assistant.network
    extractor = assistant.processor.feature_extractor
    both = ActionRecogniser(model, tokenizer, network)
    right: dict[str, list[tuple[str, list[float]]]] = defaultdict(list)
    for clip in tqdm(clips, desc="clips"):
        motion = _first(clip.motion, int(extractor.max_frames))
        values = torch.from_numpy(extractor.extract_joints(motion.joints, motion.confidence, motion.dimensions))
        named = []
        alone = both.shares(values, motion.dimensions)
        for shares in (*alone, both.averaged(alone)):
            spans = both.spans(shares)
            longest = max(spans, key=lambda span: span.end - span.start) if spans else None
            named.append(float(longest is not None and longest.actions[0][0] == clip.action))
        right[clip.source].append((clip.recording, named))
    yield "| corpus | n | tokens | network | both |\n|---|---|---|---|---|"
    for source, rows in right.items():
        cells = []
        for column in zip(*(named for _, named in rows), strict=True):
            low, high = bootstrap_interval(list(column), [recording for recording, _ in rows])
            cells.append(f"{np.mean(column):.2f} ({low:.2f}-{high:.2f})")
        yield f"| {source} | {len(rows)} | {' | '.join(cells)} |"


def main(argv: Sequence[str] | None = None) -> None:
    """Train a network, or score one."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="folder of the network")
    parser.add_argument("-m", "--model", default="nano", help="model whose features the network reads")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=0, help="seed of weights and draws")
    parser.add_argument("--root", type=Path, help="folder of the recordings; default: $VIMONET_DATA")
    parser.add_argument("--without", nargs="*", default=[], metavar="CORPUS", help="corpora not to learn from")
    parser.add_argument("--score", metavar="MODEL", help="score the network of a model, and train none")
    parser.add_argument("--split", default="val", help="split to score")
    args = parser.parse_args(argv)
    if args.output is None and not args.score:
        parser.error("give -o DIR, or --score MODEL")
    if args.output is not None and args.output.exists():
        raise InputError(f"{args.output}: exists already; give a new folder.")
    clips = labelled_clips(args.root)
    if unknown := set(args.without) - {clip.source for clip in clips}:
        raise InputError(f"--without {min(unknown)}: there is no such corpus.")
    if args.score:
        assistant = vimonet.load(args.score)
        if assistant.network is None:
            raise InputError(f"{args.score}: it has no action network.")
        known = set(assistant.network.phrases)
        asked = [clip for clip in clips if clip.split == args.split and clip.action in known]
        for line in score(assistant, asked):
            print(line)
        return
    taught = [clip for clip in clips if clip.split == "train" and clip.source not in args.without]
    phrases = phrases_of(taught)
    extractor = load_pretrained(model_source(args.model))[1].feature_extractor
    if extractor.features != "body":
        raise InputError(f"{args.model}: the action network reads body features, and this model reads none.")
    batches = Batches(taught, phrases, extractor, args.seed)
    torch.manual_seed(args.seed)
    features = {"motion": BODY_DIM, "keypoint": KEYPOINT_DIM}
    untrained = ActionNetwork(phrases, features, statistics=statistics_of(extractor))
    partial = args.output.with_name(args.output.name + ".partial")
    partial.mkdir(parents=True, exist_ok=True)
    network = train(batches, untrained, args.steps, partial)
    with new_folder(args.output) as folder:
        network.save(folder)
    shutil.rmtree(partial)
    print(f"{args.output}: {len(phrases)} actions, learnt from {len(batches.clips)} clips in {args.steps} steps")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(f"train_actions: {error}") from None
