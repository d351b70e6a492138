"""The repository's own rules for those who work on it: which of them concern a request.

They come from the base, so a pull request cannot write its own; what it is shown of them is
bounded, because some repositories keep a whole manual there.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

# What is written for reviewers comes first, and is cut last.
MARKDOWN_NAMES = ("REVIEW.md", "CLAUDE.md", "AGENTS.md")
COPILOT = ".github/copilot-instructions.md"
FILE_NAMES = frozenset({*MARKDOWN_NAMES, "copilot-instructions.md"})
MAX_CHARACTERS = 4_000  # characters, for all of them together
CUT = "[…]"
POINTER = re.compile(r"(?:@\S+\s*)+")  # says only: see that file, which is read as well


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of rules, or its first paragraphs: then its last line is `CUT`."""

    path: str
    text: str


def select_rules(
    papers: Mapping[str, bytes], paths: Collection[str], most: int = MAX_CHARACTERS
) -> tuple[RuleFile, ...]:
    """Those of the root, and nested ones whose folder holds one of `paths`; nearest first."""
    chosen: list[RuleFile] = []
    room, said = most, set()
    for path in _order(papers, paths):
        text = papers[path].decode("utf-8", "replace").strip()
        if text and text not in said and not POINTER.fullmatch(text):
            said.add(text)
            kept = _cut(text, room)
            room -= len(kept)
            chosen += [RuleFile(path, kept)] if kept else []
    return tuple(chosen)


def _order(papers: Mapping[str, bytes], paths: Collection[str]) -> Sequence[str]:
    def rank(path: str) -> tuple[bool, int, int, str]:
        folder, _, name = path.rpartition("/")
        for_review = name == MARKDOWN_NAMES[0]
        return not for_review, -folder.count("/") - bool(folder), _place(name), path

    concerning = [path for path in papers if any(_concerns(path, one) for one in paths)]
    nested = sorted((path for path in concerning if path != COPILOT), key=rank)
    return [*nested, *(path for path in concerning if path == COPILOT)]


def _place(name: str) -> int:
    return MARKDOWN_NAMES.index(name) if name in MARKDOWN_NAMES else len(MARKDOWN_NAMES)


def _concerns(paper: str, path: str) -> bool:
    if paper == COPILOT:
        return True
    folder, _, name = paper.rpartition("/")
    return name in MARKDOWN_NAMES and (not folder or path.startswith(folder + "/"))


def _cut(text: str, room: int) -> str:
    if len(text) <= room:
        return text
    kept = "\n\n".join(_fitting(text.split("\n\n"), room - len(CUT) - 2))
    return f"{kept}\n\n{CUT}" if kept else ""


def _fitting(paragraphs: Sequence[str], room: int) -> Iterator[str]:
    for paragraph in paragraphs:
        room -= len(paragraph) + 2
        if room < 0:
            return
        yield paragraph
