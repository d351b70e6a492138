"""Documents of findings for other tools: SARIF, reviewdog's diagnostics, Markdown, JSON."""

import json
from collections.abc import Sequence
from typing import Literal

from claude_batch.diff.model import Side
from claude_batch.exports.sarif import SARIF_LEVELS, build_sarif, render_plain_text
from claude_batch.findings.finding import Finding, render_label
from claude_batch.findings.placement import DroppedFinding, PlacedFinding
from claude_batch.markdown import code_block, code_span, escape_block, escape_line, strip_hidden

DocumentFormat = Literal["sarif", "rdjsonl", "markdown", "json"]
REVIEWDOG_SEVERITIES = {"error": "ERROR", "warning": "WARNING", "note": "INFO"}


def render_findings(
    document_format: DocumentFormat,
    placed: Sequence[PlacedFinding],
    unplaced: Sequence[DroppedFinding],
) -> str:
    """Return one document that ends with a newline (rdjsonl: a line per finding)."""
    match document_format:
        case "sarif":
            return _pretty(build_sarif(placed, unplaced))
        case "rdjsonl":
            return render_rdjsonl(placed, unplaced)
        case "markdown":
            return render_markdown(placed, unplaced)
        case "json":
            items = [*map(_placed_item, placed), *map(_dropped_item, unplaced)]
            return _pretty({"items": items, "total": len(items)})


def render_rdjsonl(placed: Sequence[PlacedFinding], unplaced: Sequence[DroppedFinding]) -> str:
    """https://github.com/reviewdog/reviewdog/tree/master/proto/rdf"""
    diagnostics = [_diagnostic(item.finding, item.path, item) for item in placed]
    diagnostics += [_diagnostic(item.finding, item.finding.path, None) for item in unplaced]
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in diagnostics)


def _diagnostic(finding: Finding, path: str, placed: PlacedFinding | None) -> dict[str, object]:
    location: dict[str, object] = {"path": _printable(path)}
    diagnostic: dict[str, object] = {
        "message": render_plain_text(finding),
        "location": location,
        "severity": REVIEWDOG_SEVERITIES[SARIF_LEVELS[finding.severity]],
        "source": {"name": "claude-batch"},
        "code": {"value": finding.category},
    }
    if placed and placed.side is Side.RIGHT:
        lines = {"start": {"line": placed.first_line}, "end": {"line": placed.line}}
        location["range"] = lines
        if placed.suggestion is not None:
            text = placed.suggestion.removesuffix("\n")
            diagnostic["suggestions"] = [{"range": lines, "text": text}]
    return diagnostic


def _printable(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def render_markdown(placed: Sequence[PlacedFinding], unplaced: Sequence[DroppedFinding]) -> str:
    if not placed and not unplaced:
        return "No findings.\n"
    parts = []
    for item in placed:
        old = " (old)" if item.side is Side.LEFT else ""
        parts += _section(item.finding, code_span(f"{item.path}:{item.line_range}") + old)
        if item.suggestion is not None:
            parts.append(code_block(item.suggestion))
    for dropped in unplaced:
        parts += _section(dropped.finding, f"{code_span(dropped.finding.path)} ({dropped.reason})")
    return "\n\n".join(parts) + "\n"


def _section(finding: Finding, place: str) -> list[str]:
    heading = [f"### {escape_line(finding.title)}", f"{place} · {render_label(finding)}"]
    body = escape_block(finding.body)
    return [*heading, body] if body else heading


def _placed_item(placed: PlacedFinding) -> dict[str, object]:
    return _item(placed.finding, placed.path) | {
        "first_line": placed.first_line,
        "line": placed.line,
        "suggestion": placed.suggestion,
    }


def _dropped_item(dropped: DroppedFinding) -> dict[str, object]:
    return _item(dropped.finding, dropped.finding.path) | {"reason": dropped.reason}


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
