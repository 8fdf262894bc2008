"""Understand a chat: the question, the recordings it is about, and the turns before it about the same ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from vimonet.inference.answer import MAX_QUESTION
from vimonet.inference.conversation import MAX_TURNS, with_side
from vimonet.serve.api_types import (
    ChatRequest,
    FilePart,
    ImagePart,
    InputMotionPart,
    Message,
    MotionPart,
    TextPart,
    VideoPart,
)
from vimonet.serve.attachments import Attachment, Kind, attachment_of, is_picture
from vimonet.serve.server_errors import ApiError, bad_request
from vimonet.serve.serving import Server
from vimonet.utils.errors import InputError

MOST_HISTORY: Final = 6_000
"""Characters of earlier turns in a prompt."""
_FRAMES: Final = 64
"""Most key frames of a video."""


@dataclass(frozen=True)
class Chat:
    """Hold what a chat asks.

    Attributes:
        question: text of the last turn.
        attachments: the recordings it is about: its own, else those of the latest turn that has any.
        history: questions and answers since that turn.
        notes: what of the chat is not read.
    """

    question: str
    attachments: tuple[Attachment, ...]
    history: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Clips:
    """Hold the recordings of a chat as the model reads them.

    Attributes:
        digests: `Attachment.digest` of each recording.
        motions, videos: for the model.
        read: name, format and times of each recording.
        notes: of the reading.
    """

    digests: tuple[str, ...]
    motions: tuple[Any, ...]
    videos: tuple[Any, ...]
    read: tuple[dict[str, Any], ...]
    notes: tuple[str, ...]


def check_request(asked: ChatRequest, server: Server) -> None:
    """Refuse what this server cannot do, rather than leave it out silently.

    Raises:
        ApiError: another model, or an option that would change the answer.
    """
    name = server.worker.name
    if asked.model != name:
        raise ApiError(404, f"there is no such model; this server has {name}.", "model_not_found", param="model")
    unsupported = {
        "n": (asked.n or 1) > 1,
        "stop": bool(asked.stop),
        "tools": bool(asked.tools),
        "functions": bool(asked.functions),
        "logprobs": bool(asked.logprobs),
        "response_format": (asked.response_format or {}).get("type", "text") != "text",
    }
    for param, given in unsupported.items():
        if given:
            raise bad_request(
                f"{param}: this server does not support it; leave it out.", param, "unsupported_parameter"
            )
    if len(asked.messages) > server.limits.messages:
        raise bad_request(f"messages: a chat has at most {server.limits.messages} messages.", "messages")


def chat_of(messages: Sequence[Message], server: Server, owner: str) -> Chat:
    """Find question, recordings and earlier turns in the messages of a chat.

    Raises:
        ApiError: the last message asks nothing, or a recording cannot be taken.
    """
    turns: list[tuple[str, str]] = []
    attachments: list[Attachment] = []
    asked, notes = "", []
    for number, message in enumerate(messages):
        text, found = _content(message, server, owner, f"messages.{number}")
        if message.role == "assistant":
            if asked:
                turns.append((with_side(asked, turns), text))
            asked = ""
        elif message.role == "user":
            if found:
                attachments, turns = found, []
            asked = f"{asked}\n{text}" if asked and text else asked or text
        elif "system messages are not read" not in notes:
            notes.append("system messages are not read")
    if messages[-1].role != "user":
        raise bad_request("messages: the last one is not the user's; it asks the question.", "messages")
    if not asked.strip():
        raise bad_request("messages: the last one has no text; ask something about the recording.", "messages")
    if len(attachments) > server.limits.recordings:
        text = f"messages: a question may be about {server.limits.recordings} recordings."
        raise bad_request(text, "messages")
    kept = _recent(turns)
    if len(kept) < len(turns):
        notes.append(f"of {len(turns)} earlier turns the last {len(kept)} are read")
    return Chat(with_side(asked, turns), tuple(attachments), kept, tuple(notes))


def _recent(turns: Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Keep the latest turns that a prompt has room for."""
    kept: list[tuple[str, str]] = []
    room = MOST_HISTORY
    for question, answer in reversed(turns[-MAX_TURNS:]):
        room -= len(question) + len(answer)
        if room < 0 or len(question) > MAX_QUESTION:
            break
        kept.insert(0, (question, answer))
    return tuple(kept)


