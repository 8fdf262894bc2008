"""Join `mini` in the cache: its pretrained parts, the motion towers of nano, and the adapter that the package carries.

The package ships what was trained (LoRA adapters, projectors, layers of the question reader, action network;
`weights/mini`). Language model, image tower and sentence encoder come from their own packages (`pretrained_parts`).
Joined, they are one model folder, which loads without PEFT.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from pathlib import Path
from typing import Any, Final

from vimonet.model.action_matching import FILE as MATCHER
from vimonet.model.action_network import DESCRIPTION, copy_network
from vimonet.model.action_network import WEIGHTS as WEIGHTS_FILE
from vimonet.model.build import compose
from vimonet.model.conversion.pretrained_parts import Fetched, is_whole, write_sums
from vimonet.model.hub import load_pretrained
from vimonet.model.question_reader import HEADS, NAMES, join_reader
from vimonet.model.weight_files import new_folder
from vimonet.utils.errors import InputError
from vimonet.utils.files import read_object
from vimonet.utils.locks import turn_of
from vimonet.weights import MINI, WEIGHTS, mini_folder, model_source, part_source

RECIPE: Final[dict[str, Any]] = {
    "llm": "smollm2-135m-instruct",
    "video": "efficientnet-lite0",
    "dtype": "float32",
    "projector": "mlp",
    "projector_time": True,
    "video_projector": "attentive",
    "video_tokens": 16,
}
"""Arguments of `compose` beside nano's motion towers, as in configs/mini/run.sh."""

ADAPTER: Final = "adapter_model.safetensors"
ENCODER: Final = "all-minilm-l6-v2"
"""Part whose vectors the question reader's layers read."""

_SETTINGS = (
    *("context", "action_phrases", "confidence_temperature", "abstention_thresholds", "answer_policy"),
    "yes_no_weights",
)
"""Fields of the config that training and calibration set."""


BESIDE: Final = {"reader": (HEADS, NAMES, MATCHER), "network": (WEIGHTS_FILE, DESCRIPTION)}
"""Parts beside the adapter, and their files; those that are there have one sha256 in ``settings.json``."""


def beside_sha256(folder: Path, part: str) -> str | None:
    """Hash the files of a part that are in a folder, in order; None without any."""
    there = [folder / name for name in BESIDE[part] if (folder / name).is_file()]
    return hashlib.sha256(b"".join(file.read_bytes() for file in there)).hexdigest() if there else None


def _check_beside(adapter: Path, settings: dict[str, Any]) -> None:
    for part in BESIDE:
        if beside_sha256(adapter, part) != settings.get(f"{part}_sha256"):
            raise InputError(f"{adapter}: the {part} is not that of settings.json; install vimonet again.")


def join_mini(adapter: Path = WEIGHTS / MINI) -> Fetched:
    """Join mini in the cache; a folder that is there, whole and of this adapter stays.

    Args:
        adapter: folder with the adapter, its ``adapter_config.json`` and ``settings.json``.

    Raises:
        InputError: a part is not fetched, or the adapter does not fit.
    """
    import torch
    from peft import PeftModel

    start, folder = time.monotonic(), mini_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with turn_of(folder):
        made = not is_whole(folder)
        if made:
            shutil.rmtree(folder, ignore_errors=True)
            settings = read_object(adapter / "settings.json", "install vimonet again")
            _check_beside(adapter, settings)
            composed = compose(motion_towers=load_pretrained(model_source("nano")), **RECIPE)
            for name in _SETTINGS:
                setattr(composed.model.config, name, settings[name])
            composed.model.config.compares = bool(settings.get("compares", False))
            try:
                model: Any = PeftModel.from_pretrained(composed.model, str(adapter)).merge_and_unload()
            except (RuntimeError, ValueError) as error:
                raise InputError(f"{adapter / ADAPTER}: does not fit its parts ({error}).") from None
            state = {
                name: value.to(torch.bfloat16) if value.is_floating_point() else value
                for name, value in model.state_dict().items()
            }
            model.config.language_dtype, model.config.confidence = "bfloat16", "least"
            # Films of sources that taught nothing: named .24 from keypoints, .01 with the frames' tokens beside them
            # (research/film_cells).
            model.config.frames_beside_motion = False
            with new_folder(folder) as new:
                model.save_pretrained(new, state_dict=state)
                composed.processor.save_pretrained(new)
                if (adapter / HEADS).is_file():
                    join_reader(new, Path(part_source(ENCODER)), adapter)
                if (adapter / DESCRIPTION).is_file():
                    copy_network(new, adapter)
                shutil.copyfile(adapter / "README.md", new / "README.md")
                write_sums(new)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return Fetched(MINI, folder, size, time.monotonic() - start, made)
