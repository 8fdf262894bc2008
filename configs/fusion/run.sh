#!/usr/bin/env bash
# The fusion experiment from recordings to table (docs/fusion.md): rendered pairs, one video tower, four arms of three seeds,
# all asked with the motion, the video, both and neither. A GPU is used where there is one.
# Not carried through yet: docs/fusion.md says how far it was tried, and what is missing.
#   bash configs/fusion/run.sh [seed ...]
#   JOBS=2 bash configs/fusion/run.sh         # two arms at a time
# An interrupted run goes on where it stopped, and what is finished is left alone.
#
# An arm is a long stretch at one rate and a decay per seed (WSD, arXiv 2405.18392), as in configs/nano/run.sh: seeds differ in
# the order and draws of the decay, so that their spread is a lower bound of what other seeds would give. WHOLE=1 trains
# every seed from the beginning instead.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=("$@")
[ $# -gt 0 ] || seeds=(0 1 2)
arms=(motion video unpaired paired)
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"
compile=false
[ -z "$(command -v g++)" ] || compile=true

stage() { # stage OUTPUT [key=value ...]
    local output=$1
    shift
    [ -f "$output/training.json" ] || vimonet train instruct --config configs/fusion/instruct.yaml output="$output" "$@"
}

train() { # train ARM
    local arm=$1 own=()
    case $arm in
        paired) own=(data.streams=all) ;;
        *) own=(data.streams="$arm") ;;
    esac
    [ -n "${WHOLE:-}" ] || stage "runs/fusion/$arm" "${own[@]}" schedule.compile=$compile
    for seed in "${seeds[@]}"; do
        local begin="runs/fusion/$arm"
        if [ -n "${WHOLE:-}" ]; then
            begin="runs/fusion/$arm-long$seed"
            stage "$begin" "${own[@]}" seed="$seed" schedule.compile=$compile
        fi
        stage "runs/fusion/$arm-s$seed" "${own[@]}" seed="$seed" model="$begin" schedule.decay=linear \
            schedule.warmup=0 schedule.steps=100
    done
}

vimonet data build paired --out data/vimos-paired --count 3000
python configs/fusion/tower.py data/vimos-paired runs/fusion/tower
python configs/fusion/align.py configs/fusion/instruct.yaml runs/fusion/start
for arm in "${arms[@]}"; do
    train "$arm" &
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-1}" ]; do wait -n; done
done
wait
options=()
for arm in "${arms[@]}"; do
    options+=(--arm "$arm" "${seeds[@]/#/runs/fusion/$arm-s}")
done
vimonet bench fusion --dataset data/vimos-paired -o runs/fusion/table "${options[@]}"
