"""Findings as SARIF 2.1.0, with the properties that GitHub's code scanning reads.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import string
from collections.abc import Sequence

from claude_batch import __version__
from claude_batch.diff.model import Side
from claude_batch.findings.finding import Category, Finding, Severity
from claude_batch.findings.placement import DroppedFinding, PlacedFinding
from claude_batch.markdown import strip_hidden

Json = dict[str, object]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
URI_CHARACTERS = frozenset(f"{string.ascii_letters}{string.digits}-._~/".encode())

SARIF_LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}


def build_sarif(placed: Sequence[PlacedFinding], unplaced: Sequence[DroppedFinding]) -> Json:
    findings = [item.finding for item in placed] + [item.finding for item in unplaced]
    used = {finding.category for finding in findings}
    driver = {
        "name": "claude-batch",
        "version": __version__,
        "rules": [{"id": category} for category in Category if category in used],
    }
    results = [*map(_placed_result, placed), *map(_dropped_result, unplaced)]
    run = {"tool": {"driver": driver}, "results": results, "columnKind": "unicodeCodePoints"}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _placed_result(placed: PlacedFinding) -> Json:
    location = _location(placed.path)
    result = _result(placed.finding, location)
    # Removed lines are not in the file that the location names, so they have no region.
    if placed.side is Side.RIGHT:
        location["region"] = {"startLine": placed.first_line, "endLine": placed.line}
        if placed.suggestion is not None:
            result["fixes"] = [_fix(placed, placed.suggestion)]
    return result


def _dropped_result(dropped: DroppedFinding) -> Json:
    finding = dropped.finding
    return _result(finding, _location(finding.path), reason=dropped.reason)


def _result(finding: Finding, location: Json, **properties: str) -> Json:
    return {
        "ruleId": finding.category,
        "level": SARIF_LEVELS[finding.severity],
        "message": {"text": render_plain_text(finding)},
        "locations": [{"physicalLocation": location}],
        "partialFingerprints": {"claudeBatch/v1": finding.fingerprint},
        "properties": {
            "kind": finding.kind,
            "severity": finding.severity,
            "confidence": finding.confidence,
            "side": finding.side,
            **properties,
        },
    }


def _location(path: str) -> Json:
    encoded = path.encode("utf-8", "surrogateescape")
    uri = "".join(chr(byte) if byte in URI_CHARACTERS else f"%{byte:02X}" for byte in encoded)
    return {"artifactLocation": {"uri": uri, "uriBaseId": "%SRCROOT%"}}


def _fix(placed: PlacedFinding, text: str) -> Json:
    # A region without columns is whole lines without the newline of the last one.
    region = {"startLine": placed.first_line, "endLine": placed.line}
    if not text:
        # Deleted lines take their newline with them.
        region = {
            "startLine": placed.first_line,
            "startColumn": 1,
            "endLine": placed.line + 1,
            "endColumn": 1,
        }
    replacement = {
        "deletedRegion": region,
        "insertedContent": {"text": text.removesuffix("\n")},
    }
    return {"artifactChanges": [_location(placed.path) | {"replacements": [replacement]}]}


def render_plain_text(finding: Finding) -> str:
    """The title and the body, not escaped: other tools do their own escaping."""
    return f"{strip_hidden(finding.title).strip()}\n\n{strip_hidden(finding.body).strip()}".strip()
