import json

from claude_batch import __version__
from claude_batch.diff.model import Side
from claude_batch.exports.formats import render_findings
from claude_batch.findings.finding import Category, Severity
from claude_batch.findings.placement import DroppedFinding
from responses import finding, placed

PLACED = [
    placed(1, (2, 3), path="src/ä b.py", suggestion="x = 1\n", severity=Severity.HIGH),
    placed(2, (9, 9), side=Side.LEFT, category=Category.DOCS, severity=Severity.LOW),
]
UNPLACED = [DroppedFinding(finding(3, title="Some\u202ewhere", body="", task=None), "unplaced")]


def test_sarif() -> None:
    assert json.loads(render_findings("sarif", PLACED, UNPLACED)) == {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "claude-batch",
                        "version": __version__,
                        "rules": [{"id": "bug"}, {"id": "docs"}],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [
                    {
                        "ruleId": "bug",
                        "level": "error",
                        "message": {"text": "Title 1\n\nBody 1."},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {
                                        "uri": "src/%C3%A4%20b.py",
                                        "uriBaseId": "%SRCROOT%",
                                    },
                                    "region": {"startLine": 2, "endLine": 3},
                                }
                            }
                        ],
                        "partialFingerprints": {"claudeBatch/v1": "0000000000000f01"},
                        "fixes": [
                            {
                                "artifactChanges": [
                                    {
                                        "artifactLocation": {
                                            "uri": "src/%C3%A4%20b.py",
                                            "uriBaseId": "%SRCROOT%",
                                        },
                                        "replacements": [
                                            {
                                                "deletedRegion": {"startLine": 2, "endLine": 3},
                                                "insertedContent": {"text": "x = 1"},
                                            }
                                        ],
                                    }
                                ]
                            }
                        ],
                        "properties": {
                            "kind": "review",
                            "severity": "high",
                            "confidence": "high",
                            "side": "RIGHT",
                        },
                    },
                    {
                        "ruleId": "docs",
                        "level": "note",
                        "message": {"text": "Title 2\n\nBody 2."},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {
                                        "uri": "src/a.py",
                                        "uriBaseId": "%SRCROOT%",
                                    }
                                }
                            }
                        ],
                        "partialFingerprints": {"claudeBatch/v1": "0000000000000f02"},
                        "properties": {
                            "kind": "review",
                            "severity": "low",
                            "confidence": "high",
                            "side": "LEFT",
                        },
                    },
                    {
                        "ruleId": "bug",
                        "level": "warning",
                        "message": {"text": "Somewhere"},
                        "locations": [
                            {
                                "physicalLocation": {
                                    "artifactLocation": {
                                        "uri": "src/a.py",
                                        "uriBaseId": "%SRCROOT%",
                                    }
                                }
                            }
                        ],
                        "partialFingerprints": {"claudeBatch/v1": "0000000000000f03"},
                        "properties": {
                            "kind": "review",
                            "severity": "medium",
                            "confidence": "high",
                            "side": "RIGHT",
                            "reason": "unplaced",
                        },
                    },
                ],
            }
        ],
    }


def test_sarif_of_lines_that_go_takes_their_newline() -> None:
    log = json.loads(render_findings("sarif", [placed(1, (2, 3), suggestion="")], []))
    (fix,) = log["runs"][0]["results"][0]["fixes"]
    assert fix["artifactChanges"][0]["replacements"] == [
        {
            "deletedRegion": {"startLine": 2, "startColumn": 1, "endLine": 4, "endColumn": 1},
            "insertedContent": {"text": ""},
        }
    ]


def test_rdjsonl() -> None:
    first, second, third = map(
        json.loads, render_findings("rdjsonl", PLACED, UNPLACED).splitlines()
    )
    span = {"start": {"line": 2}, "end": {"line": 3}}
    assert first == {
        "message": "Title 1\n\nBody 1.",
        "location": {"path": "src/ä b.py", "range": span},
        "severity": "ERROR",
        "source": {"name": "claude-batch"},
        "code": {"value": "bug"},
        "suggestions": [{"range": span, "text": "x = 1"}],
    }
    assert second == {
        "message": "Title 2\n\nBody 2.",
        "location": {"path": "src/a.py"},
        "severity": "INFO",
        "source": {"name": "claude-batch"},
        "code": {"value": "docs"},
    }
    assert (third["message"], third["severity"]) == ("Somewhere", "WARNING")


def test_markdown() -> None:
    assert (
        render_findings("markdown", PLACED, UNPLACED)
        == """\
### Title 1

`src/ä b.py:2-3` · high · bug

Body 1.

```
x = 1
```

### Title 2

`src/a.py:9` (old) · low · docs

Body 2.

### Somewhere

`src/a.py` (unplaced) · medium · bug
"""
    )


def test_json() -> None:
    assert json.loads(render_findings("json", PLACED[:1], UNPLACED)) == {
        "items": [
            {
                "id": "0000000000000001",
                "fingerprint": "0000000000000f01",
                "kind": "review",
                "path": "src/ä b.py",
                "side": "RIGHT",
                "severity": "high",
                "confidence": "high",
                "category": "bug",
                "title": "Title 1",
                "body": "Body 1.",
                "first_line": 2,
                "line": 3,
                "suggestion": "x = 1\n",
            },
            {
                "id": "0000000000000003",
                "fingerprint": "0000000000000f03",
                "kind": "review",
                "path": "src/a.py",
                "side": "RIGHT",
                "severity": "medium",
                "confidence": "high",
                "category": "bug",
                "title": "Somewhere",
                "body": "",
                "reason": "unplaced",
            },
        ],
        "total": 2,
    }


def test_nothing_to_export_is_a_document_too() -> None:
    assert render_findings("markdown", [], []) == "No findings.\n"
    assert render_findings("rdjsonl", [], []) == ""
    assert json.loads(render_findings("json", [], [])) == {"items": [], "total": 0}
    assert json.loads(render_findings("sarif", [], []))["runs"][0]["results"] == []
