"""Replies in the wire shapes of the API: messages, results, errors."""

import uuid
from collections.abc import Mapping
from dataclasses import replace

from claude_batch.sandbox.anthropic_server.reviewer import (
    CHARACTERS_PER_TOKEN,
    ModelReply,
    count_tokens,
)
from claude_batch.sandbox.anthropic_server.usage import Counts, render_usage

Json = dict[str, object]


class AnthropicErrorResponse(Exception):
    """An answer with an error status."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


def error_envelope(
    kind: str, message: str, request_id: str | None, details: Mapping[str, object] | None = None
) -> Json:
    inner: Json = {"type": kind, "message": message}
    if details:
        inner["details"] = dict(details)
    return {"type": "error", "error": inner, "request_id": request_id}


def new_id(prefix: str) -> str:
    return f"{prefix}_01{uuid.uuid4().hex[:22]}"


def render_message(
    params: Mapping[str, object], reply: ModelReply, counts: Counts, tier: str
) -> Json:
    reply = _within(int(str(params["max_tokens"])), reply)
    content: list[Json] = []
    if reply.thinking is not None:
        content.append({"type": "thinking", "thinking": reply.thinking, "signature": "sandbox"})
    if reply.text:
        content.append({"type": "text", "text": reply.text, "citations": None})
    refusal = {"type": "refusal", "category": reply.refusal, "explanation": None}
    return {
        "model": params["model"],
        "id": new_id("msg"),
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": reply.stop_reason,
        "stop_sequence": None,
        "stop_details": refusal if reply.stop_reason == "refusal" else None,
        "usage": render_usage(reply, counts, tier),
    }


def _within(limit: int, reply: ModelReply) -> ModelReply:
    """Cut at max_tokens, thinking first, as generation is."""
    thought = count_tokens(reply.thinking or "")
    if reply.output_tokens is not None or thought + count_tokens(reply.text) <= limit:
        return reply
    kept = int(max(0, limit - thought) * CHARACTERS_PER_TOKEN)
    return replace(reply, text=reply.text[:kept], stop_reason="max_tokens", output_tokens=limit)
