"""Count syntax errors, so that a suggestion cannot add any.

The standard library reads Python, JSON and TOML: it finds errors that a grammar does not know
(a `return` outside of a function, a key that stands there twice), but only tells whether there is
one. tree-sitter reads all other files, and those with such an error. It recovers from errors, so
they can be counted: most headers full of macros never parse without any.
"""

import ast
import json
import sys
import tomllib
import warnings
from collections.abc import Callable, Iterator
from functools import lru_cache

from tree_sitter import Node

from claude_batch.syntax.languages import Grammar, grammar_of, parse_within

MAX_BYTES = 1_000_000  # a larger file is data or was generated
UNPARSEABLE = sys.maxsize  # more errors than any file has: parsing is not bounded


@lru_cache(maxsize=8)
def count_syntax_errors(path: str, content: bytes) -> int | None:
    """0: the file parses. None: no grammar for it. UNPARSEABLE: too large or too slow."""
    grammar = grammar_of(path)
    if grammar is None:
        return None
    if len(content) > MAX_BYTES:
        return UNPARSEABLE
    is_strict = grammar in STRICT_PARSERS
    if is_strict and _is_valid(grammar, content):
        return 0
    # Some grammars miss a last newline that their language does not ask for.
    tree = parse_within(grammar, content.removesuffix(b"\n") + b"\n", _steps(content))
    if tree is None:
        return UNPARSEABLE
    return _count_errors(tree.root_node) + is_strict


def has_no_new_errors(path: str, errors_before: int | None, content: bytes) -> bool:
    """Compare with the errors before a change. A broken file may stay as broken as it was."""
    return errors_before is None or (count_syntax_errors(path, content) or 0) <= errors_before


def _steps(content: bytes) -> int:
    """The limit of parser steps. Real code takes one step for eighty bytes or more."""
    return min(500 + len(content) // 40, 6_000)


def _count_errors(root: Node) -> int:
    if not root.has_error:
        return 0
    # By lines: an error that swallows the rest of the file is worse than a small one.
    lines = (1 + node.end_point.row - node.start_point.row for node in _error_nodes(root))
    return max(1, sum(lines))  # a missing token can be one that the tree does not show


def _error_nodes(root: Node) -> Iterator[Node]:
    """Yield the nodes that the parser skipped or invented."""
    stack = [root]
    while stack:
        node = stack.pop()
        if node.is_error or node.is_missing:
            yield node
        stack += [child for child in node.children if child.has_error]


def _is_valid(grammar: Grammar, content: bytes) -> bool:
    try:
        with warnings.catch_warnings(action="ignore"):
            STRICT_PARSERS[grammar](content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


STRICT_PARSERS: dict[str, Callable[[bytes], object]] = {
    ".py": ast.parse,
    ".pyi": ast.parse,
    ".json": json.loads,
    ".toml": lambda content: tomllib.loads(content.decode()),
}
