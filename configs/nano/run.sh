#!/usr/bin/env bash
# Everything from recordings to the shipped nano and its scores. Two CPU cores: about 1 h 40; a GPU is used where there is one.
#   bash configs/nano/run.sh
# An interrupted run goes on where it stopped: every stage resumes from its checkpoints, a finished one is left alone.
set -euo pipefail
cd "$(dirname "$0")/../.."

stage() { # stage OUTPUT NAME [key=value ...]
    local output=$1 name=$2
    shift 2
    [ -f "$output/training.json" ] || vimonet train "$name" --config "configs/nano/$name.yaml" output="$output" "$@"
}

stage runs/nano/tokenizer tokenizer
stage runs/nano/language language
for seed in 0 1 2; do
    stage "runs/nano/align-s$seed" align seed="$seed"
    stage "runs/nano/instruct-s$seed" instruct seed="$seed" model="runs/nano/align-s$seed"
    python -m vimonet.bench.calibration "runs/nano/instruct-s$seed"
done
vimonet eval --config configs/nano/eval.yaml
