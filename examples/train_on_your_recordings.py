"""Train on recordings of your own: build a dataset from a folder, tune nano for a few steps, ask the result.

python examples/train_on_your_recordings.py [FOLDER] [STEPS]

A folder of BVH files is enough; without one the embedded recordings are used. Real tuning takes thousands of steps
(docs/training.md).
"""

import shutil
import sys
from pathlib import Path

import vimonet
from vimonet.cli import main
from vimonet.samples import list_samples, sample_path
from vimonet.weights import model_source

recordings = Path(sys.argv[1]) if len(sys.argv) > 1 else Path("recordings")
steps = sys.argv[2] if len(sys.argv) > 2 else "2"
if len(sys.argv) < 2:
    recordings.mkdir(exist_ok=True)
    for name in list_samples():
        if sample_path(name).suffix == ".bvh":
            shutil.copy(sample_path(name), recordings)

main(["data", "build", "folder", "--root", str(recordings), "-o", "data/mine", "--workers", "0", "--overwrite"])
Path("tune.yaml").write_text(
    f"""\
output: runs/mine
overwrite: true
model: {model_source()}
data: {{dataset: data/mine, split: train}}
validation: {{}}
optim:
  lr: {{motion_tower: 0.0, keypoint_tower: 0.0, projectors: 1.0e-4, language_model: 1.0e-4}}
trainer: {{steps: {steps}, batch_size: 4, log_every: 1, save_every: 1, eval_every: 0}}
"""
)
if main(["train", "instruct", "--config", "tune.yaml"]) != 0:
    sys.exit("training failed")
answer = vimonet.load("runs/mine").ask("Which way does the person turn?", motion="sample:turn_left")
print(f"answer after training: {answer.text}")
