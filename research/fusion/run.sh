#!/usr/bin/env bash
# Run the fusion experiment from recordings to table (README.md): rendered pairs, one video tower, a language model that looks
# things up, four arms of three seeds, each asked with the motion, the video, both and neither. Uses a GPU where there is one.
#   VIMONET_DATA=RECORDINGS bash research/fusion/run.sh [seed ...]
#   JOBS=2 bash research/fusion/run.sh        # two arms at a time
# An interrupted run goes on with the step it was in and leaves alone what is finished.
#
# Seeds share what lies before the films and differ in the order and draws of these: their spread is a lower bound of what
# other seeds would give.
set -euo pipefail
: "${VIMONET_DATA:?name the folder of the recordings in VIMONET_DATA; research/vimos_open/README.md says how it is laid out}"
VIMONET_DATA=$(realpath "$VIMONET_DATA") && export VIMONET_DATA
cd "$(dirname "$0")/../.."
python -c "import panda3d" 2>/dev/null || python -m pip install "panda3d>=1.10.15"
seeds=("$@")
[ $# -gt 0 ] || seeds=(0 1 2)
arms=(motion video unpaired paired)
config=research/fusion/instruct.yaml
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"

train() { # train ARM
    local arm=$1 streams=$1 long=runs/fusion/$1-long end=runs/fusion/$1
    [ "$arm" = paired ] && streams=all end=runs/fusion/paired-end
    python -m research.fusion.stretch "$config" "$long" --arm "$arm"
    python -m research.fusion.stretch "$config" "$end" --arm "$arm" --start "$long" \
        --steps 600 --seed 1 --falling --asked 3 3 3 --films 0.3
    # Joining costs the movement something: this arm is asked more about it before the films.
    [ "$arm" != paired ] || python -m research.fusion.stretch "$config" runs/fusion/paired --arm paired --start "$end" \
        --steps 300 --seed 2 --falling --rate 5e-4 --asked 2 5 2 --films 0.3
    for seed in "${seeds[@]}"; do
        local output="runs/fusion/$arm-s$seed"
        [ -f "$output/training.json" ] || vimonet train instruct --config "$config" model="runs/fusion/$arm" \
            data.streams="$streams" seed="$seed" output="$output"
    done
}

vimonet data build research/vimos_open/builder.py --output data/vimos-open --count 60000
# Exit code 2: some draws gave no scene and are left out.
vimonet data build research/fusion/scenes/paired_builder.py --output data/vimos-paired --count 3000 || [ $? -eq 2 ]
python -m research.fusion.tower data/vimos-paired runs/fusion/tower
python -m research.fusion.lookup "$config" runs/fusion/reader
python -m research.fusion.align "$config" runs/fusion/start
for arm in "${arms[@]}"; do
    train "$arm" &
    while [ "$(jobs -rp | wc -l)" -ge "${JOBS:-1}" ]; do wait -n; done
done
wait
options=()
for arm in "${arms[@]}"; do
    options+=(--arm "$arm" "${seeds[@]/#/runs/fusion/$arm-s}")
done
python -m research.fusion.score data/vimos-paired -o runs/fusion/table "${options[@]}"
# Export what the package ships:
#   python -m scripts.export_fp16 runs/fusion/paired-s0 src/vimonet/weights/nano-paired --without keypoint
