"""Ask about a recording: text, confidence, where the text comes from, and what was measured.

python examples/ask_a_recording.py [RECORDING]
"""

import sys

import vimonet

recording = sys.argv[1] if len(sys.argv) > 1 else "sample:walk_turn_wave"
model = vimonet.load()  # the shipped nano; or a folder, or a hub id
for question in (
    "Which way does the person turn?",
    "Which hand is raised?",
    "Does the person move forward?",
    "What is the person doing?",
):
    answer = model.ask(question, motion=recording, evidence=True)
    print(f"{question}\n  {answer.text}  ({answer.provenance}, confidence {answer.confidence:.2f})")
    for item in answer.evidence or ():
        print(f"  {item.verdict}: {item.measured}")
