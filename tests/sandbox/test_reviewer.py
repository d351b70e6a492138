import ast
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claude_batch.config.model import PathRule
from claude_batch.diff.parser import parse_hunks
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.parsing import ReviewResponse
from claude_batch.prompts.kinds import answer_schema, find_kind, render_system
from claude_batch.prompts.rendering import NO_CONTEXT, render_files, render_shared
from claude_batch.sandbox.anthropic_server.review_rules import DEFECTS, REFACTORINGS
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply, review
from claude_batch.tasks.task import Task, TaskFileOrigin, TaskId


def asked(path: str, *rows: str, kind: str = "review") -> dict[str, object]:
    """The params of a request about one hunk, through the prompt that is really sent."""
    (hunk,) = parse_hunks("\n".join(["@@ -1 +1 @@", *rows]).encode())
    task = Task(TaskId("t"), kind, path, hunk, TaskFileOrigin())
    return {
        "system": [{"type": "text", "text": render_system(find_kind(kind))}],
        "messages": [
            {
                "role": "user",
                "content": [
                    {
                        "type": "text",
                        "text": render_shared([PathRule(instruction="be kind")], NO_CONTEXT),
                    },
                    {
                        "type": "text",
                        "text": render_files(
                            [task], [AnchoredTask.from_hunk(task.id, path, hunk)], []
                        ),
                    },
                ],
            }
        ],
        "output_config": {"format": {"type": "json_schema", "schema": answer_schema()}},
    }


def rules_of(params: dict[str, object]) -> list[str]:
    said = json.loads(review(params).text)["findings"]
    return [one["body"].split("rule ")[-1].split(",")[0] for one in said]


def replacement_of(params: dict[str, object]) -> str | None:
    (said,) = json.loads(review(params).text)["findings"]
    replacement: str | None = said["replacement"]
    return replacement


FOUND = [
    ("a.py", "    if user == None:", "none-comparison"),
    ("a.py", "except:", "bare-except"),
    ("a.py", "def add(row, rows=[]):", "mutable-default"),
    ("a.py", "    return eval(text)", "eval"),
    ("a.js", "  return eval(text)", "eval"),
    ("a.py", "run(command, shell=True)", "shell-true"),
    ("a.py", "get(url, verify=False)", "unverified-tls"),
    ("a.py", "settings = yaml.load(file)", "unsafe-yaml"),
    ("a.rb", "db_password = 'hunter22x'", "hard-coded-secret"),
    ("a.json", '"api_key": "sk4711abcdef"', "hard-coded-secret"),
    ("a.py", "    breakpoint()", "debugger-left"),
    ("a.ts", "  console.log(user)", "debugger-left"),
    ("a.ts", "  if (a == b) {", "loose-equality"),
    ("a.c", "  if (x == 0.1)", "float-equality"),
    ("a.go", "\tvalue, _ := parse(text)", "ignored-error"),
    ("a.go", "\t_ = file.Close()", "ignored-error"),
    ("a.rs", "    let x = y.unwrap();", "unwrap"),
    ("a.c", "  strcpy(to, from);", "unbounded-copy"),
]
LEFT_ALONE = [
    ("a.py", "    if user is None:"),
    ("a.py", 'print("a == None")'),
    ("a.py", "# except:"),
    ("a.py", "def add(row, rows=()):"),
    ("a.py", "model.eval()"),
    ("a.py", "ast.literal_eval(text)"),
    ("a.py", "def eval(text):"),
    ("a.py", "yaml.load(file, Loader=SafeLoader)"),
    ("a.py", "token = os.environ['API_TOKEN_2']"),
    ("a.py", "password = 'changeme123'"),
    ("a.py", "token_type = 'refresh_token2'"),
    ("a.js", "if (a === b && c !== d && e == null) {"),
    ("a.js", "const f = (a) => a >= b"),
    ("a.py", "if x == 0.0:"),
    ("a.go", "\tvalue, _ := table[key]"),
    ("a.go", "\tfor _, row := range rows() {"),
    ("a.go", "\t_, _ = fmt.Fprintln(out)"),
    ("a.c", "  snprintf(to, 4, from);"),
    ("a.txt", "if user == None: eval(text)"),
]


@pytest.mark.parametrize(("path", "line", "rule"), FOUND)
def test_each_rule_finds_its_line_and_points_at_it(path: str, line: str, rule: str) -> None:
    params = asked(path, " before", f"+{line}", " after")
    assert rules_of(params) == [rule]
    (said,) = ReviewResponse.model_validate_json(review(params).text).findings
    assert said.start == said.end
    assert said.start.startswith("2")
    assert said.body.endswith(f"(Found by the sandbox's rule {rule}, not by Claude.)")


