#!/usr/bin/env bash
# Everything from recordings to the shipped nano and its scores. Two CPU cores: about 1 h 40; a GPU is used where there is one.
#   bash configs/nano/run.sh [seed]
# An interrupted run goes on where it stopped: every stage resumes from its checkpoints, a finished one is left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."
seed=${1:-0}

stage() { # stage OUTPUT NAME [key=value ...]
    local output=$1 name=$2
    shift 2
    [ -f "$output/training.json" ] || vimonet train "$name" --config "configs/nano/$name.yaml" output="$output" "$@"
}

stage runs/nano/tokenizer tokenizer
stage runs/nano/language language
stage "runs/nano/align-s$seed" align seed="$seed"
stage "runs/nano/instruct-s$seed" instruct seed="$seed" model="runs/nano/align-s$seed"
# A second, longer cycle of the same stage with smaller steps: order and sequences are learnt late.
stage "runs/nano/final-s$seed" instruct seed="$seed" model="runs/nano/instruct-s$seed" \
    schedule.batch_size=16 schedule.steps=3000 schedule.warmup=0.02 schedule.save_every=600 schedule.eval_every=1200 \
    learning_rate.language_model=8.0e-4 learning_rate.translators=8.0e-4 learning_rate.motion_tower=4.0e-4
python -m vimonet.bench.calibration "runs/nano/final-s$seed"
vimonet eval --config configs/nano/eval.yaml model="[runs/nano/final-s$seed]"
