"""Choose the detectors that a file of rules needs."""

from __future__ import annotations

from vimonet.watch.body_events import KINDS, BodyEvents
from vimonet.watch.exercise_events import Repetitions
from vimonet.watch.rules import Rules
from vimonet.watch.stream import Detector


def detectors_for(rules: Rules | None) -> list[Detector]:
    """Build the detectors of the events that rules name; without rules those of falls, lying still and hands.

    Raises:
        InputError: an exercise or a sentence that nothing can detect.
    """
    if rules is None:
        return [BodyEvents(("fall", "lying_still", "raised_hand", "waving"))]
    kinds = [kind for kind in rules.kinds if kind in KINDS and kind != "out_of_bed"]
    beds = [(rule.name, rule.zone) for rule in rules.rules if rule.event == "out_of_bed" and rule.zone is not None]
    found: list[Detector] = [BodyEvents(kinds, beds)] if kinds or beds else []
    if sentences := [rule.sentence for rule in rules.rules if rule.sentence]:
        from vimonet.watch.sentence_events import Sentences  # torch

        found.append(Sentences(sentences))
    for exercise in dict.fromkeys(rule.exercise for rule in rules.rules if rule.event == "repetition"):
        found.append(Repetitions(exercise))
    return found
