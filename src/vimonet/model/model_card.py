"""Write the model card (README.md) of a folder from its training record; a card names unknown fields as unknown."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from vimonet.utils.files import read_object
from vimonet.utils.markdown import code_block, plain_text, table

CARD = "README.md"
RECORD = "training.json"
_WHAT = {
    "pretrain_lm": "A language model, trained on the text of motion questions alone.",
    "motion_tokenizer": "A motion tokenizer: a VQ-VAE (T2M-GPT, arXiv 2301.06052) with the statistics of its features.",
    "align": "A ViMoNet model after stage 1: its projectors are trained, its language model is unchanged.",
    "instruct": "A ViMoNet model that answers questions about movement.",
    "lift_keypoints": "A ViMoNet model whose keypoint tower lifts 2D keypoints to 3D body features.",
    "text_motion_retrieval": "A text-motion encoder, which ranks movements by a sentence.",
    "compose": "Pretrained parts joined by new projectors, which are untrained: its answers are meaningless.",
    "convert": "Released weights of another project, converted to ViMoNet's names.",
}
"""Description of a folder, by the stage or command that wrote it."""
_STAGES = {
    "language": "pretrain_lm",
    "tokenizer": "motion_tokenizer",
    "lift": "lift_keypoints",
    "evaluator": "text_motion_retrieval",
}
_ASKED = {"instruct", "lift_keypoints"}
_SCORES = ("final_loss", "reconstruction", "lifted", "retrieval", "validation_loss")
_COSTS = ("steps", "wall_seconds", "seed", "processes")


def write_card(folder: str | Path, record: Mapping[str, Any] | None = None, *, name: str | None = None) -> Path:
    """Write ``README.md`` into a model's folder.

    Args:
        folder: model folder; the ``adapter_config.json`` of an adapter names the base model.
        record: ``stage`` and, where known, ``command``, ``parts`` (name -> folder or hub id), ``sources`` (a list of
            ``source``, ``licence`` and ``clips``), ``parameters`` (part -> number), scores, ``seed``, ``steps``,
            ``wall_seconds``, ``machine``, ``versions``; None: ``training.json`` of the folder.
        name: title; None: the folder's name.

    Returns:
        The card's path.

    Raises:
        InputError: no record is given and the folder holds none.
    """
    folder = Path(folder)
    if record is None:
        record = read_object(folder / RECORD, "a model card is made from the record of its training")
    stage = _STAGES.get(str(record.get("stage")), str(record.get("stage")))
    base = _base_of(folder)
    parts = {**record.get("parts", {}), **({"base model of the adapter": base} if base else {})}
    sections = [
        f"# {plain_text(name or folder.name)}",
        _WHAT.get(stage, "A model made with ViMoNet."),
        _section("Parts", _table(("Part", "Comes from"), list(parts.items())) if parts else ""),
        _section("Size", _size(record.get("parameters"))),
        _section("How it was made", _made(record)),
        _section("Training data", _data(record, stage)),
        _section("Scores", _scores(record)),
        _section("Use", _use(stage, adapter=base is not None)),
        _section("Not known", _unknown(record, stage)),
    ]
    front = yaml.safe_dump(_front_matter(record, base, parts), sort_keys=False, allow_unicode=True)
    path = folder / CARD
    path.write_text(f"---\n{front}---\n\n" + "\n\n".join(text for text in sections if text) + "\n", encoding="utf-8")
    return path


def _base_of(folder: Path) -> str | None:
    path = folder / "adapter_config.json"
    return json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path") if path.is_file() else None


def _front_matter(record: Mapping[str, Any], base: str | None, parts: Mapping[str, str]) -> dict[str, Any]:
    licences = {str(source.get("licence") or "") for source in record.get("sources", ())}
    known = licences.pop() if len(licences) == 1 else ""
    hub = [name for name in ([base] if base else parts.values()) if name and _is_hub_id(name)]
    return {
        # The hub accepts its own short names only; the table of sources states any other licence.
        "license": known.lower() if known.lower() in ("apache-2.0", "mit", "cc-by-4.0", "cc-by-nc-4.0") else "other",
        "language": "en",
        "library_name": "peft" if base else "transformers",
        "tags": ["vimonet", "human-motion", "motion-capture"],
        **({"base_model": hub} if hub else {}),
    }


def _is_hub_id(name: str) -> bool:
    return name.count("/") == 1 and not name.startswith(("/", ".", "~")) and not Path(name).exists()


def _size(parameters: Mapping[str, int] | int | None) -> str:
    counts = parameters if isinstance(parameters, Mapping) else {"all": parameters} if parameters else {}
    return _table(("Part", "Parameters"), [(name, f"{count:,}") for name, count in counts.items()])


def _made(record: Mapping[str, Any]) -> str:
    rows = [(key.replace("_", " "), str(record[key])) for key in _COSTS if record.get(key) is not None]
    machine = record.get("machine", {})
    rows += [(key, str(machine[key])) for key in ("gpu", "processor", "threads") if machine.get(key)]
    rows += [(f"{key} version", str(value)) for key, value in record.get("versions", {}).items()]
    command = record.get("command")
    return "\n\n".join(
        text for text in (code_block(str(command), "bash") if command else "", _table(("", ""), rows)) if text
    )


def _data(record: Mapping[str, Any], stage: str) -> str:
    sources = record.get("sources")
    if not sources:
        return "None." if stage in ("compose", "convert") else ""
    rows = [(row["source"], row.get("licence") or "not stated", f"{row.get('clips', 0):,}") for row in sources]
    return _table(("Source", "Licence as stated", "Clips"), rows)


def _scores(record: Mapping[str, Any]) -> str:
    rows: list[tuple[str, str]] = []
    for key in _SCORES:
        value = record.get(key)
        entries = value.items() if isinstance(value, Mapping) else [("", value)]
        rows += [(f"{key} {name}".strip().replace("_", " "), _number(v)) for name, v in entries if v is not None]
    return _table(("Score", "Value"), rows)


def _use(stage: str, *, adapter: bool) -> str:
    if stage not in _ASKED:
        return ""
    load = 'import vimonet\n\nmodel = vimonet.load("OWNER/NAME")  # or this folder\n'
    merged = "The adapter is merged into its base model on loading.\n\n" if adapter else ""
    return f'{merged}```python\n{load}print(model.ask("Which arm is raised?", motion="walk.bvh").text)\n```'


def _unknown(record: Mapping[str, Any], stage: str) -> str:
    lacking = []
    if stage not in ("compose", "convert"):
        lacking += [] if record.get("sources") else ["sources and licences of its training data"]
        lacking += [] if _scores(record) else ["scores"]
    lacking += [] if record.get("command") else ["the command that made it"]
    lacking.append("bias, and behaviour on people and movements outside its training data")
    if stage == "convert":
        lacking.append("the licence of the converted weights; their authors state it")
    return "\n".join(f"- {item}" for item in lacking)


def _section(title: str, text: str) -> str:
    return f"## {title}\n\n{text}" if text else ""


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    if not rows:
        return ""
    return table(head, rows)


def _number(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
