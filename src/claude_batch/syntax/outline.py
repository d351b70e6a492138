"""Find the definitions that enclose some lines of a file, and its imports.

The tree is used and dropped: the trees of a thousand files would be most of a gigabyte.
"""

import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import NamedTuple

from tree_sitter import Node, Point, Tree

from claude_batch.syntax.languages import Grammar, parse_within

# The limit of parser steps. Code takes a step for eighty bytes or more; a file that takes more
# steps is not code. A file of more than 200 KB can exceed the limit, and has no outline then.
STEPS, STEP_BYTES, MOST_STEPS = 300, 80, 1_500
DEEPEST = 200

# Node types of all grammars together: no two grammars use one of them for different things.
FUNCTIONS = frozenset(
    {
        "arrow_function",
        "constructor_declaration",
        "func_literal",
        "function_declaration",
        "function_definition",
        "function_expression",
        "function_item",
        "generator_function",
        "generator_function_declaration",
        "macro_definition",
        "method",
        "method_declaration",
        "method_definition",
        "singleton_method",
    }
)

HOLDERS = frozenset(
    {
        "abstract_class_declaration",
        "class",
        "class_declaration",
        "class_definition",
        "class_specifier",
        "enum_declaration",
        "enum_item",
        "enum_specifier",
        "impl_item",
        "interface_declaration",
        "internal_module",
        "mod_item",
        "module",
        "namespace_definition",
        "record_declaration",
        "singleton_class",
        "struct_item",
        "struct_specifier",
        "trait_item",
        "type_alias_declaration",
        "type_spec",
        "union_specifier",
    }
)

# In data files the keys above a line are its context.
KEYS = frozenset({"block_mapping_pair", "table", "table_array_element"})
JSON_KEY = "pair"  # other grammars use it for something smaller

IMPORTS = frozenset(
    {
        "extern_crate_declaration",
        "future_import_statement",
        "import_declaration",
        "import_from_statement",
        "import_statement",
        "preproc_include",
        "use_declaration",
        "using_declaration",
    }
)

REQUIRE = re.compile(rb"\brequire(_relative)?\b")
WRAPPERS = frozenset({"decorated_definition", "export_statement", "template_declaration"})
NAMED_BY = ("name", "declarator", "left", "key")


@dataclass(frozen=True, slots=True)
class Block:
    """A definition, or a key of a data file. Lines are 1-based and inclusive.

    `signature_end`: the last line of its signature. `name`: empty where it has none.
    """

    first: int
    signature_end: int
    last: int
    name: str = ""
    is_function: bool = False
    depth: int = 0  # how many blocks are around it


@dataclass(frozen=True, slots=True)
class Outline:
    """Each of `blocks` holds one of the requested lines; the outer ones come first."""

    blocks: tuple[Block, ...]
    imports: tuple[tuple[int, int], ...]  # first and last line of each statement

    def blocks_around(self, line: int) -> list[Block]:
        """Outermost first."""
        return [block for block in self.blocks if block.first <= line <= block.last]


class SourceText(NamedTuple):
    content: bytes
    lines: list[bytes]

    def text_of(self, node: Node) -> bytes:
        """The text of a node. `node.text` would read from buffers that are released already."""
        return self.content[node.start_byte : node.end_byte]


def build_outline(grammar: Grammar, content: bytes, lines: Iterable[int]) -> Outline | None:
    """Find the blocks around `lines`, and the imports. Return None if parsing takes too long."""
    tree = parse_within(grammar, content, min(STEPS + len(content) // STEP_BYTES, MOST_STEPS))
    if tree is None:
        return None
    code = SourceText(content, content.split(b"\n"))
    code_lines = code.lines
    node_types = FUNCTIONS | HOLDERS | KEYS | ({JSON_KEY} if grammar == ".json" else set())
    points = (
        Point(line - 1, column)
        for line in lines
        if 1 <= line <= len(code_lines)
        for column in _first_and_last_column(code_lines[line - 1])
    )
    blocks: dict[int, Block] = {}
    for point in points:
        for depth, node in enumerate(_enclosing_nodes(tree, point, node_types)):
            if node.id not in blocks:
                blocks[node.id] = _build_block(node, code, depth)
    return Outline(
        tuple(sorted(blocks.values(), key=lambda block: (block.first, -block.last))),
        tuple(_iter_imports(tree.root_node, code)),
    )


def _first_and_last_column(text: bytes) -> set[int]:
    """The first and the last byte of a line: a function may start within it, or end."""
    return {len(text) - len(text.lstrip()), max(len(text.rstrip()) - 1, 0)}


def _enclosing_nodes(tree: Tree, point: Point, node_types: AbstractSet[str]) -> list[Node]:
    """Descend from the root: `node.parent` would start there as well, each time."""
    cursor, nodes = tree.walk(), []
    for _ in range(DEEPEST):
        if cursor.goto_first_child_for_point(point) is None:
            break
        node = cursor.node
        if node is None or not node.start_point <= point < node.end_point:
            break
        if node.is_named and node.type in node_types:
            nodes.append(node)
    return nodes


def _build_block(node: Node, code: SourceText, depth: int) -> Block:
    outer = node.parent if node.parent and node.parent.type in WRAPPERS else node
    return Block(
        first=outer.start_point.row + 1,
        signature_end=_signature_end(node, code.lines),
        last=max(_last_row(outer), outer.start_point.row) + 1,
        name=_find_name(node, code),
        is_function=node.type in FUNCTIONS,
        depth=depth,
    )


def _last_row(node: Node) -> int:
    """Some grammars count the newline after a block as part of it."""
    return node.end_point.row - (node.end_point.column == 0)


def _signature_end(node: Node, code_lines: list[bytes]) -> int:
    """Down to where the body starts: with its bracket if that stands beside the signature."""
    first = node.start_point.row
    body = node.child_by_field_name("body") or node.child_by_field_name("value")
    if node.type == "type_spec" or (body is None and node.type == "type_alias_declaration"):
        body = node.child_by_field_name("type") or body
    if body is None:
        return first + 1
    body_start = body.start_point
    shares_line = code_lines[body_start.row][: body_start.column].strip()
    return max(first, body_start.row if shares_line else body_start.row - 1) + 1


def _find_name(node: Node, code: SourceText) -> str:
    """The name, through the declarators of C; a function value is named after its variable."""
    current: Node | None = node
    if node.type in {"arrow_function", "function_expression", "generator_function"}:
        current = node.parent
    while current is not None:
        inner = next(filter(None, map(current.child_by_field_name, NAMED_BY)), None)
        if inner is None:
            break
        current = inner
    text = code.text_of(current).decode("utf-8", "replace") if current is not None else ""
    return text if re.fullmatch(r"[\w$?!]+", text) else ""


def _iter_imports(root: Node, code: SourceText) -> Iterator[tuple[int, int]]:
    for node in root.children:
        if node.type in IMPORTS or _is_import_call(node, code):
            yield node.start_point.row + 1, max(_last_row(node), node.start_point.row) + 1


def _is_import_call(node: Node, code: SourceText) -> bool:
    """JavaScript and Ruby call a function; an export may also name where it is from."""
    if node.type == "export_statement":
        return node.child_by_field_name("source") is not None
    if node.type not in {"lexical_declaration", "variable_declaration", "call"}:
        return False
    return REQUIRE.search(code.text_of(node)[:4_000]) is not None
