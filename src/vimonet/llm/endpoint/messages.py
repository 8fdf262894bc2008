"""Messages for a chat endpoint, and JSON out of what it answers."""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Sequence
from typing import Any

from vimonet.utils.errors import InputError

_OPENINGS = 100  # braces at which an object is looked for
_IMAGE_TOKENS = 800  # a picture of 512 x 512 costs 255 to about 1,000 tokens, by service
_MAGIC = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg"}


def message(role: str, text: str, images: Sequence[bytes] = ()) -> dict[str, Any]:
    """Make a chat message.

    Args:
        role: ``system``, ``user`` or ``assistant``.
        text: the words of the message.
        images: whole PNG or JPEG files, sent as data URLs after the text.

    Raises:
        InputError: an image that is neither.
    """
    if not images:
        return {"role": role, "content": text}
    parts: list[dict[str, Any]] = [{"type": "text", "text": text}]
    for image in images:
        kind = next((kind for magic, kind in _MAGIC.items() if image.startswith(magic)), None)
        if kind is None:
            raise InputError("an image for the endpoint is neither PNG nor JPEG; give the bytes of such a file.")
        url = f"data:{kind};base64,{base64.b64encode(image).decode('ascii')}"
        parts.append({"type": "image_url", "image_url": {"url": url}})
    return {"role": role, "content": parts}


def with_schema(messages: Sequence[dict[str, Any]], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Add the schema in words to the messages, for a server that ignores ``response_format``."""
    words = "Answer with one JSON object and nothing else. It must satisfy this JSON schema: "
    words += json.dumps(schema, sort_keys=True, ensure_ascii=False)
    first, *rest = messages
    if first["role"] == "system" and isinstance(first["content"], str):
        return [{**first, "content": f"{first['content'].rstrip()}\n\n{words}"}, *rest]
    return [message("system", words), *messages]


def parse(text: str, schema: dict[str, Any]) -> tuple[Any, str | None]:
    """JSON out of an answer, checked: (value, None), or (None, what is wrong in a few words).

    Forgiven: a chain of thought in ``<think>``, a fence of back-quotes, words before and after the one object.
    """
    import jsonschema

    text = _without_thoughts(text)
    value, found = None, False
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    for opening in itertools.islice((at for at, letter in enumerate(text) if letter == "{"), _OPENINGS):
        try:
            value, _ = decoder.raw_decode(text, opening)
        except (ValueError, RecursionError):
            continue
        found = True
        break
    if not found:
        return None, "no JSON object in it"
    problem = jsonschema.exceptions.best_match(jsonschema.Draft202012Validator(schema).iter_errors(value))
    if problem is None:
        return value, None
    where = "".join(f"[{step!r}]" for step in problem.absolute_path)
    return None, f"{problem.message[:300]}{f' at {where}' if where else ''}"


def _without_thoughts(text: str) -> str:
    """Drop every ``<think> ... </think>``, in one pass over the text."""
    kept, at = [], 0
    while (begin := text.find("<think>", at)) >= 0 and (end := text.find("</think>", begin)) >= 0:
        kept.append(text[at:begin])
        at = end + len("</think>")
    return "".join([*kept, text[at:]])


def estimate_tokens(messages: Sequence[dict[str, Any]]) -> int:
    """Rough number of prompt tokens: a quarter of the letters, 800 per image."""
    total = 0
    for entry in messages:
        content = entry["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        total += 4
        for part in parts:
            total += _IMAGE_TOKENS if part["type"] == "image_url" else len(part["text"]) // 4 + 1
    return total


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")
