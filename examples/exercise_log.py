"""Log repetitions, postures and falls of a recording as JSON lines with times: the events a fitness or care app needs.

python examples/exercise_log.py [RECORDING [EXERCISE]]
"""

import json
import sys

from vimonet.motion import load
from vimonet.motion.kinematics import measure
from vimonet.motion.kinematics.exercises import count_exercise

motion = load(sys.argv[1] if len(sys.argv) > 1 else "sample:squats")
facts = measure(motion)
counted = count_exercise(motion, sys.argv[2] if len(sys.argv) > 2 else "squat", facts)
events = [
    {"event": "posture", "label": part.label, "start": part.start, "end": part.end} for part in facts.posture or ()
]
events += [{"event": "fall", "start": fall.start, "end": fall.end, "drop_m": fall.drop} for fall in facts.falls or ()]
events += [
    {"event": counted.exercise, "number": number, "start": one.start, "end": one.end, "depth": one.depth}
    for number, one in enumerate(counted.repetitions, 1)
]
for event in sorted(events, key=lambda each: each["start"]):
    print(json.dumps({key: round(value, 2) if isinstance(value, float) else value for key, value in event.items()}))
