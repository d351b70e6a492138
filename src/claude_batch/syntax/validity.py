"""Count syntax errors, so that a suggestion cannot add any.

Python, JSON and TOML are read by the standard library, which says yes or no and knows more than
a grammar does (a `return` outside of a function, a key that stands there twice). The others, and
what those refuse, are read by tree-sitter, which finds its way through broken code: there the
faults are counted, so that a suggestion can be judged in a file that never parsed whole, as most
headers full of macros do not.
"""

import ast
import json
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache

from tree_sitter import Node

from claude_batch.syntax.languages import grammar_of, parse_within

MOST_BYTES = 1_000_000  # a larger file is data or was generated
UNPARSEABLE = sys.maxsize  # more faults than any file has: not read in bounded time


@lru_cache(maxsize=8)
def count_syntax_errors(path: str, content: bytes) -> int | None:
    """0: the file parses. None: no grammar for it. UNPARSEABLE: too large or too slow."""
    grammar = grammar_of(path)
    if grammar is None:
        return None
    if len(content) > MOST_BYTES:
        return UNPARSEABLE
    strict = STRICT.get(grammar)
    if strict and strict(content):
        return 0
    # Some grammars miss a last newline that their language does not ask for.
    tree = parse_within(grammar, content.removesuffix(b"\n") + b"\n", _steps(content))
    if tree is None:
        return UNPARSEABLE
    return _count_errors(tree.root_node) + (strict is not None)


def has_no_new_errors(path: str, errors_before: int | None, content: bytes) -> bool:
    """Compare with the errors before a change. A broken file may stay as broken as it was."""
    return errors_before is None or (count_syntax_errors(path, content) or 0) <= errors_before


def _steps(content: bytes) -> int:
    """The limit of parser steps. Real code takes one step for eighty bytes or more."""
    return min(500 + len(content) // 40, 6_000)


def _count_errors(root: Node) -> int:
    # A token that is missing can be one that the tree does not show.
    return max(1, sum(map(_weight, _error_nodes(root)))) if root.has_error else 0


def _error_nodes(root: Node) -> Iterator[Node]:
    """Yield the nodes that the parser skipped or invented."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            yield node
        stack += [child for child in node.children if child.has_error]


def _weight(node: Node) -> int:
    """By lines: one fault that swallows the rest of the file is worse than the one that it was."""
    return 1 + node.end_point.row - node.start_point.row


def _is_python(content: bytes) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):
            ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def _is_json(content: bytes) -> bool:
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return False
    return True


def _is_toml(content: bytes) -> bool:
    try:
        tomllib.loads(content.decode())
    except (ValueError, RecursionError):
        return False
    return True


STRICT: dict[str, Callable[[bytes], bool]] = {
    ".py": _is_python,
    ".pyi": _is_python,
    ".json": _is_json,
    ".toml": _is_toml,
}
