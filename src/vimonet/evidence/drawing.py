"""Draw a recording with the evidence on its answer: marked spans, verdicts in words."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from vimonet.evidence.claims import AGREES, CONTRADICTS, Evidence
from vimonet.motion import Motion
from vimonet.motion.kinematics import Facts

_LINES = 4


def draw(
    motion: Motion,
    path: str | os.PathLike[str],
    question: str,
    answer: str,
    evidence: Sequence[Evidence],
    *,
    facts: Facts | None = None,
    progress: bool = False,
) -> Path:
    """Draw a recording with question, answer and evidence to a .png strip, a .gif or an .mp4.

    Args:
        motion: the whole recording, whose time the evidence uses.
        path: output file.
        question: first line.
        answer: second line.
        evidence: a line each in a strip (the first four, contradictions first); its spans are marked: a band in a
            strip, rings at the joints, bars in a row of their own.
        facts: facts of the whole recording, if they are measured already.
        progress: show a progress bar while an animation is drawn.

    Raises:
        InputError: the path cannot be written, or ends in something else.
    """
    from vimonet.motion.render import Event, Mark, events_of, render
    from vimonet.motion.render.body_drawing import MARK, MUTED

    evidence = sorted(evidence, key=lambda item: item.verdict != CONTRADICTS)
    spans = [span for item in evidence for span in item.spans]
    marks = [Mark(span.start, span.end, span.joints) for span in spans]
    bars = [Event("evidence", span.label, span.start, span.end, MARK) for span in spans if span.label]
    inks = {AGREES: (30, 120, 80), CONTRADICTS: (190, 40, 50)}
    notes = [(f"{item.verdict}: {item.measured}", inks.get(item.verdict, MUTED)) for item in evidence[:_LINES]]
    if len(evidence) > _LINES:
        notes.append((f"and {len(evidence) - _LINES} more", MUTED))
    return render(
        motion,
        path,
        title=question,
        subtitle=answer,
        events=[*bars, *events_of(motion, facts)],
        marks=marks,
        notes=notes,
        progress=progress,
    )
