"""Compare two ways to tell whether a person does what a sentence says: the search embedding, and a model that is asked.

    python -m benchmarks.sentences --root RECORDINGS [--model nano ...] [--clips 12] [--json OUT.json]

For every sentence: clips of the test splits that show it, and twice as many that show something else, 3 s from the
middle of each, in 3D and in a picture. Scores: the cosine of sentence and movement; the same, standardised by the
cosines of other sentences (what `vimonet watch` uses); a model's yes with its confidence (what `vimonet watch` uses).
The figure is the area under the ROC curve per sentence (0.5 is chance), and its mean with the interval over
sentences.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

from research.vimos_open.sources import load_clips
from vimonet.retrieval.text_motion_encoder import TextMotionEncoder
from vimonet.utils.statistics import bootstrap_interval
from vimonet.vimos.types import Clip
from vimonet.watch.sentence_events import agreement, question_of

SENTENCES = {
    "climb": "someone climbs",
    "wave": "someone waves",
    "kick": "someone kicks",
    "throw": "someone throws something",
    "clap": "someone claps",
    "punch": "someone punches",
    "jump": "someone jumps",
    "pick": "someone picks something up",
    "sit": "someone sits down",
    "run": "someone runs",
    "bow": "someone bows",
    "squat": "someone squats",
    "lunge": "someone does a lunge",
    "push-up": "someone does push-ups",
}
"""Word of the action phrase -> the user's sentence."""
OTHERS = (
    *("a person stands still", "a person walks forward", "a person runs", "a person walks backward", "a person turns"),
    *("a person sits down", "a person stands up", "a person sits", "a person lies on the ground", "a person falls"),
    *("a person bends over", "a person picks something up", "a person squats", "a person kneels", "a person crawls"),
    *("a person jumps", "a person does jumping jacks", "a person kicks", "a person punches", "a person throws a ball"),
    *("a person waves a hand", "a person raises both arms", "a person claps", "a person points", "a person bows"),
    *("a person climbs", "a person dances", "a person does push-ups", "a person stretches", "a person swings a racket"),
)
"""Sentences against which one may stand out: everyday movement, one of each kind."""
SOURCES = ("bnr", "kinder_gator", "utd_mhad", "nw_ucla", "jhmdb_2d", "penn_action_2d")


def shows(clip: Clip, word: str) -> bool:
    words = str(clip.action).replace("push-ups", "push-up").split()
    return any(one.rstrip("s") == word for one in words)


def standardised(movements: np.ndarray, sentences: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Measure how far sentences stand out for each movement, in deviations of the others: [N, E], [S, E] to [N, S]."""
    field = movements @ others.T
    spread = np.maximum(field.std(axis=1, keepdims=True), 1e-6)
    return (movements @ sentences.T - field.mean(axis=1, keepdims=True)) / spread


def area(scores: np.ndarray, truth: np.ndarray) -> float:
    """Area under the ROC curve: how often a clip that shows it scores above one that does not."""
    yes, no = scores[truth], scores[~truth]
    return float((yes[:, None] > no).mean() + 0.5 * (yes[:, None] == no).mean())


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--model", action="append", default=[], help="model to ask, too; may be given again")
    parser.add_argument("--clips", type=int, default=12, help="clips that show a sentence (default: 12)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args(argv)

    every = [clip for clip in load_clips(args.root, SOURCES) if clip.split == "test"]
    encoder = TextMotionEncoder.load()
    others = encoder.texts(OTHERS)
    models = {}
    for name in args.model:
        import vimonet

        models[name] = vimonet.load(name)
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    margins: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for word, sentence in SENTENCES.items():
        rng = random.Random(word)
        yes = [clip for clip in every if shows(clip, word)]
        no = [clip for clip in every if not shows(clip, word)]
        if len(yes) < 3:
            continue
        yes = rng.sample(yes, min(args.clips, len(yes)))
        clips = yes + rng.sample(no, 2 * len(yes))
        truth = np.arange(len(clips)) < len(yes)
        motions = []
        for clip in clips:
            middle = clip.motion.frames // 2
            motions.append(clip.motion.window(middle - 30, middle + 30))
        vectors = encoder.clips(motions)
        text = encoder.texts([sentence])
        z = standardised(vectors, text, others)[:, 0]
        margins["standardised"] += zip(z.tolist(), truth.tolist(), strict=True)
        scores["cosine"][word] = area(vectors @ text[0], truth)
        scores["standardised"][word] = area(z, truth)
        for name, assistant in models.items():
            answers = assistant.ask_batch([(question_of(sentence), motion) for motion in motions])
            said = np.array([agreement(answer) for answer in answers])
            scores[name][word] = area(said, truth)
            margins[name] += zip(said.tolist(), truth.tolist(), strict=True)
    out = {}
    for name, found in scores.items():
        low, high = bootstrap_interval([100 * v for v in found.values()], list(found))
        out[name] = {
            "mean": float(np.mean(list(found.values()))),
            "low": low / 100,
            "high": high / 100,
            "sentences": found,
        }
        each = ", ".join(f"{word} {value:.2f}" for word, value in found.items())
        print(f"{name:14}{out[name]['mean']:.3f}  ({out[name]['low']:.3f}-{out[name]['high']:.3f})  {each}")
    for name, found in margins.items():
        for least in (1.0, 1.5, 2.0, 2.5) if name == "standardised" else (0.5, 0.7, 0.8, 0.9, 0.95):
            yes = np.array([score >= least for score, right in found if right])
            no = np.array([score >= least for score, right in found if not right])
            print(f"{name} from {least}: {yes.mean():.2f} of those that show it, {no.mean():.3f} of others")
    if args.json:
        args.json.write_text(json.dumps(out, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
