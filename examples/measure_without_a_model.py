"""Measure every recording and write one CSV table. No model, no torch.

python examples/measure_without_a_model.py [FOLDER_OR_RECORDING ...] > facts.csv
"""

import csv
import sys

from vimonet.motion import load
from vimonet.motion.kinematics import measure
from vimonet.samples import list_samples

names = sys.argv[1:] or [f"sample:{name}" for name in list_samples() if not name.endswith(".mp4")]
table = csv.writer(sys.stdout)
table.writerow(["recording", "seconds", "path_m", "net_turn_deg", "steps", "falls", "repetitions"])
for name in names:
    facts = measure(load(name))
    table.writerow(
        [
            name,
            f"{facts.duration:.2f}",
            "" if facts.path_length is None else f"{facts.path_length:.2f}",  # None: the recording does not show it
            "" if facts.net_turn is None else f"{facts.net_turn:.0f}",
            "" if facts.steps is None else len(facts.steps),
            "" if facts.falls is None else len(facts.falls),
            "" if facts.repetitions is None else facts.repetitions.count,
        ]
    )
