"""The model of the sandbox: it answers the params of a request by plain rules."""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from claude_batch.sandbox.anthropic_server.review_rules import ReviewRule, rules_for
from claude_batch.sandbox.anthropic_server.verifier import render_verdicts

CHARACTERS_PER_TOKEN = 2.2
MOST = 20  # findings of one answer, as a reviewer would stop too
ANCHORED = re.compile(r"([1-9]\d*[a-z]{3})([ +-])(.*)")
FILE = re.compile(r'<file path=("(?:\\.|[^"\\])*")')
KIND = re.compile(r"^Kind: ([a-z][a-z0-9-]*)", re.MULTILINE)


@dataclass(frozen=True)
class ModelReply:
    """The outcome of one request. Tokens that are None are counted from the text."""

    text: str = ""
    stop_reason: str = "end_turn"
    thinking: str | None = None
    result: Literal["succeeded", "errored", "canceled", "expired"] = "succeeded"
    error: tuple[str, str] = ("api_error", "Internal server error")  # kind, message
    refusal: str | None = None  # the category of a refusal
    input_tokens: int | None = None
    output_tokens: int | None = None


def review(params: Mapping[str, object]) -> ModelReply:
    """Return the reply to a request: the same reply to the same params."""
    shape = _schema(params)
    fields = _mapping(shape.get("properties"))
    if "verdicts" in fields:
        return ModelReply(render_verdicts("\n".join(_said(params.get("messages")))))
    if shape and "findings" not in fields:
        return ModelReply(json.dumps(_least(shape)))
    system = "\n".join(texts(params.get("system")))
    found = KIND.search(system)
    rules = list(rules_for(found[1] if found else "review"))
    shown = "\n".join(_said(params.get("messages")))
    findings = list(islice(_findings(shown, rules), MOST))
    return ModelReply(json.dumps({"findings": findings}, ensure_ascii=False))


def count_tokens(text: str) -> int:
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def texts(content: object) -> Iterator[str]:
    """Yield a string itself, or the texts of a list of blocks."""
    if isinstance(content, str):
        yield content
    for block in content if isinstance(content, list) else []:
        text = _mapping(block).get("text")
        if isinstance(text, str):
            yield text


def _said(messages: object) -> Iterator[str]:
    for message in messages if isinstance(messages, list) else []:
        if _mapping(message).get("role") == "user":
            yield from texts(_mapping(message).get("content"))


def _findings(shown: str, rules: Sequence[ReviewRule]) -> Iterator[dict[str, object]]:
    for path, rows in _files(shown):
        signs = {row[2] for row in rows}
        # A file that somebody named whole has neither added nor removed lines.
        judged = "+" if signs & {"+", "-"} else " "
        for anchored in rows:
            for rule in rules:
                if anchored[2] != judged or not rule.applies_to(path):
                    continue
                if found := rule.finds(anchored[3]):
                    yield _finding(rule, anchored[1], found, anchored[3])


def _files(shown: str) -> Iterator[tuple[str, list[re.Match[str]]]]:
    """The anchored rows of each file."""
    path, rows = "", list[re.Match[str]]()
    for row in shown.split("\n"):
        if named := FILE.match(row):
            yield path, rows
            path, rows = named[1].strip('"'), []
        elif anchored := ANCHORED.fullmatch(row):
            rows.append(anchored)
    yield path, rows


def _finding(rule: ReviewRule, mark: str, found: re.Match[str], line: str) -> dict[str, object]:
    return {
        "from": mark,
        "to": mark,
        "severity": rule.severity,
        "confidence": rule.confidence,
        "category": rule.category,
        "title": rule.title,
        "body": f"{rule.body} (Found by the sandbox's rule {rule.name}, not by Claude.)",
        "replacement": rule.replace(found, line) if rule.replace else None,
    }


def _schema(params: Mapping[str, object]) -> Mapping[str, object]:
    shape = _mapping(_mapping(params.get("output_config")).get("format"))
    return _mapping(shape.get("schema"))


def _least(schema: Mapping[str, object]) -> object:
    """Return the smallest value that fits a schema other than a review's."""
    if "enum" in schema:
        return next(iter(schema["enum"])) if isinstance(schema["enum"], list) else None
    match schema.get("type"):
        case "object":
            fields = _mapping(schema.get("properties"))
            return {name: _least(_mapping(field)) for name, field in fields.items()}
        case "array":
            return []
        case "string":
            return ""
        case "integer" | "number":
            return 0
        case "boolean":
            return False
        case _:
            return None


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
