"""The sandbox's token counts, cache counters included.

Characters are divided by a constant, and a prefix is cached as the documentation says: written
at a breakpoint, read by what starts after the writer has answered, never by its siblings in the
same batch.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from claude_batch.sandbox.anthropic_server.models import CATALOGUE
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply, count_tokens
from claude_batch.sandbox.anthropic_server.validation import prefix_blocks

LIVES = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1)}
LOOK_BACK = 20  # blocks before a breakpoint among which a shorter prefix is found
INVALIDATING = ("model", "output_config", "thinking", "tool_choice")
Counts = dict[str, int]  # by "read", "5m" and "1h" (writes), "input" (the rest)


@dataclass(frozen=True)
class CacheEntry:
    written: datetime  # when the request that wrote it was started
    readable: datetime
    until: datetime

    def serves(self, started: datetime) -> bool:
        """Never what was started together with the writer, however short that took."""
        return self.written < started and self.readable <= started < self.until


class PrefixCache:
    def __init__(self) -> None:
        self._entries: dict[str, CacheEntry] = {}

    def count(self, params: Mapping[str, object], started: datetime, ended: datetime) -> Counts:
        """Input tokens by class of a request that ran from `started` to `ended`."""
        minimum = CATALOGUE[str(params["model"])].cache_minimum
        setting = {key: params.get(key) for key in INVALIDATING}
        digest = hashlib.sha256(json.dumps(setting, sort_keys=True).encode())
        counts = {"read": 0, "5m": 0, "1h": 0, "input": 0}
        prefixes: list[tuple[str, int]] = []
        total = counted = 0
        for block in prefix_blocks(params):
            total += count_tokens(_shown(block))
            digest.update(_shown(block).encode("utf-8", "surrogatepass"))
            prefixes.append((digest.hexdigest(), total))
            control = block.get("cache_control") if isinstance(block, dict) else None
            if isinstance(control, dict) and total >= minimum:
                life = control.get("ttl", "5m")
                known = max(self._known(prefixes[-LOOK_BACK:], started), counted)
                counts["read"] += known - counted
                counts[life] += total - known
                counted = total
                self._keep(digest.hexdigest(), LIVES[life], started, ended)
        counts["input"] = total - counted
        return counts

    def _known(self, prefixes: Sequence[tuple[str, int]], started: datetime) -> int:
        """The tokens of the longest of them that can be read."""
        entries = ((self._entries.get(prefix), total) for prefix, total in prefixes)
        return max((n for entry, n in entries if entry and entry.serves(started)), default=0)

    def _keep(self, prefix: str, life: timedelta, started: datetime, ended: datetime) -> None:
        """Its life counts from the start of the request, and each use begins it anew."""
        entry = self._entries.get(prefix)
        if entry is None or not entry.serves(started):
            entry = CacheEntry(started, ended, started)
        self._entries[prefix] = replace(entry, until=max(entry.until, started + life))


def count_input_tokens(params: Mapping[str, object]) -> int:
    """Return the input tokens without caching, as count_tokens does."""
    return sum(count_tokens(_shown(block)) for block in prefix_blocks(params))


def render_usage(reply: ModelReply, counts: Counts, tier: str) -> dict[str, object]:
    thought = count_tokens(reply.thinking or "")
    output = (
        thought + count_tokens(reply.text) if reply.output_tokens is None else reply.output_tokens
    )
    return {
        "input_tokens": counts["input"] if reply.input_tokens is None else reply.input_tokens,
        "cache_creation_input_tokens": counts["5m"] + counts["1h"],
        "cache_read_input_tokens": counts["read"],
        "cache_creation": {
            "ephemeral_5m_input_tokens": counts["5m"],
            "ephemeral_1h_input_tokens": counts["1h"],
        },
        "output_tokens": output,
        "output_tokens_details": {"thinking_tokens": min(thought, output)},
        "server_tool_use": None,
        "service_tier": tier,
        "inference_geo": "global",
    }


def _shown(block: object) -> str:
    """Text as it is; another block without its cache mark."""
    if isinstance(block, dict) and isinstance(block.get("text"), str):
        return str(block["text"])
    if isinstance(block, dict):
        block = {key: value for key, value in block.items() if key != "cache_control"}
    return json.dumps(block, sort_keys=True)
