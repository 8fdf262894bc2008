#!/usr/bin/env bash
# Train mini: two stages over a pretrained language model and image tower (vimonet fetch mini), with nano's motion towers.
# VIMONET_DATA names the folder of the recordings, VIMONET_FILM_POSES that of the films' keypoints.
# It takes some 80 minutes on two CPU cores; the same commands use a GPU where there is one.
set -euo pipefail
vimonet data build research/vimos_open/builder.py -o data/vimos-open --count 5000 --val 80 --no-test
vimonet compose --llm smollm2-135m-instruct --video efficientnet-lite0 --video-projector attentive --video-tokens 16 \
  --motion-towers nano --projector mlp --projector-time --context actions facts seen --dtype float32 -o runs/mini/base
vimonet train align-tokens --config configs/mini/align-tokens.yaml
vimonet train instruct --config configs/mini/instruct.yaml
python scripts/ship_adapter.py runs/mini/instruct --base runs/mini/tokens -o src/vimonet/weights/mini
