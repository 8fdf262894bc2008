"""Answer about one recording without a chat: facts, caption, keypoints, the page's document; and search."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request

from vimonet.motion import recording_info
from vimonet.motion.kinematics import measure
from vimonet.page.document import film_document, write_document
from vimonet.serve.api_types import SearchRequest
from vimonet.serve.attachments import Attachment
from vimonet.serve.chat_messages import read_clips
from vimonet.serve.model_worker import Question
from vimonet.serve.server_errors import ApiError, PlainJSON
from vimonet.serve.serving import Server, Serving, index_of, moments, read_motion, recording_of
from vimonet.utils.errors import InputError

router = APIRouter(tags=["movement"])


@router.post("/v1/motion/facts")
async def facts(request: Request, server: Serving) -> PlainJSON:
    """Measure a recording: how it was read, every fact with its unit, and the facts in words."""
    attachment = await recording_of(request)
    motion = await read_motion(server, attachment)
    found = await server.reading.work(lambda: measure(motion))
    _answered(server, attachment)
    described = {**recording_info(motion), "facts": found.to_dict(), "lines": found.lines()}
    return PlainJSON({"object": "motion.facts", **described})


@router.post("/v1/motion/caption")
async def caption(request: Request, server: Serving) -> PlainJSON:
    """Describe a recording in a sentence, with confidence and times."""
    attachment = await recording_of(request)
    clips = await read_clips([attachment], server)
    asked = server.worker.assistant.config.caption_question
    question = Question(asked, clips.digests, clips.motions, clips.videos, max_new_tokens=64)
    done = await asyncio.wrap_future(server.worker.submit(question))
    _answered(server, attachment)
    usage = {"prompt_tokens": done.prompt_tokens, "completion_tokens": done.tokens}
    usage["total_tokens"] = sum(usage.values())
    about = {"model": server.worker.name, **done.record, "notes": list(clips.notes), "usage": usage}
    return PlainJSON({"object": "motion.caption", **about})


@router.post("/v1/motion/document")
async def document(request: Request, server: Serving) -> PlainJSON:
    """Write a recording as the document that the page shows."""
    attachment = await recording_of(request)
    assistant = server.worker.assistant
    try:
        motion = await read_motion(server, attachment)
    except InputError as error:
        if not attachment.is_video:
            raise
        written = await _film_alone(server, attachment, error)
        _answered(server, attachment)
        return PlainJSON(written)
    try:
        actions = await asyncio.wrap_future(server.worker.call(lambda: assistant.actions(motion)))
    except InputError:  # of a kind that this model does not read; it can be drawn all the same
        actions = ()
    shown = motion.named(Path(attachment.name).stem)
    written = await server.reading.work(lambda: write_document(shown, actions=actions, model=server.worker.name))
    _answered(server, attachment)
    return PlainJSON(written)


async def _film_alone(server: Server, attachment: Attachment, error: InputError) -> dict[str, Any]:
    """Write the document of a video in which no movement can be read, with the reason among its notes."""
    seconds = (await server.reading.frames(attachment.name, attachment.data, count=1)).duration
    note = f"{str(error).rstrip('.')}; the page shows the film alone"
    return film_document(Path(attachment.name).stem, seconds) | {"notes": [note], "model": server.worker.name}


@router.post("/v1/pose")
async def pose(request: Request, server: Serving) -> PlainJSON:
    """Estimate the keypoints of one person in a video, frame by frame."""
    attachment = await recording_of(request)
    if not attachment.is_video:
        raise ApiError(400, f"{attachment.name}: this is no video; keypoints are estimated in videos.", "not_a_video")
    options = {key: value for key, value in attachment.options.items() if key == "person"}
    found = await server.reading.poses(attachment.name, attachment.data, **options)
    _answered(server, attachment)
    return PlainJSON({"object": "pose", **found})


@router.post("/v1/search")
async def search(asked: SearchRequest, server: Serving) -> PlainJSON:
    """Find moments in the recordings of this server's index by a sentence."""
    hits = await moments(asked, server)
    return PlainJSON({"object": "list", "data": [_hit(hit.to_dict(), index_of(server).root) for hit in hits]})


def _hit(hit: dict[str, Any], root: Path) -> dict[str, Any]:
    """Describe a hit by its path below the indexed folder: where that lies is the server's own business."""
    return {"object": "search.hit", **hit, "path": Path(hit["path"]).relative_to(root).as_posix()}


def _answered(server: Server, attachment: Attachment) -> None:
    if attachment.upload is not None:
        server.uploads.answered(attachment.upload)
