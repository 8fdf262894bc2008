#!/usr/bin/env bash
# Train nano from recordings to shipped weights and scores. Two CPU cores: about four hours for one seed, an hour and a
# half for each further one; a GPU is used if present.
#   VIMONET_DATA=DIR bash configs/nano/run.sh [seed ...]
# VIMONET_DATA names the folder of the recordings (research/vimos_open/README.md).
# An interrupted run resumes: dataset and stages continue, finished ones are skipped.
#
# Stage 2 is warm-up, a long phase at a constant rate, and a decay (WSD, arXiv 2405.18392). Seeds share the long phase and
# differ in the decay, so their spread is a lower bound of the spread of independent seeds.
set -euo pipefail
: "${VIMONET_DATA:?name the folder of the recordings in VIMONET_DATA; research/vimos_open/README.md says how it is laid out}"
VIMONET_DATA=$(realpath "$VIMONET_DATA") && export VIMONET_DATA
cd "$(dirname "$0")/../.."
seeds=("${@:-0}")
[ $# -gt 0 ] || seeds=(0 1 2)
compile=false
[ -z "$(command -v g++)" ] || compile=true

stage() { # stage OUTPUT NAME [key=value ...]
    local output=$1 name=$2
    shift 2
    [ -f "$output/training.json" ] ||
        vimonet train "${name/keypoints/instruct}" --config "configs/nano/$name.yaml" output="$output" "$@"
}

vimonet data build research/vimos_open/builder.py --output data/vimos-open --count 60000
python -m research.vimos_open.kit_captions --output data/kit-captions.txt
stage runs/nano/tokenizer motion-tokenizer
stage runs/nano/language pretrain-lm trainer.compile=$compile
stage runs/nano/align align trainer.compile=$compile
stage runs/nano/trunk instruct trainer.compile=$compile model=runs/nano/align \
    trainer.steps=13800 optim.decay=constant optim.warmup=100
models=()
for seed in "${seeds[@]}"; do
    stage "runs/nano/final-s$seed" instruct trainer.compile=$compile seed="$seed" model=runs/nano/trunk \
        trainer.steps=2500 optim.decay=linear optim.warmup=0
    # Lift 2D keypoints to 3D movement; answers about 3D motion do not change.
    stage "runs/nano/lift-s$seed" lift-keypoints seed="$seed" model="runs/nano/final-s$seed"
    stage "runs/nano/keypoints-s$seed" keypoints trainer.compile=$compile seed="$seed" model="runs/nano/lift-s$seed"
    python -m scripts.fit_abstention_thresholds "runs/nano/keypoints-s$seed" data/vimos-open
    models+=("runs/nano/keypoints-s$seed")
done
stage runs/nano/evaluator text-motion-retrieval
# Ship the measured weights: python -m scripts.export_fp16 runs/nano/keypoints-s0 src/vimonet/weights/nano
vimonet bench run --dataset data/vimos-open -m "${models[@]}" --output runs/nano/bench