def _content(message: Message, server: Server, owner: str, where: str) -> tuple[str, list[Attachment]]:
    """Read the text and the recordings of one message."""
    if not isinstance(message.content, list):
        return message.content or "", []
    texts: list[str] = []
    found: list[Attachment] = []
    for number, part in enumerate(message.content):
        place = f"{where}.content.{number}"
        if isinstance(part, TextPart):
            texts.append(part.text)
            continue
        if message.role != "user":
            raise bad_request(f"{place}: recordings belong into messages of the user.", place)
        if len(found) >= server.limits.recordings:
            raise bad_request(f"{place}: a question may be about {server.limits.recordings} recordings.", place)
        kind, source = _KINDS[type(part)], getattr(part, part.type)
        found.append(attachment_of(kind, source, server.uploads, owner, f"{place}.{part.type}"))
    return "\n".join(texts), found


_KINDS: dict[type, Kind] = {
    MotionPart: "motion",
    InputMotionPart: "motion",
    VideoPart: "video",
    ImagePart: "image",
    FilePart: "motion",
}


async def read_clips(attachments: Sequence[Attachment], server: Server) -> Clips:
    """Read recordings for the model: videos as frames where it sees, and as the movement of the person in them.

    Raises:
        ApiError: a picture for a model that sees none.
        InputError: a recording cannot be read.
    """
    config = server.worker.assistant.config
    sees, reads_keypoints = config.video_config is not None, config.keypoint_config is not None
    shown = [one for one in attachments if _is_shown(one)]
    moving = [one for one in attachments if not _is_shown(one)]
    motions: list[Any] = [await _motion(one, server) for one in moving]
    notes = [f"{motion.name}: {note}" for motion in motions for note in motion.notes]
    videos: list[Any] = []
    for one in shown:
        if not one.is_video and not sees:
            raise ApiError(400, f"{one.name}: this model sees no pictures; send a recording.", "unsupported_content")
        if one.is_video and moving and not sees:
            notes.append(f"{one.name}: this model sees no video; it answers from the movement alone")
        elif one.is_video and not moving and (not sees or reads_keypoints):
            try:
                motions.append(await _motion(one, server))
                notes += [f"{one.name}: {note}" for note in motions[-1].notes]
            except InputError as error:
                if not sees:
                    raise
                notes.append(f"{str(error).rstrip('.')}; answered from its frames alone")
        if sees:
            videos.append(await _frames(one, server, motions))
            notes += [f"{one.name}: {note}" for note in videos[-1].notes]
    digests = tuple(one.digest for one in attachments)
    return Clips(digests, tuple(motions), tuple(videos), tuple(_described(motions, videos)), tuple(notes))


def _is_shown(one: Attachment) -> bool:
    return one.is_video or one.kind == "image" or (one.kind == "video" and is_picture(one.data))


async def _motion(one: Attachment, server: Server) -> Any:
    options = {key: value for key, value in one.options.items() if not one.is_video or key == "person"}
    return await server.reading.motion(one.name, one.data, **options)


async def _frames(one: Attachment, server: Server, motions: Sequence[Any]) -> Any:
    """Read as many key frames as the windows of the movement beside them take."""
    assistant = server.worker.assistant
    each = int(assistant.processor.video_processor.num_frames)
    longest = max([motion.frames for motion in motions], default=1)
    windows = 1 if assistant.config.context else -(-longest // assistant.window_frames)
    return await server.reading.frames(one.name, one.data, count=min(each * windows, max(_FRAMES, each)))


def _described(motions: Sequence[Any], videos: Sequence[Any]) -> list[dict[str, Any]]:
    described = [
        {
            "name": motion.name,
            "format": motion.details.get("format", motion.source),
            "dimensions": motion.dimensions,
            "frames": motion.frames,
            "duration": round(motion.duration, 3),
        }
        for motion in motions
    ]
    return described + [
        {"name": video.name, "format": "video", "frames": len(video.images), "duration": round(video.duration, 3)}
        for video in videos
    ]
