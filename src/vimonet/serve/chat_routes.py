"""Answer chats as OpenAI's API does, whole or streamed, and list the model."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from vimonet.serve.api_types import ChatRequest
from vimonet.serve.chat_messages import Chat, Clips, chat_of, check_request, read_clips
from vimonet.serve.guards import LOG, owner_of
from vimonet.serve.model_worker import Answered, Question
from vimonet.serve.server_errors import ApiError, PlainJSON, bad_request, deadline_passed, our_mistake, plain_json
from vimonet.serve.serving import Server, Serving, late
from vimonet.utils.errors import InputError

router = APIRouter(tags=["chat"])


@router.get("/v1/models")
async def models(server: Serving) -> PlainJSON:
    """List the one model."""
    return PlainJSON({"object": "list", "data": [_model(server)]})


@router.get("/v1/models/{model}")
async def model(model: str, server: Serving) -> PlainJSON:
    """Describe the model."""
    if model != server.worker.name:
        raise ApiError(404, f"there is no such model; this server has {server.worker.name}.", "model_not_found")
    return PlainJSON(_model(server))


def _model(server: Server) -> dict[str, Any]:
    return {"id": server.worker.name, "object": "model", "created": server.worker.created, "owned_by": "vimonet"}


@router.post("/v1/chat/completions")
async def chat_completions(asked: ChatRequest, request: Request, server: Serving) -> Response:
    """Answer a question about recordings, after earlier turns; a turn without a recording is about the last one."""
    check_request(asked, server)
    tokens, most = asked.max_completion_tokens or asked.max_tokens, server.limits.new_tokens
    chat = chat_of(asked.messages, server, owner_of(request.headers))
    if tokens is not None and tokens > most:  # many clients send 1,024 or 4,096 unasked
        tokens, chat = most, replace(chat, notes=(*chat.notes, f"max_tokens: an answer has at most {most} tokens"))
    clips = await read_clips(chat.attachments, server)
    question = Question(
        chat.question,
        clips.digests,
        clips.motions,
        clips.videos,
        chat.history,
        max_new_tokens=tokens,
        answer_policy=asked.answer_policy,
    )
    reply = _Reply(server, chat, clips)
    if asked.stream:
        usage = asked.stream_options is not None and asked.stream_options.include_usage
        stream = _stream(server, question, reply, late(request), usage=usage)
        await anext(stream)  # what is wrong until here is an error with its own status
        return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})
    done = await asyncio.wrap_future(server.worker.submit(question))
    reply.answered()
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": done.answer.text, "refusal": None},
        "logprobs": None,
        "finish_reason": reply.finish(done),
    }
    about = {"choices": [choice], "usage": reply.usage(done), "vimonet": reply.about(done)}
    return PlainJSON({**reply.head("chat.completion"), **about})


class _Reply:
    """Write the parts of a reply."""

    def __init__(self, server: Server, chat: Chat, clips: Clips) -> None:
        self.server, self.chat, self.clips = server, chat, clips
        self.id, self.created = f"chatcmpl-{secrets.token_hex(12)}", int(time.time())

    def head(self, kind: str) -> dict[str, Any]:
        """Return what every object of the reply begins with."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.server.worker.name}

    def about(self, done: Answered) -> dict[str, Any]:
        """Return what only ViMoNet says: confidence, provenance, measurements that bear on the question, notes."""
        return {**done.record, "recordings": list(self.clips.read), "notes": [*self.chat.notes, *self.clips.notes]}

    def usage(self, done: Answered) -> dict[str, int]:
        """Count the tokens."""
        return {
            "prompt_tokens": done.prompt_tokens,
            "completion_tokens": done.tokens,
            "total_tokens": done.prompt_tokens + done.tokens,
        }

    def finish(self, done: Answered) -> str:
        """Say why the answer ends; a measured one is whole whatever the model wrote."""
        return "stop" if done.ended or done.answer.provenance in ("measured", "withheld") else "length"

    def answered(self) -> None:
        """Forget the uploads that were asked about, unless they stay."""
        for one in self.chat.attachments:
            if one.upload is not None:
                self.server.uploads.answered(one.upload)

    def chunk(self, delta: dict[str, Any], finish: str | None = None, **more: Any) -> str:
        """Write one event of a stream."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return _event({**self.head("chat.completion.chunk"), "choices": [choice], **more})


async def _stream(server: Server, question: Question, reply: _Reply, due: float, *, usage: bool) -> AsyncIterator[str]:
    """Yield the events of a streamed answer: first an empty one, when there is something to say.

    Words come token by token where the answer policy cannot change them; else the answer comes when it is decided. What
    goes wrong before the first event is raised, so that it has a status of its own; later it is an event.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[str | None] = asyncio.Queue()
    question.on_text = lambda piece: loop.call_soon_threadsafe(pieces.put_nowait, piece)  # type: ignore[assignment]
    handed = server.worker.submit(question)
    answer = asyncio.wrap_future(handed)
    answer.add_done_callback(lambda _: pieces.put_nowait(None))
    started, given = False, ""
    try:
        piece = await pieces.get()
        if piece is None:
            await answer
        yield ""
        started = True
        yield reply.chunk({"role": "assistant", "content": ""})
        while piece is not None:
            given += piece
            yield reply.chunk({"content": piece})
            piece = await asyncio.wait_for(pieces.get(), due - loop.time())
        done = await answer
        reply.answered()
        text = done.answer.text
        if text.startswith(given) and len(text) > len(given):
            yield reply.chunk({"content": text[len(given) :]})
        yield reply.chunk({}, reply.finish(done), vimonet=reply.about(done))
        if usage:
            yield _event({**reply.head("chat.completion.chunk"), "choices": [], "usage": reply.usage(done)})
        yield "data: [DONE]\n\n"
    except Exception as error:
        if not started:
            raise
        LOG.error("a stream failed: %s", type(error).__name__)
        yield _event(_told(error, server).body())
    finally:
        handed.cancel()


def _told(error: Exception, server: Server) -> ApiError:
    """Say what went wrong after a stream had begun."""
    if isinstance(error, TimeoutError):
        return deadline_passed(server.limits.deadline_seconds)
    if isinstance(error, InputError):
        return bad_request(str(error), code="unusable_input")
    return error if isinstance(error, ApiError) else our_mistake()


def _event(value: Any) -> str:
    return f"data: {plain_json(value)}\n\n"
