"""Add the hook to a `.pre-commit-config.yaml`. Editing the text keeps layout and comments."""

import re

from claude_batch.setup.workflows import Action

HOOK_ID = "claude-batch-queue"
HOOK_ENTRY = re.compile(rf"(?m)^[^#\n]*\bid:\s*['\"]?{HOOK_ID}\b")
REPOS = re.compile(r"repos:[ \t]*(\[[ \t]*\])?[ \t]*(#.*)?")
NEXT_KEY = re.compile(r"(?!- |-$)[^\s#]")
ITEM = re.compile(r"( *)-(?: |$)")


def add_hook(text: str, action: Action) -> str | None:
    """Return the text with the hook, or None if its layout is not understood."""
    if HOOK_ENTRY.search(text):
        return text
    if not text.strip():
        return f"repos:\n{render_hook(action, '  ')}"
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    starts = [number for number, line in enumerate(lines) if REPOS.fullmatch(line)]
    if len(starts) != 1:
        return None
    lines[starts[0]] = re.sub(r"[ \t]*\[[ \t]*\]", "", lines[starts[0]], count=1)
    end = _end_of_items(lines, starts[0] + 1)
    items = filter(None, map(ITEM.match, lines[starts[0] + 1 : end]))
    indent = next((item[1] for item in items), "  ")
    added = render_hook(action, indent).removesuffix("\n").split("\n")
    return newline.join([*lines[:end], *added, *lines[end:], ""])


def _end_of_items(lines: list[str], start: int) -> int:
    end = start
    for number, line in enumerate(lines[start:], start):
        if NEXT_KEY.match(line):
            break
        # Comments and blank lines before the next key belong to that key.
        if line.strip() and not line.lstrip().startswith("#"):
            end = number + 1
    return end


def render_hook(action: Action, indent: str) -> str:
    lines = _published(action) if action.slug else LOCAL
    return "".join(f"{indent}{line}\n" for line in lines)


def _published(action: Action) -> tuple[str, ...]:
    return (
        f"- repo: {action.url}",
        f"  rev: {action.version}",
        "  hooks:",
        f"    - id: {HOOK_ID}",
    )


LOCAL = (
    "- repo: local",
    "  hooks:",
    f"    - id: {HOOK_ID}",
    "      name: claude-batch",
    "      entry: hooks/queue",
    "      language: script",
    "      always_run: true",
    "      pass_filenames: false",
    "      stages: [pre-commit]",
)
