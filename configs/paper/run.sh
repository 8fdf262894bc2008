#!/usr/bin/env bash
# The paper's model from released weights to its answers: Vicuna-7B v1.5, LanguageBind and T2M-GPT's VQ-VAE.
#   bash configs/paper/run.sh T2M_GPT_FOLDER [accelerate options ...]
# T2M_GPT_FOLDER holds net_last.pth, mean.npy and std.npy as its authors publish them; the other two come from the hub.
# With options, training runs under accelerate: --config_file configs/accelerate/gpu.yaml --num_processes 8
# An interrupted run resumes from its last checkpoint.
set -euo pipefail
cd "$(dirname "$0")/../.."
released=$1
shift
train=(vimonet train)
[ $# -eq 0 ] || train=(accelerate launch "$@" -m vimonet train)

[ -d runs/t2m-gpt ] || vimonet convert t2m-gpt "$released/net_last.pth" --mean "$released/mean.npy" --std "$released/std.npy" -o runs/t2m-gpt
[ -d runs/paper/composed ] || vimonet compose --llm lmsys/vicuna-7b-v1.5 --video LanguageBind/LanguageBind_Video_merge --motion-tokenizer runs/t2m-gpt --projector linear --video-projector mlp --video-pooling none --dtype bfloat16 -o runs/paper/composed
[ -d runs/paper/align ] || "${train[@]}" align --config configs/paper/align.yaml
[ -d runs/paper/instruct ] || "${train[@]}" instruct --config configs/paper/instruct.yaml
