"""Client of any OpenAI-compatible chat endpoint: text and images in, text or schema-checked JSON out.

    endpoint = Endpoint(Settings("http://localhost:8000/v1", "qwen2.5-vl", cache=Path("cache")))
    reply = endpoint.chat([message("user", "How many times?", images=[png])], schema={...})
    reply.value, endpoint.usage

What a long run over a paid service needs is here once: retries, a rate limit, a count of tokens and cost, and a cache
that makes a killed run cost nothing twice. Needs the extra ``llm``.
"""

from __future__ import annotations

from vimonet.llm.endpoint.client import Endpoint, EndpointError, Reply, Request, Settings
from vimonet.llm.endpoint.messages import message
from vimonet.llm.endpoint.reply_cache import default_cache
from vimonet.llm.endpoint.usage import Usage

__all__ = ["Endpoint", "EndpointError", "Reply", "Request", "Settings", "Usage", "default_cache", "message"]
