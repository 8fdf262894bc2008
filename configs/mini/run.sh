#!/usr/bin/env bash
# Train mini: two stages over a pretrained language model and image tower (vimonet fetch mini), with nano's motion towers.
# VIMONET_DATA names the folder of the recordings, VIMONET_FILM_POSES that of the films' keypoints.
# The first run takes some 80 minutes on two CPU cores, the second as long on one; the same commands use a GPU where there is one.
set -euo pipefail
vimonet data build research/vimos_open/builder.py -o data/vimos-open --count 5000 --val 80 --no-test
vimonet compose --llm smollm2-135m-instruct --video efficientnet-lite0 --video-projector attentive --video-tokens 16 \
  --motion-towers nano --projector mlp --projector-time --context actions facts seen --dtype float32 -o runs/mini/base
vimonet train align-tokens --config configs/mini/align-tokens.yaml
python -m research.mini.train_actions -o runs/mini/tokens/action_network
python -m research.mini.train_reader --dataset data/vimos-open -o runs/mini/reader
python -m research.mini.train_matcher --reader runs/mini/reader # research.mini.yes_no_weights fits its weight at the end
vimonet train instruct --config configs/mini/instruct.yaml
# A second run from where the first one ended, at a lower rate: research/mini says what it gains.
vimonet train instruct --config configs/mini/instruct.yaml lora.start=runs/mini/instruct output=runs/mini/again seed=1 \
  trainer.steps=300 optim.lr.language_model=6e-4 optim.lr.projectors=2e-4 objective.context_dropout=0.1
python scripts/ship_adapter.py runs/mini/again --base runs/mini/tokens -o src/vimonet/weights/mini
