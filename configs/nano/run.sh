#!/usr/bin/env bash
# Everything from recordings to the shipped nano and its scores. Two CPU cores: about 1 h 10 a seed, and half an hour for what they share; a GPU is used
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
    # Further cycles of the same stage: order and sequences are learnt late.
    stage "runs/nano/second-s$seed" instruct seed="$seed" model="runs/nano/instruct-s$seed" \
        schedule.steps=2700 schedule.warmup=0.02
    stage "runs/nano/final-s$seed" instruct seed="$seed" model="runs/nano/second-s$seed" \
        schedule.steps=1500 schedule.warmup=0.02 learning_rate.language_model=7.0e-4 learning_rate.translators=7.0e-4
    python -m vimonet.bench.calibration "runs/nano/final-s$seed"
    models+=("runs/nano/final-s$seed")
done
stage runs/nano/evaluator evaluator
# What is shipped is what is measured: python -m vimonet.training.ship runs/nano/final-s0 src/vimonet/weights/nano
vimonet eval --config configs/nano/eval.yaml model="[$(IFS=,; echo "${models[*]}")]"
