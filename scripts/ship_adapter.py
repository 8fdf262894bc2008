"""Write the shipped form of an adapter: float16 tensors, its description and the settings of the joined model.

    python scripts/ship_adapter.py runs/mini/instruct --base runs/mini/tokens -o src/vimonet/weights/mini

The layers of its question reader, with its matcher, and its action network go with it. ``settings.json`` holds the
fields of the model's config that training and calibration set, and the sha256 of what was trained, which name the
folder that ``vimonet fetch mini`` joins.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from vimonet.model.action_network import FOLDER as NETWORK
from vimonet.model.conversion.mini_model import ADAPTER, BESIDE, beside_sha256
from vimonet.model.question_reader import FOLDER as READER

_DEFAULTS = {
    "confidence_temperature": 1.0,
    "abstention_thresholds": {"action": 0.0, "caption": 0.0, "keypoints_2d": 0.0},
    "answer_policy": "calibrated",
    "yes_no_weights": [1.0, 1.0],
}


def main() -> None:
    """Write the shipped form."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("adapter", type=Path, help="output of stage instruct, or one of its checkpoints")
    parser.add_argument("--base", type=Path, required=True, help="the model that it adapts")
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="DIR", help="folder of the shipped form")
    parser.add_argument("--reader", type=Path, metavar="DIR", help="question reader of a checkpoint, which holds none")
    parser.add_argument("--network", type=Path, metavar="DIR", help="action network of a checkpoint, which holds none")
    parser.add_argument("--set", nargs="*", default=[], metavar="FIELD=JSON", help="settings that calibration found")
    args = parser.parse_args()
    for folder in (args.reader, args.network):
        if folder is not None and not folder.is_dir():
            parser.error(f"{folder}: no such folder")
    args.output.mkdir(parents=True, exist_ok=True)
    state = load_file(args.adapter / ADAPTER)
    half = {name: value.to(torch.float16).contiguous() for name, value in state.items()}
    save_file(half, args.output / ADAPTER, metadata={"format": "pt"})
    described = json.loads((args.adapter / "adapter_config.json").read_text("utf-8"))
    described["base_model_name_or_path"] = "joined by 'vimonet fetch mini'"
    described["inference_mode"] = True
    (args.output / "adapter_config.json").write_text(json.dumps(described, indent=2) + "\n", "utf-8")
    config = json.loads((args.base / "config.json").read_text("utf-8"))
    settings = {
        **{name: config.get(name, default) for name, default in _DEFAULTS.items()},
        "context": config["context"],
        "action_phrases": config["action_phrases"],
    }
    for item in args.set:
        name, _, value = item.partition("=")
        settings[name] = json.loads(value)
    settings["adapter_sha256"] = hashlib.sha256((args.output / ADAPTER).read_bytes()).hexdigest()
    beside = {"reader": args.reader or args.adapter / READER, "network": args.network or args.adapter / NETWORK}
    for part, folder in beside.items():
        for name in BESIDE[part]:
            (args.output / name).unlink(missing_ok=True)
            if (folder / name).is_file():
                shutil.copyfile(folder / name, args.output / name)
        if (digest := beside_sha256(args.output, part)) is not None:
            settings[f"{part}_sha256"] = digest
    (args.output / "settings.json").write_text(json.dumps(settings, indent=1) + "\n", "utf-8")
    for name in ("training.json", "loss_curve.png"):
        if (args.adapter / name).is_file():
            shutil.copyfile(args.adapter / name, args.output / name)
    size = sum(file.stat().st_size for file in args.output.iterdir())
    print(f"{args.output}: {len(half)} tensors, {size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