def test_every_rule_has_an_example() -> None:
    assert {rule for _, _, rule in FOUND} == {rule.name for rule in DEFECTS}


@pytest.mark.parametrize(("path", "line"), LEFT_ALONE)
def test_what_only_looks_like_it_is_left_alone(path: str, line: str) -> None:
    assert rules_of(asked(path, f"+{line}")) == []


def test_only_added_lines_are_judged() -> None:
    assert rules_of(asked("a.py", "-except:", " except:", "+except OSError:")) == []


@pytest.mark.parametrize(
    ("line", "replacement"),
    [
        ("    if a == None and b:", "    if a is None and b:"),
        ("    if a.b != None:  # why", "    if a.b is not None:  # why"),
        ("    except:  # all", "    except Exception:  # all"),
        ("x = yaml.load(file)", "x = yaml.safe_load(file)"),
    ],
)
def test_replacements_keep_the_rest_of_the_line(line: str, replacement: str) -> None:
    assert replacement_of(asked("a.py", f"+{line}")) == replacement


REFACTORED = [
    ("a.py", 'if not name in names + ["x"]:', 'if name not in names + ["x"]:'),
    ("a.py", "rows = dict()", "rows = {}"),
    ("a.py", "rows: list[int] = list()", "rows: list[int] = []"),
    ("a.py", "ok = isinstance(x, A) or isinstance(x, b.C)", "ok = isinstance(x, (A, b.C))"),
    ("a.js", "  total = total + row.price;", "  total += row.price;"),
]


@pytest.mark.parametrize(("path", "line", "replacement"), REFACTORED)
def test_refactorings(path: str, line: str, replacement: str) -> None:
    assert replacement_of(asked(path, f"+{line}", kind="refactor")) == replacement


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("a.py", "if x is not a in b:"),
        ("a.py", "if not f(x) in names:"),
        ("a.py", "rows = dict(a=1)"),
        ("a.py", "ok = isinstance(x, A) or isinstance(y, B)"),
        ("a.py", "total = total + price"),
        ("a.js", "total = total + price * 2"),
    ],
)
def test_what_a_refactoring_could_change_is_left_alone(path: str, line: str) -> None:
    assert rules_of(asked(path, f"+{line}", kind="refactor")) == []


@settings(deadline=None)
@given(
    st.sampled_from(["a", "b.c"]),
    st.sampled_from(["not {} in d", "not {} in d and e", "e or not {} in d", "x is not {} in d"]),
)
def test_a_membership_test_keeps_its_meaning(name: str, shape: str) -> None:
    line = f"y = {shape.format(name)}"
    said = json.loads(review(asked("a.py", f"+{line}", kind="refactor")).text)["findings"]
    for one in said:
        assert ast.dump(ast.parse(one["replacement"])) == ast.dump(
            ast.parse(line.replace(f"not {name} in", f"{name} not in"))
        )


def test_the_kind_chooses_the_rules() -> None:
    rows = ("+except:", "+rows = dict()", "+eval(text)")
    assert rules_of(asked("a.py", *rows)) == ["bare-except", "eval"]
    assert rules_of(asked("a.py", *rows, kind="security")) == ["eval"]
    assert rules_of(asked("a.py", *rows, kind="refactor")) == ["empty-call"]
    assert rules_of(asked("a.py", *rows, kind="docs")) == []


def test_one_answer_stays_readable() -> None:
    assert len(rules_of(asked("a.py", *["+except:"] * 50))) == 20


def test_another_schema_gets_its_smallest_answer() -> None:
    shape = {
        "type": "object",
        "properties": {
            "verdict": {"type": "string", "enum": ["confirmed", "refuted"]},
            "why": {"type": "string"},
            "more": {"type": "array", "items": {"type": "string"}},
        },
    }
    params = {"output_config": {"format": {"type": "json_schema", "schema": shape}}}
    assert review(params) == ModelReply('{"verdict": "confirmed", "why": "", "more": []}')


def test_every_replacement_is_another_line() -> None:
    for rule in (*DEFECTS, *REFACTORINGS):
        for path, line, *_ in (*FOUND, *REFACTORED):
            found = rule.finds(line) if rule.applies_to(path) else None
            if found and rule.replace:
                assert rule.replace(found, line) not in ("", line)
