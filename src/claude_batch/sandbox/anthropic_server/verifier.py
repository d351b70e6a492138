"""The verification of the sandbox's own findings, by plain rules.

The input is a model's: the claims and the lines around them. A claim holds if no rule refutes it.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

FILE = re.compile(r'<file path="((?:\\.|[^"\\])*)"')
CLAIM = re.compile(r'<claim id="([^"]*)" rows="(\d+)-(\d+)"')
ROW = re.compile(r"(\d+)[ +-](.*)")
SCRIPT = re.compile(r"(?:^|/)(?:tests?|scripts?|examples?)/")
NONE = re.compile(r"(\w+)\s*[!=]=\s*None\b")


@dataclass(frozen=True)
class ShownCode:
    """`rows`: the code as far as it is shown, numbered rows by their number."""

    path: str
    numbered: dict[int, str]
    code: str


def render_verdicts(shown: str) -> str:
    """Return the verdicts on all claims as JSON."""
    scene = _scene(shown)
    said = [_verdict(*claim, scene) for claim in _claims(shown)]
    return json.dumps({"verdicts": said}, ensure_ascii=False)


def _scene(shown: str) -> ShownCode:
    rows = shown.split("\n")
    path = next((found[1] for found in map(FILE.match, rows) if found), "")
    numbered = {int(found[1]): found[2] for found in map(ROW.fullmatch, rows) if found}
    code = [found[2] for found in map(ROW.fullmatch, rows) if found]
    code += [row[1:] for row in rows if row.startswith("|")]
    return ShownCode(path, numbered, "\n".join(code))


def _claims(shown: str) -> Iterator[tuple[str, str, str]]:
    """Yield for each claim its id, the number of its first row, and its title."""
    rows = shown.split("\n")
    for at, row in enumerate(rows[:-1]):
        if found := CLAIM.match(row):
            yield found[1], found[2], rows[at + 1].removeprefix("> ")


def _verdict(claim: str, first: str, title: str, scene: ShownCode) -> dict[str, str]:
    why = _refutation(title, scene.numbered.get(int(first), ""), scene)
    reason = why or "No rule of the sandbox disproves it."
    return {"claim": claim, "reason": reason, "verdict": "refuted" if why else "holds"}


def _refutation(title: str, line: str, scene: ShownCode) -> str | None:
    if title == "Comparison with None by value" and (name := _dataclass(line, scene.code)):
        return f"{name} is a dataclass: the __eq__ made for it never equals None."
    if title == "A trace of debugging was left" and SCRIPT.search(scene.path):
        return "Only who runs this script sees what it writes."
    return None


def _dataclass(line: str, code: str) -> str | None:
    """The dataclass that what is compared with None is else, if it has no __eq__ of its own."""
    compared = NONE.search(line)
    kind = compared and re.search(rf"\b{compared[1]}: (\w+) \| None\b", code)
    if not kind or "def __eq__" in code:
        return None
    return kind[1] if re.search(rf"@dataclass[^\n]*\nclass {kind[1]}\b", code) else None
