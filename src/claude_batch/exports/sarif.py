"""Findings as SARIF 2.1.0, as small as GitHub's code scanning takes it.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import string
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from claude_batch import __version__
from claude_batch.diff.model import Side
from claude_batch.findings.finding import Category, Finding, Severity
from claude_batch.findings.placement import Dropped, Placed
from claude_batch.markdown import strip_hidden

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
IN_URI = frozenset(f"{string.ascii_letters}{string.digits}-._~/".encode())

LEVELS: dict[Severity, Literal["error", "warning", "note"]] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
}


class Sarif(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, validate_by_name=True
    )


class Text(Sarif):
    text: str


class Region(Sarif):
    """Without columns: whole lines, without the newline of the last."""

    start_line: int
    end_line: int
    start_column: int | None = None
    end_column: int | None = None


class Artifact(Sarif):
    uri: str
    uri_base_id: str = "%SRCROOT%"


class Physical(Sarif):
    artifact_location: Artifact
    region: Region | None = None


class Location(Sarif):
    physical_location: Physical


class Replacement(Sarif):
    deleted_region: Region
    inserted_content: Text


class ArtifactChange(Sarif):
    artifact_location: Artifact
    replacements: tuple[Replacement, ...]


class Fix(Sarif):
    artifact_changes: tuple[ArtifactChange, ...]


class Properties(Sarif):
    kind: str
    severity: str
    confidence: str
    side: str
    reason: str | None = None


class Result(Sarif):
    rule_id: str
    level: str
    message: Text
    locations: tuple[Location, ...]
    partial_fingerprints: dict[str, str]
    fixes: tuple[Fix, ...] | None = None
    properties: Properties


class Rule(Sarif):
    id: str


class Driver(Sarif):
    name: str = "claude-batch"
    version: str
    rules: tuple[Rule, ...]


class Tool(Sarif):
    driver: Driver


class Run(Sarif):
    tool: Tool
    results: tuple[Result, ...]
    column_kind: str = "unicodeCodePoints"


class Log(Sarif):
    """The field `schema` would hide a method of pydantic's; `document` adds it."""

    version: str = "2.1.0"
    runs: tuple[Run, ...]

    def document(self) -> dict[str, object]:
        return {"$schema": SCHEMA} | self.model_dump(by_alias=True, exclude_none=True)


def build_sarif(placed: Sequence[Placed], unplaced: Sequence[Dropped]) -> Log:
    results = (*map(_placed_result, placed), *map(_dropped_result, unplaced))
    used = {result.rule_id for result in results}
    rules = tuple(Rule(id=category) for category in Category if category in used)
    driver = Driver(version=__version__, rules=rules)
    return Log(runs=(Run(tool=Tool(driver=driver), results=results),))


def _placed_result(one: Placed) -> Result:
    """Removed lines are not in the file that the document speaks of: they have no region."""
    right = one.side is Side.RIGHT
    region = Region(start_line=one.first_line, end_line=one.line) if right else None
    fixes = (_fix(one, one.suggestion),) if right and one.suggestion is not None else None
    return _result(one.finding, one.path, region, fixes, None)


def _dropped_result(one: Dropped) -> Result:
    return _result(one.finding, one.finding.path, None, None, one.reason)


def _result(
    finding: Finding,
    path: str,
    region: Region | None,
    fixes: tuple[Fix, ...] | None,
    reason: str | None,
) -> Result:
    physical = Physical(artifact_location=_artifact(path), region=region)
    return Result(
        rule_id=finding.category,
        level=LEVELS[finding.severity],
        message=Text(text=message_text(finding)),
        locations=(Location(physical_location=physical),),
        partial_fingerprints={"claudeBatch/v1": finding.fingerprint},
        fixes=fixes,
        properties=Properties(
            kind=finding.kind,
            severity=finding.severity,
            confidence=finding.confidence,
            side=finding.side,
            reason=reason,
        ),
    )


def _artifact(path: str) -> Artifact:
    raw = path.encode("utf-8", "surrogateescape")
    return Artifact(uri="".join(chr(byte) if byte in IN_URI else f"%{byte:02X}" for byte in raw))


def _fix(one: Placed, text: str) -> Fix:
    """Lines that go take their newline with them."""
    region = Region(start_line=one.first_line, end_line=one.line)
    if not text:
        region = Region(
            start_line=one.first_line, start_column=1, end_line=one.line + 1, end_column=1
        )
    change = ArtifactChange(
        artifact_location=_artifact(one.path),
        replacements=(
            Replacement(deleted_region=region, inserted_content=Text(text=text.removesuffix("\n"))),
        ),
    )
    return Fix(artifact_changes=(change,))


def message_text(finding: Finding) -> str:
    """Plain text: other tools do their own escaping."""
    return f"{strip_hidden(finding.title).strip()}\n\n{strip_hidden(finding.body).strip()}".strip()
