"""Each case is a file in which one line is marked, and the lines that tell where that line is."""

import sys

import pytest

from claude_batch.syntax.languages import Grammar, grammar_of
from claude_batch.syntax.outline import Outline, build_outline

MARK = "  <<<"


def outlined(path: str, drawn: str) -> tuple[list[str], int, Outline]:
    rows = drawn.split("\n")
    line = next(at for at, row in enumerate(rows, 1) if row.endswith(MARK))
    rows[line - 1] = rows[line - 1].removesuffix(MARK)
    grammar = grammar_of(path)
    assert grammar
    found = build_outline(grammar, "\n".join(rows).encode(), [line])
    assert found
    return rows, line, found


def heads(path: str, drawn: str) -> str:
    rows, line, found = outlined(path, drawn)
    return "\n".join(
        row
        for block in found.blocks_around(line)
        for row in rows[block.first - 1 : block.signature_end]
    )


CASES = {
    "a.py": (
        """\
import os
from x import (
    a,
)

@frozen
class Till:
    count = 0

    @property
    def total(
        self, rate: int = 1
    ) -> int:
        "What it comes to."
        return self.count * rate  <<<
""",
        """\
@frozen
class Till:
    @property
    def total(
        self, rate: int = 1
    ) -> int:""",
        [(1, 1), (2, 4)],
    ),
    "a.js": (
        """\
var a = require('a')
  , b = require('b');
import c from 'c';
export { d } from 'd';
const other = 1;

describe('till', function () {
  it('adds', async () => {
    assert(1);  <<<
  });
});
""",
        "describe('till', function () {\n  it('adds', async () => {",
        [(1, 2), (3, 3), (4, 4)],
    ),
    "a.ts": (
        """\
import type { A } from './a';

export abstract class Till<T> implements A {
  add = (one: T): void => {
    this.all.push(one);  <<<
  };
}
""",
        "export abstract class Till<T> implements A {\n  add = (one: T): void => {",
        [(1, 1)],
    ),
    "a.tsx": (
        """\
export default function Page({ name }: Props) {
  return (
    <p>{name}</p>  <<<
  );
}
""",
        "export default function Page({ name }: Props) {",
        [],
    ),
    "a.go": (
        """\
package till

import (
\t"net/http"
)

type Till struct {
\tcount int
}

func (t *Till) Add(
\tn int,
) error {
\tgo func() {
\t\tt.count += n  <<<
\t}()
\treturn nil
}
""",
        "func (t *Till) Add(\n\tn int,\n) error {\n\tgo func() {",
        [(3, 5)],
    ),
    "a.rs": (
        """\
use std::fmt::{self, Display};

mod till {
    impl<T> Add for Till<T>
    where
        T: Copy,
    {
        fn add(&mut self, n: T) {
            self.count += n;  <<<
        }
    }
}
""",
        """\
mod till {
    impl<T> Add for Till<T>
    where
        T: Copy,
        fn add(&mut self, n: T) {""",
        [(1, 1)],
    ),
    "A.java": (
        """\
package shop;

import java.util.List;

public class Till {
  @Override
  public int add(int n) {
    return count + n;  <<<
  }
}
""",
        "public class Till {\n  @Override\n  public int add(int n) {",
        [(3, 3)],
    ),
    "a.c": (
        """\
#include <stdio.h>

static int *add(struct till *t,
                int n)
{
    t->count += n;  <<<
    return &t->count;
}
""",
        "static int *add(struct till *t,\n                int n)",
        [(1, 1)],
    ),
    "a.cpp": (
        """\
#include "till.h"
using shop::Rate;

namespace shop {
template <class T>
class Till {
  int add(T n) const {
    return count + n;  <<<
  }
};
}
""",
        "namespace shop {\ntemplate <class T>\nclass Till {\n  int add(T n) const {",
        [(1, 1), (2, 2)],
    ),
    "a.rb": (
        """\
require 'json'
require_relative 'rate'

module Shop
  class Till < Box
    def self.add(n)
      @count += n  <<<
    end
  end
end
""",
        "module Shop\n  class Till < Box\n    def self.add(n)",
        [(1, 1), (2, 2)],
    ),
    "a.yml": (
        """\
jobs:
  test:
    steps:
      - run: make
        env:
          CI: 1  <<<
""",
        "jobs:\n  test:\n    steps:\n        env:\n          CI: 1",
        [],
    ),
    "a.json": (
        """\
{
  "scripts": {
    "test": [
      "pytest"  <<<
    ]
  }
}
""",
        '  "scripts": {\n    "test": [',
        [],
    ),
    "a.toml": (
        """\
[project]
name = "shop"

[[tool.rules]]
path = "a"
text = "b"  <<<
""",
        "[[tool.rules]]",
        [],
    ),
}


@pytest.mark.parametrize("path", CASES)
def test_the_heads_around_a_line(path: str) -> None:
    drawn, expected, _ = CASES[path]
    assert heads(path, drawn) == expected


@pytest.mark.parametrize("path", CASES)
def test_the_imports(path: str) -> None:
    drawn, _, imports = CASES[path]
    assert list(outlined(path, drawn)[2].imports) == imports


@pytest.mark.parametrize(
    ("path", "drawn", "name"),
    [
        ("a.py", "def total(a):\n    return a  <<<\n", "total"),
        ("a.js", "const total = (a) =>\n  a + 1  <<<\n", "total"),
        ("a.js", "const shop = {\n  total: function (a) {\n    return a  <<<\n  }\n}\n", "total"),
        ("a.go", "package a\n\ntype Total struct {\n\ta int  <<<\n}\n", "Total"),
        ("a.c", "static char **total(int a)\n{\n    return 0;  <<<\n}\n", "total"),
        ("a.cpp", "int Till::total() {\n  return 1;  <<<\n}\n", "total"),
        ("a.rb", "def total?(a)\n  a  <<<\nend\n", "total?"),
        ("a.rs", "impl Till {\n    const A: u8 = 1;  <<<\n}\n", ""),
    ],
)
def test_what_it_is_called(path: str, drawn: str, name: str) -> None:
    _, line, found = outlined(path, drawn)
    assert found.blocks_around(line)[-1].name == name


def test_a_changed_signature_belongs_to_its_function() -> None:
    _, line, found = outlined("a.js", "const total = (a) => {  <<<\n  return a\n}\n")
    assert [(block.name, block.last) for block in found.blocks_around(line)] == [("total", 3)]


def test_a_file_that_does_not_parse_is_outlined_as_far_as_it_does() -> None:
    drawn = "class A:\n    def f(self):\n        return 1  <<<\n\n    def g(self:\n        x ==\n"
    assert heads("a.py", drawn) == "class A:\n    def f(self):"


def test_lines_that_are_not_there_are_in_nothing() -> None:
    grammar = grammar_of("a.py")
    assert grammar
    assert build_outline(grammar, b"", [0, 1, 7]) == Outline((), ())


def test_what_nobody_wrote_is_not_read_to_its_end() -> None:
    grammar = grammar_of("a.py")
    assert grammar
    assert build_outline(grammar, b"[" * 400_000, [1]) is None
    deep = b"(" * 2_000 + b")" * 2_000
    assert build_outline(grammar, b"def f():\n    return " + deep + b"\n", [2]) is not None


def test_what_was_read_is_forgotten() -> None:
    content = b"def f():\n    return 1\n" * 100
    held = sys.getrefcount(content)
    assert build_outline(Grammar(".py"), content, [1])
    assert sys.getrefcount(content) == held
