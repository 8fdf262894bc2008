"""Ask a model about held-out labelled films from the motion, from the video, from both and from neither.

    VIMONET_FILM_POSES=FOLDER python -m research.film_cells.score --root RECORDINGS [-m MODEL] [--splits test val]
                                                                  [-o answers.jsonl]

The joints are the keypoints of `research.vimos_open.film_poses`. Each film is asked for its action in open words, and
to choose its label among four. An open answer is right if it names the whole label, half right if it names its verb.
Intervals are 95 %, bootstrapped over groups (scene, person or place), seed 0; the joint gain is both less the better
single cell, film by film.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from research.vimos_open.films import NOBODY, Film, poses_folder, read_films
from vimonet.utils.statistics import bootstrap_interval
from vimonet.vimos.action_labels import participle

CELLS = ("motion", "video", "both", "neither")
OPEN = "What is the person doing?"
_SMALL = frozenset(("the", "a", "an", "of", "in", "on", "with", "to", "and", "at", "into", "up", "is", "do", "for"))


def stems(text: str) -> list[str]:
    """List the words of a text without endings, in order."""
    words = re.findall(r"[a-z]+", text.lower())
    return [re.sub(r"(ing|ed|es|s|e)$", "", re.sub(r"(.)\1ing$", r"\1", word)) for word in words if word not in _SMALL]


def grade(label: str, answer: str) -> float:
    """Grade an open answer: 1 if it names every word of the label, .5 if it names the first one, else 0."""
    wanted, said = stems(label), set(stems(answer))
    return 1.0 if set(wanted) <= said else 0.5 if wanted[0] in said else 0.0


def questions(films: Sequence[Film]) -> list[tuple[Film, str, str]]:
    """Pair each film with its label and a question that offers it among four labels of other films."""
    rng = random.Random(0)
    labels = sorted({film.parts[0].action for film in films})
    asked = []
    for film in films:
        label = film.parts[0].action
        wrong = [other for other in labels if not set(stems(other)) & set(stems(label))]
        offered = [label, *rng.sample(wrong, 3)]
        rng.shuffle(offered)
        names = [participle(name) for name in offered]
        asked.append((film, label, f"Which of these is it: {', '.join(names[:3])} or {names[3]}?"))
    return asked


def ask(assistant: Any, films: Sequence[Film]) -> list[dict[str, Any]]:
    """Ask every film in every cell; a film without keypoints has the cells ``video`` and ``neither`` alone."""
    rows = []
    for film, label, choice in questions(films):
        for cell in CELLS:
            motion = film.motion if cell in ("motion", "both") else None
            video = str(film.path) if cell in ("video", "both") else None
            if cell in ("motion", "both") and motion is None:
                continue
            answers = assistant.ask_batch([(q, motion, video) for q in (OPEN, choice)], answer_policy="raw")
            named, chosen = (answer.text for answer in answers)
            row = {"film": film.name, "group": film.row["group"], "split": film.row["split"], "cell": cell}
            right = participle(label) == chosen.rstrip(".").lower() or set(stems(label)) <= set(stems(chosen))
            rows.append({**row, "label": label, "open": named, "grade": grade(label, named)})
            rows[-1] |= {"asked": choice, "chosen": chosen, "right": float(right)}
    return rows


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Write the cells of each split as a Markdown table, with the joint gain."""
    lines = ["| films | measure | motion | video | both | neither | joint gain |", "|---|---|---|---|---|---|---|"]
    for split in sorted({row["split"] for row in rows}):
        here = [row for row in rows if row["split"] == split]
        whole = {r["film"] for r in here if r["cell"] == "both"}
        here = [row for row in here if row["film"] in whole]
        for measure, name in (("grade", "named, half right counts .5"), ("right", "chosen of four")):
            by = {cell: {r["film"]: r[measure] for r in here if r["cell"] == cell} for cell in CELLS}
            groups = [next(r["group"] for r in here if r["film"] == film) for film in by["both"]]
            single = max(("motion", "video"), key=lambda cell: sum(by[cell].values()))
            gain = [by["both"][film] - by[single][film] for film in by["both"]]
            cells = [_share(list(by[cell].values()), groups) for cell in CELLS]
            lines.append(f"| {split} ({len(whole)}) | {name} | {' | '.join(cells)} | {_share(gain, groups)} |")
    return "\n".join(lines)


def _share(values: Iterable[float], groups: Sequence[str]) -> str:
    values = list(values)
    low, high = bootstrap_interval(values, groups)
    return f"{np.mean(values):.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Ask, or read answers that were written, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("answers", nargs="?", type=Path, help="answers written by -o; asks nothing")
    parser.add_argument("--root", help="folder of the recordings")
    parser.add_argument("-m", "--model", default=None)
    parser.add_argument("--splits", nargs="+", default=["test", "val"], choices=("test", "val"))
    parser.add_argument("--frames", action="store_true", help="in cell both, keep the tokens of frames in the prompt")
    parser.add_argument("-o", "--output", type=Path, help="write the answers, a JSON line each")
    args = parser.parse_args()
    if args.answers:
        rows = [json.loads(line) for line in args.answers.read_text("utf-8").splitlines()]
    else:
        import vimonet

        folder = poses_folder()
        assert folder is not None, "set VIMONET_FILM_POSES"
        every = read_films(args.root, folder)
        films = [f for f in every if f.row["split"] in args.splits and f.parts and f.row["label"] != NOBODY]
        assistant = vimonet.load(args.model)
        assistant.config.frames_beside_motion |= args.frames
        rows = ask(assistant, films)
    if args.output:
        args.output.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
