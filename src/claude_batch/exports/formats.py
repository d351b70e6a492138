"""Findings for other tools: SARIF, reviewdog's diagnostics, Markdown, JSON."""

import json
from collections.abc import Sequence
from typing import Literal

from claude_batch.diff.model import Side
from claude_batch.exports.sarif import LEVELS, message_text, build_sarif
from claude_batch.findings.finding import Finding, label
from claude_batch.findings.placement import Dropped, Placed
from claude_batch.markdown import code_block, code_span, escape_block, escape_line, strip_hidden

DocumentFormat = Literal["sarif", "rdjsonl", "markdown", "json"]
REVIEWDOG_SEVERITIES = {"error": "ERROR", "warning": "WARNING", "note": "INFO"}


def render_findings(form: DocumentFormat, placed: Sequence[Placed], unplaced: Sequence[Dropped]) -> str:
    """One document, ended by a newline (rdjsonl: a line for each finding)."""
    match form:
        case "sarif":
            return _pretty(build_sarif(placed, unplaced).document())
        case "rdjsonl":
            return render_rdjsonl(placed, unplaced)
        case "markdown":
            return render_markdown(placed, unplaced)
        case "json":
            items = [*map(_placed_item, placed), *map(_dropped_item, unplaced)]
            return _pretty({"items": items, "total": len(items)})


def render_rdjsonl(placed: Sequence[Placed], unplaced: Sequence[Dropped]) -> str:
    """https://github.com/reviewdog/reviewdog/tree/master/proto/rdf"""
    rows = [_diagnostic(one.finding, one.path, one) for one in placed]
    rows += [_diagnostic(one.finding, one.finding.path, None) for one in unplaced]
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _diagnostic(finding: Finding, path: str, placed: Placed | None) -> dict[str, object]:
    location: dict[str, object] = {"path": _printable(path)}
    row: dict[str, object] = {
        "message": message_text(finding),
        "location": location,
        "severity": REVIEWDOG_SEVERITIES[LEVELS[finding.severity]],
        "source": {"name": "claude-batch"},
        "code": {"value": finding.category},
    }
    if placed and placed.side is Side.RIGHT:
        span = {"start": {"line": placed.first_line}, "end": {"line": placed.line}}
        location["range"] = span
        if placed.suggestion is not None:
            row["suggestions"] = [{"range": span, "text": placed.suggestion.removesuffix("\n")}]
    return row


def _printable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def render_markdown(placed: Sequence[Placed], unplaced: Sequence[Dropped]) -> str:
    if not placed and not unplaced:
        return "No findings.\n"
    parts = []
    for one in placed:
        lines = str(one.line) if one.first_line == one.line else f"{one.first_line}-{one.line}"
        old = " (old)" if one.side is Side.LEFT else ""
        parts += _section(one.finding, code_span(f"{one.path}:{lines}") + old)
        if one.suggestion is not None:
            parts.append(code_block(one.suggestion))
    for dropped in unplaced:
        parts += _section(dropped.finding, f"{code_span(dropped.finding.path)} ({dropped.reason})")
    return "\n\n".join(parts) + "\n"


def _section(finding: Finding, where: str) -> list[str]:
    heading = [f"### {escape_line(finding.title)}", f"{where} · {label(finding)}"]
    body = escape_block(finding.body)
    return [*heading, body] if body else heading


def _placed_item(one: Placed) -> dict[str, object]:
    return _item(one.finding, one.path) | {
        "first_line": one.first_line,
        "line": one.line,
        "suggestion": one.suggestion,
    }


def _dropped_item(one: Dropped) -> dict[str, object]:
    return _item(one.finding, one.finding.path) | {"reason": one.reason}


def _item(finding: Finding, path: str) -> dict[str, object]:
    return {
        "id": finding.id,
        "fingerprint": finding.fingerprint,
        "kind": finding.kind,
        "path": _printable(path),
        "side": finding.side,
        "severity": finding.severity,
        "confidence": finding.confidence,
        "category": finding.category,
        "title": strip_hidden(finding.title),
        "body": strip_hidden(finding.body),
    }


def _pretty(document: object) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
