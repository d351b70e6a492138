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

# Of the parser's progress: code takes one for eighty bytes or more. What takes longer is no code;
# a file of more than 200 KB can be too much, and goes without its outline.
STEPS, STEP_BYTES, MOST_STEPS = 300, 80, 1_500
DEEPEST = 200

# Node types of all grammars together: what one means here, another does not use for something else.
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

# In data files the keys above a line say what it is about.
KEYS = frozenset({"block_mapping_pair", "table", "table_array_element"})
JSON_KEY = "pair"  # which other grammars have too, for something smaller

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

    `head`: the last line of its signature. `name`: empty where it has none.
    """

    first: int
    head: int
    last: int
    name: str = ""
    function: bool = False
    depth: int = 0  # how many blocks are around it


@dataclass(frozen=True, slots=True)
class Outline:
    """`blocks` hold one of the lines that were asked about; the outer ones come first."""

    blocks: tuple[Block, ...]
    imports: tuple[tuple[int, int], ...]  # first and last line of each statement

    def around(self, line: int) -> list[Block]:
        """Outermost first."""
        return [block for block in self.blocks if block.first <= line <= block.last]


class Code(NamedTuple):
    content: bytes
    rows: list[bytes]

    def of(self, node: Node) -> bytes:
        """`node.text` would ask for what the parser was handed, which has been taken back."""
        return self.content[node.start_byte : node.end_byte]


def outline(grammar: Grammar, content: bytes, lines: Iterable[int]) -> Outline | None:
    """None: this would take too long to read."""
    tree = parse_within(grammar, content, min(STEPS + len(content) // STEP_BYTES, MOST_STEPS))
    if tree is None:
        return None
    code = Code(content, content.split(b"\n"))
    rows = code.rows
    wanted = FUNCTIONS | HOLDERS | KEYS | ({JSON_KEY} if grammar == ".json" else set())
    spots = (Point(line - 1, at) for line in _within(lines, rows) for at in _spots(rows[line - 1]))
    blocks: dict[int, Block] = {}
    for spot in spots:
        for depth, node in enumerate(_holding(tree, spot, wanted)):
            if node.id not in blocks:
                blocks[node.id] = _block(node, code, depth)
    return Outline(
        tuple(sorted(blocks.values(), key=lambda block: (block.first, -block.last))),
        tuple(_imports(tree.root_node, code)),
    )


def _within(lines: Iterable[int], rows: list[bytes]) -> Iterator[int]:
    return (line for line in lines if 1 <= line <= len(rows))


def _spots(row: bytes) -> set[int]:
    """The first and the last byte of a line: a function may start within it, or end."""
    return {len(row) - len(row.lstrip()), max(len(row.rstrip()) - 1, 0)}


def _holding(tree: Tree, spot: Point, wanted: AbstractSet[str]) -> list[Node]:
    """From the top: asking a node for its parent starts there as well, each time."""
    cursor, found = tree.walk(), []
    for _ in range(DEEPEST):
        if cursor.goto_first_child_for_point(spot) is None:
            break
        node = cursor.node
        if node is None or not node.start_point <= spot < node.end_point:
            break
        if node.is_named and node.type in wanted:
            found.append(node)
    return found


def _block(node: Node, code: Code, depth: int) -> Block:
    outer = node.parent if node.parent and node.parent.type in WRAPPERS else node
    return Block(
        first=outer.start_point.row + 1,
        head=_head(node, code.rows),
        last=max(_last_row(outer), outer.start_point.row) + 1,
        name=_name(node, code),
        function=node.type in FUNCTIONS,
        depth=depth,
    )


def _last_row(node: Node) -> int:
    """Some grammars count the newline after a block as part of it."""
    return node.end_point.row - (node.end_point.column == 0)


def _head(node: Node, rows: list[bytes]) -> int:
    """Down to where the body starts: with its bracket if that stands beside the signature."""
    first = node.start_point.row
    body = node.child_by_field_name("body") or node.child_by_field_name("value")
    if node.type == "type_spec" or (body is None and node.type == "type_alias_declaration"):
        body = node.child_by_field_name("type") or body
    if body is None:
        return first + 1
    at = body.start_point
    beside = rows[at.row][: at.column].strip()
    return max(first, at.row if beside else at.row - 1) + 1


def _name(node: Node, code: Code) -> str:
    """Through the declarators of C; a function that is a value is called as what holds it."""
    at: Node | None = node
    if node.type in {"arrow_function", "function_expression", "generator_function"}:
        at = node.parent
    while at is not None:
        inner = next(filter(None, map(at.child_by_field_name, NAMED_BY)), None)
        if inner is None:
            break
        at = inner
    text = code.of(at).decode("utf-8", "replace") if at is not None else ""
    return text if re.fullmatch(r"[\w$?!]+", text) else ""


def _imports(root: Node, code: Code) -> Iterator[tuple[int, int]]:
    for node in root.children:
        if node.type in IMPORTS or _requires(node, code):
            yield node.start_point.row + 1, max(_last_row(node), node.start_point.row) + 1


def _requires(node: Node, code: Code) -> bool:
    """JavaScript and Ruby call a function; an export may also name where it is from."""
    if node.type == "export_statement":
        return node.child_by_field_name("source") is not None
    if node.type not in {"lexical_declaration", "variable_declaration", "call"}:
        return False
    return REQUIRE.search(code.of(node)[:4_000]) is not None
