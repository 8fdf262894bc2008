"""Log repetitions, postures and falls of a recording as JSON lines with times: the events a fitness or care app needs.

python examples/exercise_log.py [RECORDING]
"""

import json
import sys

from vimonet.motion import load
from vimonet.motion.kinematics import measure

facts = measure(load(sys.argv[1] if len(sys.argv) > 1 else "sample:squats"))
events = [
    {"event": "posture", "label": part.label, "start": part.start, "end": part.end} for part in facts.posture or ()
]
events += [{"event": "fall", "start": fall.start, "end": fall.end, "drop_m": fall.drop} for fall in facts.falls or ()]
if facts.repetitions is not None:
    again = facts.repetitions
    events.append(
        {"event": "repetitions", "count": again.count, "limb": again.limb, "start": again.start, "end": again.end}
    )
for event in sorted(events, key=lambda each: each["start"]):
    print(json.dumps({key: round(value, 2) if isinstance(value, float) else value for key, value in event.items()}))
