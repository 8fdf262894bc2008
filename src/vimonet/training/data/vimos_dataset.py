"""Read a VIMOS dataset for training: clips with balanced question-answer pairs, worded anew every epoch."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vimonet.language import mirror_text
from vimonet.motion import Motion
from vimonet.motion.projection import random_view
from vimonet.training.data import ModalityGroup
from vimonet.training.data.answer_balance import BY_SUBJECT, Choice, balance, read_scores
from vimonet.utils.errors import InputError
from vimonet.vimos.action_names import paraphrased, renamed
from vimonet.vimos.annotators.kinematic import YES_NO
from vimonet.vimos.comparisons import ask_about
from vimonet.vimos.dialogues import dialogues_of
from vimonet.vimos.label_consistency import absent_from
from vimonet.vimos.parquet import arrays_of
from vimonet.vimos.question_forms import needs, needs_no_legs
from vimonet.vimos.reading import motion_row, open_rows
from vimonet.vimos.types import DETAIL, Question, spoken, with_steps
from vimonet.vimos.wordings import as_written, ask, asked_as

STREAMS = ("all", "motion", "video", "unpaired")

_PEOPLE = 0.65
"""Share of the questions that are worded as people type them."""

_PARAPHRASED = 0.75
"""Share of paraphrases among questions of yes or no, counts and sides that are worded as people type them."""

_PARAPHRASES = {
    **dict.fromkeys(("used_hand", "used_leg"), "used_hand"),
    **dict.fromkeys(("count", "count_named", "jump_count"), "count"),
    **{"action": "action", "action_way": "way"},
}
"""Form -> `form` in asks.jsonl of the paraphrases that can ask it; closed forms use those without `form`."""

_EXPLAINED = 0.15
"""Share of yes/no paraphrases to explain ("whether the person claps"), not to answer: a yes hardly teaches them."""

_EXPLAIN = ("What does this ask? {text}", 'Say plainly what is asked: "{text}"', "{text} - what does that mean?")

_CLOSED = ("yes_no", "fact_yes_no")
"""Forms whose wordings ask whether an action or a measured fact is there."""


class VimosDataset:
    """Yield clips with question-answer pairs (protocol of `vimonet.training.data`); see `training_samples`.

    Args:
        rows: a split of a VIMOS dataset (`open_rows`); motion stays on disk.
        folder: dataset folder, which video paths are relative to.
        times: repetitions of each row per epoch, [N]; they do not affect the questions of a row.

    Attributes:
        lengths: frames per sample, 0 without motion.
        modality_groups: `ModalityGroup` of each sample.
        actions: all phrases that label a span, in alphabetical order.
        videos: all video clips, (path, start s, end s).
        questions: of each row, (form, answer, words, closed, detail) of its questions.
    """

    def __init__(
        self,
        rows: Any,
        qa_pairs: int,
        seed: int,
        noise: bool,
        folder: str | Path = "",
        streams: str = "all",
        chain_of_thought: bool = False,
        random_views: bool = False,
        *,
        chats: float = 0.0,
        comparisons: float = 0.0,
        scores: Mapping[str, float] = MappingProxyType({}),
        times: NDArray[np.int64],
    ) -> None:
        self.qa_pairs, self.seed, self.noise, self.epoch = qa_pairs, seed, noise, 0
        self.chats, self.comparisons = chats, comparisons
        self.streams, self.random_views = streams, random_views
        self._rows = rows.with_format("arrow")
        self._videos = _videos(rows, Path(folder)) if streams != "motion" else [None] * len(rows)
        self.videos = [clip for clip in self._videos if clip is not None]
        self.lengths, dimensions = (rows.data.column(name).fill_null(0).to_numpy() for name in ("frames", "dimensions"))
        self._seen = [_seen(text) for text in rows.data.column("provenance").to_pylist()]
        alone = np.array([alone for _, alone in self._seen], dtype=bool)
        self.lengths, dimensions = np.where(alone, 0, self.lengths), np.where(alone, 0, dimensions)
        if streams == "video":
            dimensions = np.where([clip is not None for clip in self._videos], 0, dimensions)
        self.modality_groups = np.array(
            [ModalityGroup.of(int(n), clip is not None) for n, clip in zip(dimensions, self._videos, strict=True)],
            np.int64,
        )
        self.questions = _questions(rows)
        if random_views:
            self.modality_groups[self.modality_groups == ModalityGroup.MOTION] = ModalityGroup.KEYPOINT
            self.questions = [
                [q for q in asked if n != 3 or not needs(q[0], "depth")]
                for asked, n in zip(self.questions, dimensions.tolist(), strict=True)
            ]
        self._steps = _in_steps(rows) if chain_of_thought else [{}] * len(rows)
        self._spans = [
            [(a["action"], a["start"], a["end"]) for a in actions]
            for actions in rows.data.column("actions").to_pylist()
        ]
        self._by_action: dict[str, list[int]] = {}
        for at, spans in enumerate(self._spans):
            for action in dict.fromkeys(action for action, _, _ in spans):
                self._by_action.setdefault(action, []).append(at)
        self.actions = sorted(self._by_action)
        self._weights = balance(self.questions, scores)
        self._row = np.repeat(np.arange(len(rows)), times)
        self.lengths, self.modality_groups = self.lengths[self._row], self.modality_groups[self._row]

    def __len__(self) -> int:
        return len(self.lengths)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of questions, wordings and noise."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = random.Random(f"{self.seed}/{self.epoch}/{index}")
        at = int(self._row[index])
        row, video, asked = motion_row(self._rows, at), self._videos[at], self.questions[at]
        joints = confidence = None
        dimensions, spans, questions = row["dimensions"], self._spans[at], list(range(len(asked)))
        seen, alone = self._seen[at]
        if row["joints"] is not None and not alone:
            joints, confidence = arrays_of(row)
            if self.random_views and dimensions == 3:
                upper_body = [i for i in questions if _without_legs(asked[i])]
                try:
                    joints, confidence, legs = random_view(joints, confidence, rng, crop=bool(upper_body))
                except InputError:  # scrambled limbs without a torso
                    return self[(index + 1) % len(self)]
                dimensions = 2
                if not legs:
                    spans, questions = [], upper_body
            elif self.noise and dimensions == 3:
                joints = _jitter(joints, rng)
        if joints is not None and video is not None and self.streams != "all":
            if self.streams == "video" or (index + self.epoch) % 2:
                joints = confidence = None
            else:
                video = None
        # Weighted sampling without replacement: the largest u ** (1 / w) are drawn (Efraimidis and Spirakis, 2006).
        keys = [rng.random() ** (1.0 / max(w, 1e-6)) for w in self._weights[at].tolist()]
        chosen: list[Choice] = []
        for i in sorted(questions, key=lambda i: -keys[i]):
            if len(chosen) >= self.qa_pairs:
                break
            question = asked[i]
            if question not in chosen:
                # Keep twins together: only one word of the question and the movement tell their answers apart.
                chosen += [question, *_twin(question, asked)]
        chosen = chosen[: self.qa_pairs]
        rng.shuffle(chosen)
        if joints is not None and video is None and self.comparisons and rng.random() < self.comparisons:
            mine = {"joints": joints, "confidence": confidence, "dimensions": dimensions, "spans": spans}
            if other := self._beside(at, dimensions, rng):
                both = [(_motion(clip), [action for action, _, _ in clip["spans"]]) for clip in (mine, other)]
                if compared := ask_about(both[0], both[1], self.actions, self.qa_pairs, rng):
                    return {**mine, "qa_pairs": compared, "source": row["source"], "beside": other}
        pairs: list[tuple[str, ...]] = [self._worded(at, question, rng) for question in chosen]
        if rng.random() < self.chats and (chat := _chat([asked[i] for i in questions], rng)):
            pairs[-1:] = [chat]
        return {
            "joints": joints,
            "confidence": None if confidence is None or confidence.min(initial=1.0) > 0.99 else confidence,
            "dimensions": dimensions,
            "qa_pairs": pairs,
            "spans": spans,
            "source": row["source"],
            "video": video,
            **({"seen": seen} if seen else {}),
        }

    def _beside(self, at: int, dimensions: int, rng: random.Random) -> dict[str, Any] | None:
        """Draw a row to compare with row `at`, one in three times of a shared action; None if ten draws find none."""
        wanted = {action for action, _, _ in self._spans[at]} if rng.random() < 1 / 3 else set()
        rows = self._by_action[rng.choice(sorted(wanted))] if wanted else range(len(self._spans))
        for other in (rng.choice(rows) for _ in range(10)):
            row = motion_row(self._rows, other)
            if other == at or self._seen[other][1]:  # the movement of some rows is kept out of sight
                continue
            if row["joints"] is not None and row["dimensions"] == dimensions:
                joints, confidence = arrays_of(row)
                spans = self._spans[other]
                return {"joints": joints, "confidence": confidence, "dimensions": dimensions, "spans": spans}
        return None

    def draw_text(self, rng: random.Random) -> tuple[str, str]:
        """Draw a question and its answer, without the movement."""
        at = int(self._row[rng.randrange(len(self))])
        return self._worded(at, rng.choice(self.questions[at]), rng)

    def _worded(self, at: int, question: Choice, rng: random.Random) -> tuple[str, str]:
        """Word a question of row `at`, and return it with the answer to learn."""
        form, answer, words, _, detail = question
        if isinstance(words, str):
            return words, self._steps[at].get((words, answer), spoken(answer, {DETAIL: detail}))
        people = rng.random() < _PEOPLE
        if people:
            named = {"do": "jump"} if form == "jump_count" else words
            asked = _PARAPHRASES.get(form) or ("yes_no" if asked_as(form) in _CLOSED else "")
            if asked and rng.random() < _PARAPHRASED and (text := paraphrased(asked, named, answer, rng)):
                if asked == "yes_no" and rng.random() < _EXPLAINED:
                    return rng.choice(_EXPLAIN).format(text=text), f"whether the person {words['does']}"
                return as_written(text, rng, closed=asked == "yes_no"), spoken(answer, {DETAIL: detail})
            words, answer = renamed(words, answer, rng)
        return ask(form, rng, people=people, **words), spoken(answer, {DETAIL: detail})


def _motion(clip: Mapping[str, Any]) -> Motion:
    return Motion(clip["joints"], confidence=clip["confidence"], dimensions=clip["dimensions"])


def _chat(asked: list[Choice], rng: random.Random) -> tuple[str, ...] | None:
    """Make a chat about a clip from its questions: question, answer, question, answer ...; None if there is none."""
    questions = [
        Question("", form, answer, words, YES_NO if closed else (), {DETAIL: detail})
        for form, answer, words, closed, detail in asked
        if not isinstance(words, str)
    ]
    chats = dialogues_of(questions, rng)
    return tuple(text for turn in chats[0] for text in turn) if chats else None


_ENDS = {"at_beginning": "first", "at_end": "last"}
"""Form about the beginning or end of the clip -> form whose answer is the action there."""

_FLIPPED = {"before": "after", "after": "before", "yes": "no", "no": "yes"}


def _twin(question: Choice, asked: list[Choice]) -> list[Choice]:
    """Find the twin of a question, at most one: actions or sides exchanged, or another action with the other answer."""
    form, answer, words, closed, _ = question
    if isinstance(words, str):
        return []
    if form in ("order", "order_yes_no") and answer in _FLIPPED:
        return [(form, _FLIPPED[answer], {**words, "a": words["b"], "b": words["a"]}, closed, "")]
    if form in BY_SUBJECT:
        other = {key: mirror_text(text) for key, text in words.items()}
        if other != words:
            return [twin for twin in asked if twin[0] == form and twin[2] == other][:1]
    if form in ("yes_no", "near_yes_no"):
        return [twin for twin in asked if twin[0] in ("yes_no", "near_yes_no") and twin[1] != answer][:1]
    if form in _ENDS:
        return _other_end(form, answer, closed, asked)
    return []


def _other_end(form: str, answer: str, closed: bool, asked: list[Choice]) -> list[Choice]:
    """Find the twin of "does it begin (or end) with X?", whose answer is the opposite."""
    happens = {q[2]["doing"]: q[2] for q in asked if q[0] == "yes_no" and q[1] == "yes" and isinstance(q[2], dict)}
    there = next((happens[q[1]] for q in asked if q[0] == _ENDS[form] and q[1] in happens), None)
    if there is None:
        return []
    if answer == "no":
        return [(form, "yes", there, closed, "")]
    return [(form, "no", other, closed, "") for other in happens.values() if absent_from(other["do"], {there["do"]})][
        :1
    ]


def _seen(provenance: str | None) -> tuple[str, bool]:
    """Read what a classifier would see beside a row without video, and whether the movement is kept out of sight."""
    if not provenance or '"seen_text"' not in provenance:
        return "", False
    found = json.loads(provenance)
    return str(found["seen_text"]), bool(found.get("alone"))


def _videos(rows: Any, folder: Path) -> list[tuple[str, float | None, float | None] | None]:
    """List path, start and end (s) of the video of each row; None without video."""
    columns = (rows.data.column(name).to_pylist() for name in ("video", "video_span"))
    found: list[tuple[str, float | None, float | None] | None] = []
    for path, span in zip(*columns, strict=True):
        start, end = (span["start"], span["end"]) if span else (None, None)
        found.append(None if path is None else (str(folder / path), start, end))
    return found


def _questions(rows: Any) -> list[list[Choice]]:
    """List the questions of each row: its instructions, and a request for each caption."""
    found: list[list[Choice]] = []
    # Hundreds of rows share the same question and answer: one object serves them all.
    known: dict[tuple[Any, ...], Choice] = {}
    captions = rows.data.column("captions").to_pylist()
    for texts, asked in zip(captions, _instructions(rows), strict=True):
        questions: list[Choice] = []
        for i in asked:
            # Questions of the kinematic annotator are worded anew every time; others are asked as written.
            worded = i["generator"] == "kinematic"
            detail = json.loads(i["evidence"])[DETAIL] if f'"{DETAIL}":' in (i["evidence"] or "") else ""
            key = (i["form"], i["answer"], i["slots"] if worded else i["question"], bool(i["options"]), worded, detail)
            if key not in known:
                known[key] = (key[0], key[1], json.loads(i["slots"]) if worded else i["question"], key[3], detail)
            questions.append(known[key])
        questions += [("caption", c["text"], {}, False, "") for c in texts]
        found.append(questions)
    return found


def _in_steps(rows: Any) -> list[dict[tuple[str, str], str]]:
    """Map (question as written, answer) of each row to the answer with its steps."""
    return [
        {(i["question"], i["answer"]): with_steps(i["answer"], json.loads(i["evidence"] or "{}")) for i in asked}
        for asked in _instructions(rows, ("question", "answer", "evidence"))
    ]


_ASKED = ("form", "question", "answer", "options", "slots", "generator", "evidence")


def _instructions(rows: Any, names: tuple[str, ...] = _ASKED) -> Any:
    import pyarrow.compute as pc

    for chunk in rows.data.column("instructions").chunks:
        flat = chunk.flatten()
        columns = {name: pc.struct_field(flat, name).to_pylist() for name in names}
        entries = [dict(zip(names, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        start = 0
        for length in pc.list_value_length(chunk).to_pylist():
            yield entries[start : start + (length or 0)]
            start += length or 0


def _jitter(joints: NDArray[np.float32], rng: random.Random) -> NDArray[np.float32]:
    """Add sensor noise (m) to joints [T, 22, 3]: smoothed jitter, and a constant offset per joint."""
    level = rng.choice((0.0, 0.0, 0.004, 0.008, 0.015))
    draw = np.random.default_rng(rng.randrange(2**32))
    spread = np.float32(rng.choice((0.0, 0.01, 0.02)))
    offset = spread * draw.standard_normal((1, *joints.shape[1:])).astype(np.float32)
    noise = draw.standard_normal(joints.shape).astype(np.float32)
    smooth = (noise + np.roll(noise, 1, 0) + np.roll(noise, 2, 0)) / 1.7
    return joints + offset + np.float32(level) * smooth


def _without_legs(question: Choice) -> bool:
    """Tell whether trunk and arms are enough to answer a question."""
    form, _, words, _, _ = question
    return needs_no_legs(form, "" if isinstance(words, str) else words.get("do", ""))


def training_samples(
    dataset: str = "data/vimos-open",
    split: str = "train",
    *,
    qa_pairs: int = 8,
    seed: int = 0,
    noise: bool = True,
    limit: int = 0,
    streams: str = "all",
    chain_of_thought: bool = False,
    random_views: bool = False,
    oversample_2d: int = 1,
    chats: float = 0.0,
    comparisons: float = 0.0,
    form_scores: str = "",
) -> VimosDataset:
    """Open a split of a VIMOS dataset as samples.

    Args:
        dataset: dataset folder (written by ``vimonet data build``).
        split: ``train`` or ``val``.
        qa_pairs: question-answer pairs per clip and epoch.
        seed: seed of the draws.
        noise: add sensor noise to 3D joints.
        limit: number of rows from the start; 0 for all.
        streams: inputs of rows with motion and video: ``all``, ``motion``, ``video``, or ``unpaired`` (one of them,
            alternating by epoch). ``motion`` and ``video`` drop the rows without it.
        chain_of_thought: state the steps of an answer where the dataset has them (`vimonet.vimos.types.with_steps`).
        random_views: project 3D motion to 2D keypoints in a random view, anew each epoch; questions about depth go.
        oversample_2d: repetitions per epoch of the few 2D rows of real video.
        chats: share of the samples in which a chat of several turns takes the place of a question.
        comparisons: share of samples, among those with a motion and no video, whose questions compare the clip with a
            second one.
        form_scores: JSON file of the share of each form that a model gets right: what it fails is asked more often
            (`balance`); empty: every form by its declared weight.

    Raises:
        InputError: no dataset, no such split, a test split, or no row left.
    """
    if split.startswith("test"):
        raise InputError(f"split '{split}' is for testing only; choose train or val.")
    rows = open_rows(dataset, split)
    if limit and limit < len(rows):
        rows = rows.select(range(limit)).flatten_indices()
    if streams not in STREAMS:
        raise InputError(f"data.streams is {streams!r}; it can be {', '.join(STREAMS)}.")
    if streams in ("motion", "video"):
        rows = _with(rows, "joints" if streams == "motion" else "video")
        if not len(rows):
            raise InputError(f"{dataset}: no row of split '{split}' has {streams}; choose other data.streams.")
    if oversample_2d < 1:
        raise InputError(f"data.oversample_2d is {oversample_2d}; it must be a whole number of at least 1.")
    if not 0.0 <= chats <= 1.0:
        raise InputError(f"data.chats is {chats}; it must be a share between 0 and 1.")
    if not 0.0 <= comparisons <= 1.0:
        raise InputError(f"data.comparisons is {comparisons}; it must be a share between 0 and 1.")
    times, scores = _times(rows, oversample_2d), read_scores(form_scores) if form_scores else {}
    flags = (streams, chain_of_thought, random_views)
    return VimosDataset(
        rows, qa_pairs, seed, noise, dataset, *flags, chats=chats, comparisons=comparisons, scores=scores, times=times
    )


def _times(rows: Any, oversample_2d: int) -> NDArray[np.int64]:
    """Count the repetitions of each row per epoch."""
    columns = (rows.data.column(name).to_pylist() for name in ("source", "dimensions"))
    flat = [dimensions == 2 and not source.endswith("+2d") for source, dimensions in zip(*columns, strict=True)]
    return np.where(flat, oversample_2d, 1)


def _with(rows: Any, column: str) -> Any:
    """Select the rows that have a value in a column."""
    there = np.flatnonzero(rows.data.column(column).is_valid().to_numpy())
    return rows if len(there) == len(rows) else rows.select(there).flatten_indices()
