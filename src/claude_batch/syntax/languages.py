"""Choose the tree-sitter grammar of a file. They come as wheels; none is fetched."""

from functools import cache
from importlib import import_module
from pathlib import PurePosixPath
from typing import NewType, cast

from tree_sitter import Language, Parser, Tree

Grammar = NewType("Grammar", str)
CHUNK_BYTES = 65_536  # bytes

# The suffixes of each language, the module of its grammar, and the function that returns it.
LANGUAGES = (
    ((".py", ".pyi"), "tree_sitter_python", "language"),
    ((".js", ".jsx", ".mjs", ".cjs"), "tree_sitter_javascript", "language"),
    ((".ts", ".mts", ".cts"), "tree_sitter_typescript", "language_typescript"),
    ((".tsx",), "tree_sitter_typescript", "language_tsx"),
    ((".go",), "tree_sitter_go", "language"),
    ((".rs",), "tree_sitter_rust", "language"),
    ((".java",), "tree_sitter_java", "language"),
    ((".c",), "tree_sitter_c", "language"),
    ((".h", ".cc", ".cpp", ".cxx", ".hh", ".hpp"), "tree_sitter_cpp", "language"),
    ((".rb",), "tree_sitter_ruby", "language"),
    ((".json",), "tree_sitter_json", "language"),
    ((".yml", ".yaml"), "tree_sitter_yaml", "language"),
    ((".toml",), "tree_sitter_toml", "language"),
)

GRAMMARS = {
    suffix: (module, function) for suffixes, module, function in LANGUAGES for suffix in suffixes
}


def grammar_of(path: str) -> Grammar | None:
    """By the file's suffix; None: there is no grammar for it."""
    suffix = PurePosixPath(path).suffix.lower()
    return Grammar(suffix) if suffix in GRAMMARS else None


def parse_within(grammar: Grammar, content: bytes, max_steps: int) -> Tree | None:
    """Parse a file. Return None when it takes more steps.

    A step is one report of the parser's progress, about a tenth of a millisecond.
    """
    # Without a limit, a file that is not code can take minutes and gigabytes.
    parser, steps = _parser(grammar), 0

    def is_over_limit(_at: int, in_error: bool) -> bool:
        nonlocal steps
        steps += 10 if in_error else 1  # recovering from an error can take ten times as long
        return steps > max_steps

    views: dict[int, memoryview] = {}

    def chunk_at(offset: int, _: object) -> memoryview:
        if offset not in views:
            views[offset] = memoryview(content)[offset : offset + CHUNK_BYTES]
        return views[offset]

    try:
        # tree-sitter reports progress only if it reads the text through a function.
        return parser.parse(chunk_at, progress_callback=is_over_limit)
    except ValueError:
        parser.reset()  # or the next parse would go on with this one
        return None
    finally:
        for view in views.values():  # tree-sitter 0.26 keeps each one that it was handed
            view.release()


@cache
def _parser(grammar: Grammar) -> Parser:
    module, function = GRAMMARS[grammar]
    return Parser(Language(cast(object, getattr(import_module(module), function)())))
