#!/usr/bin/env bash
# Everything from recordings to the shipped nano and its scores. Two CPU cores: about 2 h 30 for three seeds; a GPU is used
# where there is one.
#   bash configs/nano/run.sh [seed ...]
# An interrupted run goes on where it stopped: the dataset and every stage resume, what is finished is left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=("${@:-0}")
[ $# -gt 0 ] || seeds=(0 1 2)

stage() { # stage OUTPUT NAME [key=value ...]
    local output=$1 name=$2
    shift 2
    [ -f "$output/training.json" ] || vimonet train "$name" --config "configs/nano/$name.yaml" output="$output" "$@"
}

vimonet data build open --out data/vimos-open
stage runs/nano/tokenizer tokenizer
stage runs/nano/language language
models=()
for seed in "${seeds[@]}"; do
    stage "runs/nano/align-s$seed" align seed="$seed"
    stage "runs/nano/instruct-s$seed" instruct seed="$seed" model="runs/nano/align-s$seed"
    python -m vimonet.bench.calibration "runs/nano/instruct-s$seed"
    models+=("runs/nano/instruct-s$seed")
done
vimonet eval --config configs/nano/eval.yaml model="[$(IFS=,; echo "${models[*]}")]"
