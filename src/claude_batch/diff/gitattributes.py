"""Match paths against .gitattributes files. https://git-scm.com/docs/gitattributes

The patterns look like those of .gitignore but are not: a pattern that names a folder does
not apply to the files in it, and there is no `!`. So they are matched here and not by pathspec.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

BYTEWISE = "latin-1"  # git matches bytes: `?` is half an "é"
State = str | bool | None  # a value, set, unset; None: unspecified
BINARY = {"binary": True, "diff": False, "merge": False, "text": False}
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
ESCAPE = re.compile(r"\\([0-7]{3}|.)")


@dataclass(frozen=True, slots=True)
class AttributeRule:
    pattern: re.Pattern[str]
    whole_path: bool  # False: the pattern has no slash and is for the file's name
    states: tuple[tuple[str, State], ...]


class GitAttributes:
    def __init__(self, files: Mapping[str, bytes]) -> None:
        """`files`: content of each .gitattributes by its path from the root."""
        macros: dict[str, dict[str, State]] = {"binary": dict(BINARY)}
        self._rules: dict[str, list[AttributeRule]] = {}
        for path in sorted(files, key=lambda path: path.count("/")):
            folder = path.removesuffix(".gitattributes")
            text = files[path].removeprefix(b"\xef\xbb\xbf").decode(BYTEWISE)
            folder = folder.encode("utf-8", "surrogateescape").decode(BYTEWISE)
            self._rules[folder] = list(_parse_rules(text, macros, top=not folder))

    def states_for(self, path: str) -> dict[str, State]:
        """The attributes of a path. The nearest file wins, and within a file the last line."""
        states: dict[str, State] = {}
        if not self._rules:
            return states
        path = path.encode("utf-8", "surrogateescape").decode(BYTEWISE)
        folder, name = "", path.rpartition("/")[2]
        for part in ["", *path.split("/")[:-1]]:
            folder += f"{part}/" if part else ""
            relative_path = path[len(folder) :]
            for rule in self._rules.get(folder, ()):
                if rule.pattern.fullmatch(relative_path if rule.whole_path else name):
                    states.update(rule.states)
        return states


def is_true(state: State) -> bool:
    return state is True or state == "true"


def is_false(state: State) -> bool:
    return state is False or state == "false"


def _parse_rules(
    text: str, macros: dict[str, dict[str, State]], top: bool
) -> Iterator[AttributeRule]:
    for raw_line in text.split("\n"):
        line = raw_line.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        pattern, words = _split_pattern(line)
        states = _parse_states(words, macros)
        if pattern.startswith("[attr]"):
            if top:
                macros[pattern.removeprefix("[attr]")] = states
        elif not pattern.startswith("!") and not pattern.endswith("/"):
            try:
                regex = re.compile(_glob_to_regex(pattern.removeprefix("/")), re.DOTALL)
            except re.error:
                continue  # a range such as [z-a]: git, too, matches nothing with it
            yield AttributeRule(regex, "/" in pattern, tuple(states.items()))


def _split_pattern(line: str) -> tuple[str, list[str]]:
    quoted = QUOTED.match(line)
    if quoted:
        return ESCAPE.sub(_unescape, quoted[1]), line[quoted.end() :].split()
    pattern, *words = line.split()
    return pattern, words


def _unescape(match: re.Match[str]) -> str:
    text = match[1]
    return chr(int(text, 8)) if len(text) == 3 else ESCAPES.get(text, text)


def _parse_states(words: list[str], macros: Mapping[str, Mapping[str, State]]) -> dict[str, State]:
    states: dict[str, State] = {}
    for word in words:
        if word.startswith("-"):
            states[word[1:]] = False
        elif word.startswith("!"):
            states[word[1:]] = None
        elif "=" in word:
            name, _, value = word.partition("=")
            states[name] = value
        else:
            states |= {word: True} | dict(macros.get(word, {}))
    return states


# In this order: `**` between slashes is any number of folders, elsewhere it is one star.
GLOB = re.compile(
    r"(?P<start>^\*\*/)|(?P<folders>/\*\*/)|(?P<inside>/\*\*$)|(?P<star>\*+)|(?P<one>\?)"
    r"|(?P<set>\[[!^]?\]?(?:[^]\\]|\\.)*\])|\\(?P<plain>.)",
    re.DOTALL,
)


def _glob_to_regex(pattern: str) -> str:
    parts, position = [], 0
    for token in GLOB.finditer(pattern):
        parts += [re.escape(pattern[position : token.start()]), _token_to_regex(token)]
        position = token.end()
    return "".join(parts) + re.escape(pattern[position:])


def _token_to_regex(token: re.Match[str]) -> str:
    fixed = {
        "start": "(?:.*/)?",
        "folders": "/(?:.*/)?",
        "inside": "/.*",
        "star": "[^/]*",
        "one": "[^/]",
    }
    if token.lastgroup == "plain":
        return re.escape(token["plain"])
    return fixed.get(token.lastgroup or "") or f"(?!/){_set_to_regex(token['set'])}"


def _set_to_regex(text: str) -> str:
    inverted = text[1] in "!^"
    inner = text[1 + inverted : -1].replace("[", r"\[")
    if inner.startswith("]"):
        inner = "\\" + inner
    return f"[{'^' if inverted else ''}{inner}]"
