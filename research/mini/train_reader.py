"""Train the question reader: a tuned sentence encoder and two linear layers tell what a question asks.

    python -m research.mini.train_reader --dataset data/vimos-open -o runs/mini/reader [--trial]

Every wording that training draws from is filled with words of the dataset, an action by any of its names, and half of
the questions are given the lead-ins and typing errors of `as_written`. Wordings are dealt into folds by their hash. The
layers of a fold learn from the others on the untuned encoder (`vimonet.training.data.question_readings`); what ships
learns from all, layers and encoder together. The table says how often layers are right about wordings that they did not
learn from. ``--trial`` says so of the tuned encoder, and writes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from safetensors.torch import save_file
from torch import Tensor
from tqdm import tqdm

from vimonet.model.conversion.mini_model import ENCODER
from vimonet.model.question_reader import HEADS, NAMES, SCALE, WEIGHTS, embed, open_encoder, vectors_of, write_encoder
from vimonet.model.weight_files import new_folder
from vimonet.training.data.question_readings import FOLDS, UNTUNED
from vimonet.training.data.vimos_dataset import VimosDataset, training_samples
from vimonet.utils.errors import InputError
from vimonet.vimos.action_labels import participle
from vimonet.vimos.action_names import renamed
from vimonet.vimos.wordings import WHO, WORDINGS, as_written, read_people
from vimonet.weights import part_source

PLAIN = Path(__file__).with_name("plain.yaml")
"""Plain question of each form."""
COUNT = 4  # folds
FILLED = 3  # questions made of a wording that has a place for words
SMOOTHING = 0.05  # of the labels: a reading should not be surer than it is right
STEPS, BATCH, RATE, DECAY = 2000, 256, 0.02, 0.1
RANK, EPOCHS, TUNE_BATCH, TUNE_RATE, LAYER_RATE = 32, 1, 64, 2e-4, 5e-3
TUNED = r"encoder\..*\.(query|key|value|dense)"
"""Linear layers of the encoder that are tuned."""

_PARAPHRASES = {"": "yes_no", "count": "count", "used_hand": "used_hand", "action": "action", "way": "action_way"}
"""Form of a paraphrase in asks.jsonl -> form of the question."""


class Asked(NamedTuple):
    """Hold a question with what it asks.

    Attributes:
        text: the question.
        plain: plain question of its form; empty for a form that is not said.
        action: action that it names; empty where the plain question names none.
        wording: what it was made of.
    """

    text: str
    plain: str
    action: str
    wording: str


def questions(dataset: VimosDataset, seed: int = 0) -> Iterator[Asked]:
    """Word questions of every form, with what they ask."""
    rng = random.Random(seed)
    plain = yaml.safe_load(PLAIN.read_text("utf-8"))
    paraphrases = read_people("asks")
    named = {participle(action): action for action in (*dataset.actions, *(row["action"] for row in paraphrases))}
    foreign = {row["text"] for row in read_people("wordings") if row["register"] == "foreign"}
    words = _words(dataset)
    for form in WORDINGS:
        for wording in dict.fromkeys((*WORDINGS[form]["seen"], *WORDINGS[form]["people"])):
            if wording in foreign:
                continue
            for _ in range(FILLED if "{" in wording.replace("{who}", "") else 1):
                slots = json.loads(rng.choice(words.get(form, ["{}"])))
                action = slots.get("do") or named.get(slots.get("a", ""), "")
                try:
                    text = wording.format(who=rng.choice(WHO), **renamed(slots, "", rng)[0])
                except KeyError:  # an action without a noun, or no row that asks this
                    continue
                yield _asked(text, plain.get(form, ""), action, wording, form.endswith("yes_no"), rng)
    for row in paraphrases:
        form = _PARAPHRASES[row.get("form", "")]
        yield _asked(row["text"], plain[form], row["action"], row["text"], form == "yes_no", rng)


def _words(dataset: VimosDataset) -> dict[str, list[str]]:
    """List what fills the wordings of each form, as JSON."""
    found: dict[str, set[str]] = {}
    for asked in dataset.questions:
        for form, _, words, _, _ in asked:
            if not isinstance(words, str):
                found.setdefault(form, set()).add(json.dumps(words, sort_keys=True))
    return {form: sorted(texts) for form, texts in found.items()}


def _asked(text: str, plain: str, action: str, wording: str, closed: bool, rng: random.Random) -> Asked:
    if rng.random() < 0.5:
        text = as_written(text, rng, closed=closed)
    return Asked(text, plain, action if "{" in plain else "", wording)


class Examples(NamedTuple):
    """Hold vectors [N, width] with the index of form and action [N] (-1: no action) and the fold [N]."""

    vectors: Tensor
    form: Tensor
    action: Tensor
    fold: Tensor
    forms: list[str]
    actions: list[str]


def examples(asked: list[Asked], vectors: Tensor) -> Examples:
    """Number forms and actions, and deal the wordings into folds."""
    forms, actions = sorted({one.plain for one in asked}), sorted({one.action for one in asked if one.action})
    number = {action: index for index, action in enumerate(actions)}
    dealt = [fold_of(one.wording, COUNT) for one in asked]
    return Examples(
        vectors,
        torch.tensor([forms.index(one.plain) for one in asked]),
        torch.tensor([number.get(one.action, -1) for one in asked]),
        torch.tensor(dealt),
        forms,
        actions,
    )


def fold_of(wording: str, count: int) -> int:
    """Deal a wording into one of `count` folds by its hash."""
    return hashlib.sha256(wording.encode()).digest()[0] % count


def fit(of: Examples, rows: Tensor, steps: int = STEPS) -> torch.nn.Linear:
    """Fit both layers to some rows; they stand in one, forms first."""
    layers = torch.nn.Linear(of.vectors.shape[1], len(of.forms) + len(of.actions))
    optimiser = torch.optim.AdamW(layers.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        drawn = rows[torch.randint(len(rows), (BATCH,))]
        loss = loss_of(layers(SCALE * of.vectors[drawn]), of, drawn)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return layers


def loss_of(scores: Tensor, of: Examples, rows: Tensor) -> Tensor:
    """Compute the cross-entropy of scores [N, forms + actions] of some rows: of the form, and of an action."""
    forms, actions = scores.split((len(of.forms), len(of.actions)), dim=1)
    loss = torch.nn.functional.cross_entropy(forms, of.form[rows], label_smoothing=SMOOTHING)
    if bool((names := of.action[rows] >= 0).any()):
        named = torch.nn.functional.cross_entropy(actions[names], of.action[rows][names], label_smoothing=SMOOTHING)
        loss = loss + named
    return loss


def tune(
    encoder: Any, tokenizer: Any, asked: list[Asked], of: Examples, rows: Tensor, layers: torch.nn.Linear
) -> dict[str, Tensor]:
    """Tune the linear layers inside an encoder, and those on it; questions are in order of length.

    What the weights gain is cut to `RANK` by a singular value decomposition, and the encoder is left with that. LoRA
    (Hu et al., 2022, arXiv 2106.09685) at rank 16 gained less in the same time (research/mini).

    Returns:
        ``<module>.down`` [rank, in] and ``<module>.up`` [out, rank], whose product the module's weight has gained.
    """
    tuned = {name: module.weight for name, module in encoder.named_modules() if re.fullmatch(TUNED, name)}
    before = {name: weight.detach().clone() for name, weight in tuned.items()}
    encoder.requires_grad_(False)
    for weight in tuned.values():
        weight.requires_grad_(True)
    parts = [{"params": list(tuned.values()), "lr": TUNE_RATE}, {"params": list(layers.parameters()), "lr": LAYER_RATE}]
    optimiser = torch.optim.AdamW(parts, weight_decay=0.01)
    batches = [part for _ in range(EPOCHS) for part in _shuffled(list(rows.split(TUNE_BATCH)))]
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [TUNE_RATE, LAYER_RATE], len(batches), pct_start=0.05, cycle_momentum=False
    )
    for part in tqdm(batches, desc="tune"):
        with torch.autocast("cpu", torch.bfloat16):
            vectors = vectors_of(encoder, tokenizer, [asked[i].text for i in part.tolist()])
        loss = loss_of(layers(SCALE * vectors.float()), of, part)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    found: dict[str, Tensor] = {}
    for name, weight in tuned.items():
        weight.requires_grad_(False)
        up, size, down = torch.linalg.svd(weight - before[name], full_matrices=False)
        found[f"{name}.up"], found[f"{name}.down"] = _half(up[:, :RANK] * size[:RANK]), _half(down[:RANK])
        weight.copy_(before[name] + found[f"{name}.up"].float() @ found[f"{name}.down"].float())
    return found


def _shuffled(parts: list[Tensor]) -> list[Tensor]:
    return [parts[i] for i in torch.randperm(len(parts)).tolist()]


@torch.inference_mode()
def right(of: Examples, layers: torch.nn.Linear, rows: Tensor) -> tuple[float, float, float]:
    """Compute the share of rows whose form is right, whose action is, and whose action is among the first three."""
    scores, count = layers(SCALE * of.vectors[rows]), len(of.forms)
    names = of.action[rows] >= 0
    among = scores[names, count:].topk(min(3, len(of.actions))).indices == of.action[rows][names, None]
    form = (scores[:, :count].argmax(1) == of.form[rows]).float().mean()
    return float(form), float(among[:, 0].float().mean()), float(among.any(1).float().mean())


def save(
    folder: Path,
    encoder: Path,
    of: Examples,
    layers: torch.nn.Linear,
    tuned: dict[str, Tensor],
    folds: list[torch.nn.Linear],
) -> None:
    """Write the reader with its tuned encoder, and beside it the layers of the folds with the untuned one."""
    with new_folder(folder) as new:
        heads = {"weight": _half(layers.weight), "bias": _half(layers.bias), **tuned}
        save_file(heads, new / HEADS)
        described: dict[str, Any] = {"forms": of.forms, "actions": [[do, participle(do)] for do in of.actions]}
        (new / NAMES).write_text(json.dumps(described) + "\n", "utf-8")
        write_encoder(new, encoder, heads)
        shutil.copyfile(encoder / WEIGHTS, new / UNTUNED)
        stacked = {name: _half(torch.stack([getattr(one, name) for one in folds])) for name in ("weight", "bias")}
        save_file({**stacked, "vectors": _half(of.vectors), "fold": of.fold.to(torch.int16)}, new / FOLDS)


def _half(values: Tensor) -> Tensor:
    return values.detach().to(torch.float16).contiguous()


def main() -> None:
    """Train a reader and write it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", default="data/vimos-open", metavar="DIR", help="VIMOS dataset")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/mini/reader"), metavar="DIR")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--trial", action="store_true", help="tune without fold 0, say how often it is read right, and end"
    )
    args = parser.parse_args()
    if args.output.exists() and not args.trial:
        raise InputError(f"{args.output} exists; name another folder with -o.")
    torch.manual_seed(args.seed)
    asked = sorted(questions(training_samples(args.dataset), args.seed), key=lambda one: len(one.text))
    encoder, tokenizer = open_encoder(folder := Path(part_source(ENCODER)))
    of = examples(asked, embedded(encoder, tokenizer, [one.text for one in asked]))
    print("| fold | questions | form right | action right | action among three |\n|---|---|---|---|---|")
    folds = []
    for fold in range(COUNT):
        folds.append(fit(of, (of.fold != fold).nonzero()[:, 0]))
        print(_row(str(fold), of, folds[-1], (of.fold == fold).nonzero()[:, 0]))
    if args.trial:
        tune(encoder, tokenizer, asked, of, (of.fold != 0).nonzero()[:, 0], folds[0])
        held = (of.fold == 0).nonzero()[:, 0]
        of = of._replace(vectors=embedded(encoder, tokenizer, [one.text for one in asked]))
        print(_row("0, tuned", of, folds[0], held))
        return
    layers = fit(of, torch.arange(len(asked)))
    save(args.output, folder, of, layers, tune(encoder, tokenizer, asked, of, torch.arange(len(asked)), layers), folds)
    print(f"{args.output}: {len(of.forms)} forms, {len(of.actions)} actions, {len(asked):,} questions")


def embedded(encoder: Any, tokenizer: Any, texts: Sequence[str]) -> Tensor:
    """Embed texts of like length together, with a progress bar: unit vectors in the order given, [N, width]."""
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors = torch.zeros(len(texts), encoder.config.hidden_size)
    for start in tqdm(range(0, len(order), 128), desc="embed", mininterval=2):
        part = order[start : start + 128]
        vectors[part] = embed(encoder, tokenizer, [texts[i] for i in part])
    return vectors


def _row(name: str, of: Examples, layers: torch.nn.Linear, rows: Tensor) -> str:
    return " | ".join((f"| {name}", f"{len(rows):,}", *(f"{share:.2f}" for share in right(of, layers, rows)))) + " |"


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(f"train_reader: {error}") from None
