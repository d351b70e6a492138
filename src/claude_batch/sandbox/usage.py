"""The sandbox's token counts, cache counters included.

Characters are divided by a constant, and a prefix is cached as the documentation says: written
at a breakpoint, read by what starts after the writer has answered, never by its siblings in the
same batch.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta

from claude_batch.sandbox.catalogue import CATALOGUE
from claude_batch.sandbox.params import blocks
from claude_batch.sandbox.reviewer import Reply, tokens

LIVES = {"5m": timedelta(minutes=5), "1h": timedelta(hours=1)}
Counts = dict[str, int]  # by "read", "5m" and "1h" (writes), "input" (the rest)


class PrefixCache:
    def __init__(self) -> None:
        self._ends: dict[str, tuple[datetime, datetime]] = {}  # readable from, until

    def count(self, params: Mapping[str, object], started: datetime, ended: datetime) -> Counts:
        """Input tokens by class of a request that ran from `started` to `ended`."""
        minimum = CATALOGUE[str(params["model"])].cache_minimum
        digest = hashlib.sha256(str(params["model"]).encode())
        digest.update(json.dumps(params.get("output_config"), sort_keys=True).encode())
        counts = {"read": 0, "5m": 0, "1h": 0, "input": 0}
        total = pending = 0
        for block in blocks(params):
            size = tokens(_shown(block))
            total, pending = total + size, pending + size
            digest.update(_shown(block).encode("utf-8", "surrogatepass"))
            control = block.get("cache_control") if isinstance(block, dict) else None
            if isinstance(control, dict) and total >= minimum:
                life = control.get("ttl", "5m")
                hit = self._touch(digest.hexdigest(), LIVES[life], started, ended)
                counts["read" if hit else life] += pending
                pending = 0
        counts["input"] = pending
        return counts

    def _touch(self, prefix: str, life: timedelta, started: datetime, ended: datetime) -> bool:
        readable, until = self._ends.get(prefix, (ended, started))
        hit = readable <= started < until
        self._ends[prefix] = (readable if hit else ended, max(until, ended + life))
        return hit


def input_tokens(params: Mapping[str, object]) -> int:
    """Without caching: what count_tokens says."""
    return sum(tokens(_shown(block)) for block in blocks(params))


def usage(reply: Reply, counts: Counts, tier: str) -> dict[str, object]:
    thought = tokens(reply.thinking or "")
    output = thought + tokens(reply.text) if reply.output_tokens is None else reply.output_tokens
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
