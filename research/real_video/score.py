"""Plain video, judged: real clips with questions, answered as `vimonet ask CLIP.mp4` answers them.

    python research/real_video/score.py FOLDER [-m MODEL] [--docs research/real_video/README.md] [--json OUT.json]

FOLDER holds ``videos.jsonl`` (one object per line: ``id``, ``file``, ``caption``, ``qa`` with ``question`` and
``answer``) and the files it names. Every question is asked about the clip and blind. Answers of yes or no to questions
of yes or no, and those that decline, judge themselves; all others are judged by hand in ``verdicts.yaml`` beside this
script, under the words of the answer, so that an answer that has changed stands there as not judged. Then, without any
hand: agreement with rules on the visible landmarks over windows of 4 s, "yes" to actions that evidently do not happen,
and "cannot tell" where the limbs asked about are not seen. ``--docs`` writes the tables into a page, below its marker.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

import vimonet
from vimonet.bench.predictions import assistant_sha256
from vimonet.bench.scoring.text_metrics import exact_match
from vimonet.evidence import describe, examine
from vimonet.inference.answer_policy import CANNOT_TELL
from vimonet.language import declines, normalise_question, polarity
from vimonet.motion import Motion, load
from vimonet.motion.kinematics import Facts, measure
from vimonet.motion.kinematics.image_plane import image_plane
from vimonet.motion.kinematics.preparation import limbs_seen
from vimonet.utils.errors import InputError
from vimonet.utils.statistics import bootstrap_interval
from vimonet.weights import model_source

JUDGEMENTS = Path(__file__).with_name("verdicts.yaml")
MARKER = "<!-- below: written by research/real_video/score.py -->"
VERDICTS = ("right", "half right", "wrong", "abstained", "not judged")
WINDOW, LEAST = 80, 20  # frames at 20 frames/s


@dataclass(frozen=True)
class Row:
    """One question about one clip, and what came of it."""

    clip: str
    question: str
    expected: str
    answer: str
    source: str
    confidence: float
    blind: str
    verdict: str
    beyond: bool


@dataclass(frozen=True)
class Check:
    """One answer held against a rule: 1 agrees or is as wanted, 0 not."""

    topic: str
    clip: str
    value: float
    abstained: bool
    said: str
    measured: str


@dataclass(frozen=True)
class Judgements:
    """What was settled by hand, see ``verdicts.yaml``."""

    answers: dict[str, dict[str, dict[str, str]]]
    beyond: dict[str, list[str]]
    absent: list[str]
    present: dict[str, list[str]]
    open_to_dispute: dict[str, list[str]]

    @classmethod
    def read(cls, path: Path) -> Judgements:
        """Read the file beside the script."""
        return cls(**yaml.safe_load(path.read_text(encoding="utf-8")))

    def verdict(self, clip: str, question: str, expected: str, answer: str) -> str:
        """One of VERDICTS: by itself where the answer allows it, else as settled by hand."""
        parts = [normalise_question(part.split(" s: ")[-1]) for part in answer.split("; ")]
        if all(exact_match(part, CANNOT_TELL) for part in parts):
            return "abstained"
        truth, said = polarity(normalise_question(expected)), [polarity(part) for part in parts]
        if truth is not None and None not in said:
            share = sum(part == truth for part in said) / len(said)
            return "right" if share == 1 else "wrong" if share == 0 else "half right"
        return self.answers.get(clip, {}).get(question, {}).get(answer, "not judged")


def questions(assistant: Any, clips: Sequence[dict[str, Any]], motions: dict[str, Motion], by: Judgements) -> list[Row]:
    """Ask every clip its own questions, with the clip and blind."""
    rows = []
    for clip in clips:
        name = clip["id"]
        for qa in clip["qa"]:
            question, expected = qa["question"], qa["answer"]
            said, blind = assistant.ask(question, motions[name]), assistant.ask(question)
            verdict = by.verdict(name, question, expected, said.text)
            beyond = question in by.beyond.get(name, ())
            confidence = round(said.confidence, 2)
            rows.append(Row(name, question, expected, said.text, said.source, confidence, blind.text, verdict, beyond))
    return rows


def windows(motion: Motion) -> list[Motion]:
    """Stretches of 4 s; a rest under 1 s is left out."""
    starts = range(0, max(1, motion.frames - LEAST + 1), WINDOW)
    return [motion.window(start, min(motion.frames, start + WINDOW)) for start in starts]


def agreement(assistant: Any, motions: dict[str, Motion]) -> list[Check]:
    """Answers held against rules on the landmarks, where the rules are sure: as answered, where the landmarks may have
    spoken for themselves (`vimonet.inference.answer_policy.in_picture`), and in the model's own words.
    """
    asked = [(name, window, measure(window)) for name, motion in motions.items() for window in windows(motion)]
    checks = []
    for topic, question, rule in RULES:
        sure = [(name, window, truth) for name, window, facts in asked if (truth := rule(window, facts)) is not None]
        answers = assistant.ask_batch([(question, window) for _, window, _ in sure])
        for (name, _, truth), answer in zip(sure, answers, strict=True):
            for of, text in ((topic, answer.text), (topic + OWN, answer.model_text)):
                said = normalise_question(text)
                agrees = said in (truth if isinstance(truth, tuple) else (truth,))
                checks.append(Check(of, name, float(agrees), declines(said), said, str(truth)))
    return checks


def _evident(question: str, answers: dict[str, str]) -> Callable[[Motion, Facts], str | None]:
    """The answer that the evidence beside an answer would give, None near its thresholds."""

    def rule(window: Motion, facts: Facts) -> str | None:
        found = examine(question, "yes", window, facts=facts)
        return answers.get(found[0].truth) if found else None

    return rule


def _travels(window: Motion, facts: Facts) -> str | None:
    plane = image_plane(window)
    return None if plane is None or plane.travels is None else "yes" if plane.travels else "no"


def _way(window: Motion, facts: Facts) -> str | tuple[str, ...] | None:
    plane = image_plane(window)
    if plane is None or plane.travels is None:
        return None
    # What is said where the model's words are denied is the way over the picture.
    return ("forward", "backward", "left", "right", plane.way()) if plane.travels else "stays in place"


def _turns(window: Motion, facts: Facts) -> str | None:
    plane = image_plane(window)
    return None if plane is None or plane.turns is None else "yes" if plane.turns else "no"


_HANDS = {name: name for name in ("left hand", "right hand", "both hands", "neither hand")}
_ARMS = {name: name for name in ("left arm", "right arm", "both equally")}
RULES: tuple[tuple[str, str, Callable[[Motion, Facts], Any]], ...] = (
    ("raised hand", "Which hand is raised?", _evident("Which hand is raised?", _HANDS)),
    ("more active arm", "Which arm moves more?", _evident("Which arm moves more?", _ARMS)),
    ("stays or travels", "Does the person move to another place?", _travels),
    ("stays or travels (which way)", "Which way does the person move?", _way),
    ("turn", "Does the person turn?", _turns),
)
"""Topic, question, and the rule that gives the right answers (one, or several) or None."""


def named(assistant: Any, motions: dict[str, Motion], by: Judgements) -> list[Check]:
    """Questions of yes or no about actions that evidently do not, or do, happen; "yes" of any window counts.

    As answered, and in the model's own words, of which some are withheld.
    """
    asked = [
        (topic, name, f"Does the person {action}?")
        for name in motions
        for topic, actions in (
            ("yes to absent", [a for a in by.absent if a not in _not_asked(by, name)]),
            ("yes to present", by.present.get(name, [])),
        )
        for action in actions
    ]
    answers = assistant.ask_batch([(question, motions[name]) for _, name, question in asked])
    checks = []
    for (topic, name, question), answer in zip(asked, answers, strict=True):
        parts = answer.windows or (answer,)
        for of, texts in ((topic, [part.text for part in parts]), (topic + OWN, [part.model_text for part in parts])):
            said = [normalise_question(text) for text in texts]
            checks.append(
                Check(of, name, float(any(map(polarity, said))), all(map(declines, said)), texts[0], question)
            )
    return checks


OWN = ", model's own words"


def _not_asked(by: Judgements, clip: str) -> list[str]:
    return [*by.present.get(clip, ()), *by.open_to_dispute.get(clip, ())]


def unseen(assistant: Any, motions: dict[str, Motion]) -> list[Check]:
    """Questions about limbs not all seen: "cannot tell" is right; as answered, and in the model's own words."""
    asked = []
    for name, motion in motions.items():
        for window in windows(motion):
            seen = limbs_seen(window.confidence)
            for limb, ask in UNSEEN.items():
                if not (seen[f"left {limb}"] and seen[f"right {limb}"]):
                    asked += [(limb, name, window, question) for question in ask]
    answers = assistant.ask_batch([(question, window) for _, _, window, question in asked])
    checks = []
    for (limb, name, _, question), answer in zip(asked, answers, strict=True):
        for of, text in (("", answer.text), (OWN, answer.model_text)):
            declined = declines(normalise_question(text))
            checks.append(Check(f"{limb}s not seen{of}", name, float(declined), declined, text, question))
    return checks


