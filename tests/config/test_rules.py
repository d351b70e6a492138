"""Which rules hold for which files, and which model is asked about them."""

from dataclasses import replace

import pytest

from claude_batch.config.model import Config, PathRule
from claude_batch.config.rules import group_by_model, rules_with_instruction
from claude_batch.costs.prices import UnknownModel
from claude_batch.diff.model import Hunk
from claude_batch.errors import BadConfig
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import Task
from submissions import claimant, subject, task

HAIKU, SONNET, OPUS = "claude-haiku-5-5", "claude-sonnet-5-5", "claude-opus-5-5"


def change(path: str, name: str, size: int) -> Task:
    return replace(task(name, path), hunk=Hunk(1, 1, b"+" + b"x" * (size - 1)))


SMALL = change("src/small.py", "a", 500)
PARTS = [change("src/large.py", name, 1_500) for name in "bc"]
PROSE = change("docs/page.md", "d", 9_000)
ALL = [SMALL, *PARTS, PROSE]


def routed(*rules: PathRule) -> dict[str, list[str]]:
    found = group_by_model(Config(rules=rules), ALL)
    return {model: [one.path for one in tasks] for model, tasks in found.items()}


def test_without_a_rule_for_it_the_configured_model_is_asked() -> None:
    assert list(routed()) == [SONNET]
    assert list(routed(PathRule(instruction="Mind this."))) == [SONNET]


def test_a_small_file_is_one_with_few_bytes_of_changes_in_all_its_hunks() -> None:
    assert routed(PathRule(below=2_000, model=HAIKU)) == {
        HAIKU: ["src/small.py"],
        SONNET: ["src/large.py", "src/large.py", "docs/page.md"],
    }


def test_of_several_rules_the_last_decides() -> None:
    rules = (
        PathRule(path="src/", model=OPUS),
        PathRule(path="*.md", model=HAIKU),
        PathRule(below=501, model=HAIKU),
    )
    assert routed(*rules) == {
        HAIKU: ["src/small.py", "docs/page.md"],
        OPUS: ["src/large.py", "src/large.py"],
    }


def test_an_instruction_applies_to_the_files_of_its_rule() -> None:
    rules = (
        PathRule(path="*.md", instruction="Plain words."),
        PathRule(below=501, instruction="Small."),
        PathRule(path="*.md", model=HAIKU),
    )
    assert rules_with_instruction(rules, [PROSE]) == [rules[0]]
    assert rules_with_instruction(rules, [SMALL]) == [rules[1]]
    assert rules_with_instruction(rules, PARTS) == []


def test_each_model_gets_requests_of_its_own_in_one_batch() -> None:
    made = claimant(rules=[{"below": 2_000, "model": HAIKU}]).plan(LedgerState(), subject(*ALL))
    asked = {row.request.model: row.request for row in made.requests}
    assert {model: len(one.tasks) for model, one in asked.items()} == {HAIKU: 1, SONNET: 3}
    for row in made.requests:
        assert f'"model":"{row.request.model}"'.encode() in row.body.read()
    dear = claimant().plan(LedgerState(), subject(SMALL)).estimates[0]
    (cheap,) = (row.expected.estimate for row in made.requests if row.request.model == HAIKU)
    assert cheap.usd_max < dear.usd_max / 10


def test_a_cheaper_step_of_the_ladder_leaves_what_a_rule_names() -> None:
    made = claimant(
        rules=[{"path": "*.md", "model": OPUS}],
        ladder=[HAIKU],
        budget={"pull_request": 0.1, "month": False},
    ).plan(LedgerState(), subject(*ALL))
    assert made.ladder_steps
    assert {row.request.model for row in made.requests} == {HAIKU, OPUS}


def test_a_model_without_a_price_is_refused_before_anything_is_read() -> None:
    with pytest.raises(UnknownModel, match="claude-hiku"):
        claimant(rules=[{"model": "claude-hiku-5-5"}]).plan(LedgerState(), subject())


def test_an_invalid_pattern_is_bad_config() -> None:
    with pytest.raises(BadConfig, match=r"rules\.path"):
        group_by_model(Config(rules=(PathRule(path="[z-a]", model=HAIKU),)), ALL)
