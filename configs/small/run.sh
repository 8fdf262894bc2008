#!/usr/bin/env bash
# A model meant for one GPU of 24 GB: Qwen2.5-1.5B and SigLIP2 from the hub, the motion tokenizer trained here on the same data.
#   bash configs/small/run.sh
# An interrupted run resumes from its last checkpoint.
set -euo pipefail
cd "$(dirname "$0")/../.."

[ -d runs/small/tokenizer ] || vimonet train motion-tokenizer --config configs/nano/motion-tokenizer.yaml output=runs/small/tokenizer data.dataset=data/mine
[ -d runs/small/composed ] || vimonet compose --llm Qwen/Qwen2.5-1.5B-Instruct --video google/siglip2-base-patch16-224 --motion-tokenizer runs/small/tokenizer --projector mlp --dtype bfloat16 -o runs/small/composed
[ -d runs/small/align ] || vimonet train align --config configs/small/align.yaml
[ -d runs/small/instruct ] || vimonet train instruct --config configs/small/instruct.yaml
