#!/usr/bin/env bash
# The fusion experiment from recordings to table (docs/fusion.md): rendered pairs, one video tower, a language model that looks
# things up, four arms of three seeds, all asked with the motion, the video, both and neither. A GPU is used where there is one.
#   bash configs/fusion/run.sh [seed ...]
#   JOBS=2 bash configs/fusion/run.sh         # two arms at a time
# An interrupted run goes on with the step it was in; what is finished is left alone.
#
# Seeds share what lies before the films and differ in the order and draws of these: their spread is a lower bound of what
# other seeds would give.
set -euo pipefail
cd "$(dirname "$0")/../.."
seeds=("$@")
[ $# -gt 0 ] || seeds=(0 1 2)
arms=(motion video unpaired paired)
config=configs/fusion/instruct.yaml
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"

train() { # train ARM
    local arm=$1 streams=$1 long=runs/fusion/$1-long end=runs/fusion/$1
    [ "$arm" = paired ] && streams=all end=runs/fusion/paired-end
    python configs/fusion/stretch.py "$config" "$long" --arm "$arm"
    python configs/fusion/stretch.py "$config" "$end" --arm "$arm" --start "$long" \
        --steps 600 --seed 1 --falling --asked 3 3 3 --films 0.3
    # Joining costs the movement something: this arm is asked more about it before the films.
    [ "$arm" != paired ] || python configs/fusion/stretch.py "$config" runs/fusion/paired --arm paired --start "$end" \
        --steps 300 --seed 2 --falling --rate 5e-4 --asked 2 5 2 --films 0.3
    for seed in "${seeds[@]}"; do
        local output="runs/fusion/$arm-s$seed"
        [ -f "$output/training.json" ] || vimonet train instruct --config "$config" model="runs/fusion/$arm" \
            data.streams="$streams" seed="$seed" output="$output"
    done
}

vimonet data build open --root "${VIMONET_DATA:?name the folder of the recordings}" --out data/vimos-open --count 60000
vimonet data build paired --root "$VIMONET_DATA" --out data/vimos-paired --count 3000
python configs/fusion/tower.py data/vimos-paired runs/fusion/tower
python configs/fusion/lookup.py "$config" runs/fusion/reader
python configs/fusion/align.py "$config" runs/fusion/start
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
# What is shipped: python -m vimonet.training.export_fp16 runs/fusion/paired-s0 src/vimonet/weights/nano-paired --without keypoint
