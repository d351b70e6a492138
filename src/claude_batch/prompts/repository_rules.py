"""Select the repository's own rules for reviewers that concern the files of a request.

They are read from the base, so that a pull request cannot write its own. Their length is limited
because some repositories keep a whole manual there.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

# Rules for reviewers come first, and are cut last.
MARKDOWN_NAMES = ("REVIEW.md", "CLAUDE.md", "AGENTS.md")
COPILOT = ".github/copilot-instructions.md"
FILE_NAMES = frozenset({*MARKDOWN_NAMES, "copilot-instructions.md"})
MAX_CHARACTERS = 4_000  # of all files together
CUT = "[…]"
POINTER = re.compile(r"(?:@\S+\s*)+")  # only names other files, which are read as well


@dataclass(frozen=True, slots=True)
class RuleFile:
    """A file of rules, or its first paragraphs and then the line `CUT`."""

    path: str
    text: str


def select_rules(
    contents: Mapping[str, bytes], paths: Collection[str], limit: int = MAX_CHARACTERS
) -> tuple[RuleFile, ...]:
    """Select the rule files of the folders above `paths`, the nearest first.

    `contents` are the rule files of the repository by path, `limit` the characters of all.
    """
    selected: list[RuleFile] = []
    room, texts = limit, set()
    for path in _order(contents, paths):
        text = contents[path].decode("utf-8", "replace").strip()
        if text and text not in texts and not POINTER.fullmatch(text):
            texts.add(text)
            kept = _cut(text, room)
            room -= len(kept)
            selected += [RuleFile(path, kept)] if kept else []
    return tuple(selected)


def _order(rule_paths: Collection[str], paths: Collection[str]) -> Sequence[str]:
    def rank(path: str) -> tuple[bool, int, int, str]:
        folder, _, name = path.rpartition("/")
        is_for_review = name == MARKDOWN_NAMES[0]
        depth = folder.count("/") + bool(folder)
        return not is_for_review, -depth, MARKDOWN_NAMES.index(name), path

    relevant = [rules for rules in rule_paths if any(_applies_to(rules, path) for path in paths)]
    nested = sorted((path for path in relevant if path != COPILOT), key=rank)
    return [*nested, *(path for path in relevant if path == COPILOT)]


def _applies_to(rule_path: str, path: str) -> bool:
    if rule_path == COPILOT:
        return True
    folder, _, name = rule_path.rpartition("/")
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