UNSEEN = {
    "arm": ("Which hand is raised?", "Which arm moves more?"),
    "leg": ("Which leg moves more?", "How many steps does the person take?"),
}


def shares(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Per topic, and over the topics of agreement: mean, 95 % interval over clips, n."""
    topics = list(dict.fromkeys(check.topic for check in checks))
    groups = [(topic, [check for check in checks if check.topic == topic]) for topic in topics]
    asked = {topic for topic, _, _ in RULES}
    every = [
        (f"all rules{of}", [check for check in checks if check.topic in {topic + of for topic in asked}])
        for of in ("", OWN)
    ]
    result = []
    for topic, group in [*every, *groups]:
        if group:
            values = [check.value for check in group]
            interval = bootstrap_interval(values, [check.clip for check in group])
            result.append(
                {
                    "topic": topic,
                    "value": sum(values) / len(values),
                    "low": interval.low,
                    "high": interval.high,
                    "n": len(values),
                    "clips": len({check.clip for check in group}),
                    "abstained": sum(check.abstained for check in group) / len(values),
                }
            )
    return result


def markdown(
    clips: Sequence[dict[str, Any]],
    motions: dict[str, Motion],
    rows: Sequence[Row],
    checks: Sequence[Check],
    about: str,
) -> str:
    """The tables, for a page."""
    lines = [about, "", "## Figures", ""]
    lines += ["| | share | 95 % | n | clips | abstained |", "|---|--:|---|--:|--:|--:|"]
    for row in shares(checks):
        lines.append(
            f"| {row['topic']} | {row['value']:.2f} | {row['low']:.2f} to {row['high']:.2f} | {row['n']} "
            f"| {row['clips']} | {row['abstained']:.2f} |"
        )
    lines += ["", "## Questions", "", f"| | {' | '.join(VERDICTS)} |", f"|---|{'--:|' * len(VERDICTS)}"]
    groups = {
        "all": list(rows),
        "about the movement": [row for row in rows if not row.beyond],
        "about what no keypoints show": [row for row in rows if row.beyond],
        "answered by the model": [row for row in rows if row.source == "model"],
        "measured, withheld or mixed": [row for row in rows if row.source != "model"],
    }
    for name, group in groups.items():
        count = Counter(row.verdict for row in group)
        lines.append(f"| {name} ({len(group)}) | {' | '.join(str(count[verdict]) for verdict in VERDICTS)} |")
    for clip in clips:
        own = [row for row in rows if row.clip == clip["id"]]
        lines += ["", f"### {clip['id']}", "", clip["caption"], ""]
        lines += [f"*Measured:* {measured(motions[clip['id']])}.", ""]
        lines += ["| question | expected | answer | confidence | blind | judged |", "|---|---|---|--:|---|---|"]
        for row in own:
            source = "" if row.source == "model" else f" ({row.source})"
            cells = [row.question + (" †" if row.beyond else ""), row.expected, row.answer + source]
            cells += [f"{row.confidence:.2f}", row.blind, row.verdict]
            lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
    return "\n".join([*lines, "", "† asks for what no keypoints show: things, faces, the scene, how many people.", ""])


def measured(motion: Motion) -> str:
    """The measured description of each window of the model's length, with its times."""
    said = []
    for start in range(0, motion.frames, 196):
        part = motion.window(start, min(motion.frames, start + 196))
        if part.frames >= LEAST or not said:
            when = f"{start / 20:.1f}-{(start + part.frames) / 20:.1f} s: " if motion.frames > 196 + LEAST else ""
            said.append(when + (describe(part) or "too little of the body is seen"))
    return "; ".join(said)


def read_clips(folder: Path) -> list[dict[str, Any]]:
    """The lines of ``videos.jsonl``."""
    path = folder / "videos.jsonl"
    if not path.is_file():
        raise InputError(f"{path}: no such file; give the folder that holds videos.jsonl and its clips.")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def write_docs(path: Path, text: str) -> None:
    """Replace what stands below the page's marker."""
    head, marker, _ = path.read_text(encoding="utf-8").partition(MARKER)
    if not marker:
        raise InputError(f"{path}: the marker {MARKER!r} is missing; it says where the tables go.")
    path.write_text(f"{head}{MARKER}\n\n{text}", encoding="utf-8")


def unjudged(rows: Iterable[Row]) -> str:
    """What is left to judge, in the form of the YAML file."""
    left: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        if row.verdict == "not judged":
            left.setdefault(row.clip, {}).setdefault(row.question, {})[row.answer] = f"?  # {row.expected}"
    return yaml.safe_dump(left, sort_keys=False, allow_unicode=True, width=1000) if left else ""


def main() -> None:
    """Ask, judge and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="holds videos.jsonl and its clips")
    parser.add_argument("-m", "--model", help="model folder (default: the shipped one)")
    parser.add_argument("--docs", type=Path, help="page to write the tables into")
    parser.add_argument("--json", type=Path, help="also write everything that was said and measured")
    options = parser.parse_args()
    clips, by = read_clips(options.folder), Judgements.read(JUDGEMENTS)
    assistant = vimonet.load(options.model)
    motions = {clip["id"]: load(options.folder / clip["file"]) for clip in clips}
    rows = questions(assistant, clips, motions, by)
    checks = [*agreement(assistant, motions), *named(assistant, motions, by), *unseen(assistant, motions)]
    weights = assistant_sha256(assistant, model_source(options.model))
    about = f"Model `{assistant.name}`, weights `{weights[:15]}`, {len(clips)} clips, {len(rows)} questions."
    text = markdown(clips, motions, rows, checks, about)
    print(text)
    if options.docs:
        write_docs(options.docs, text)
    if options.json:
        record = {"weights": weights, "rows": [asdict(r) for r in rows], "checks": [asdict(c) for c in checks]}
        options.json.write_text(json.dumps({**record, "shares": shares(checks)}, indent=1), encoding="utf-8")
    left = unjudged(rows)
    if left:
        sys.exit(f"not judged yet, for {JUDGEMENTS.name}:\n{left}")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"score: {error}")
