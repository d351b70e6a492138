import re
from datetime import timedelta
from decimal import Decimal
from importlib import resources
from typing import Any

import jsonschema
import pytest

from claude_batch.config.error_messages import TABLES
from claude_batch.config.loader import (
    build_schema,
    choose_config,
    override_config,
    parse_config,
    render_schema,
)
from claude_batch.config.model import (
    Budget,
    CommentLimits,
    Config,
    ConfigTable,
    CustomRates,
    LedgerConfig,
    OwnKind,
    PathRule,
)
from claude_batch.errors import BadConfig, BadUsage
from claude_batch.findings.finding import Severity
from claude_batch.waiting.settings import FlushThresholds, WaitingSettings

OWN = ".claude-batch.toml"
PROJECT = "pyproject.toml"

EVERYTHING = """\
model = "claude-haiku-5-5"
effort = "low"
kinds = ["review", "security", {name = "i18n", prompt = "Is every text translated?"}]
exclude = ["*.lock", "vendor/"]
max_comments = 0
verify = "claude-sonnet-5-5"
lane = "now"
retention = "ids"
forks = "label"
fail_on = "high"
ladder = ["claude-haiku-5-5", "effort=low", "risky-only"]
prices.claude-opus-5-5.input = 3.60
prices.claude-haiku-5-5.discount = 0.15

[[rules]]
instruction = "No print."

[[rules]]
path = "*.sql"
instruction = "Name every column."

[budget]
pull_request = 0.1
day = 3
month = false

[state]
remote = "upstream"
branch = "refs/claude-batch/state"
"""
PARSED = Config(
    model="claude-haiku-5-5",
    effort="low",
    kinds=("review", "security", OwnKind(name="i18n", prompt="Is every text translated?")),
    exclude=("*.lock", "vendor/"),
    max_comments=0,
    verify="claude-sonnet-5-5",
    lane="now",
    retention="ids",
    forks="label",
    fail_on=Severity.HIGH,
    ladder=("claude-haiku-5-5", "effort=low", "risky-only"),
    prices={
        "claude-opus-5-5": CustomRates(input=Decimal("3.60")),
        "claude-haiku-5-5": CustomRates(discount=Decimal("0.15")),
    },
    rules=(
        PathRule(instruction="No print."),
        PathRule(path="*.sql", instruction="Name every column."),
    ),
    budget=Budget(pull_request=Decimal("0.1"), day=Decimal(3), month=None),
    state=LedgerConfig(remote="upstream", branch="refs/claude-batch/state"),
)
IN_PROJECT = "[tool.claude-batch]\n" + re.sub(
    r"^(\[+)", r"\1tool.claude-batch.", EVERYTHING, flags=re.MULTILINE
)


def test_every_key() -> None:
    assert parse_config(OWN, EVERYTHING.encode()) == PARSED
    assert parse_config(PROJECT, IN_PROJECT.encode()) == PARSED
    assert set(Config.model_fields) == PARSED.model_fields_set


def test_an_empty_file_is_the_defaults() -> None:
    assert parse_config(OWN, b"") == Config()
    assert Config().budget == Budget(pull_request=Decimal(1), month=Decimal(25))


def test_amounts_are_exact() -> None:
    budget = parse_config(OWN, b"budget.pull_request = 0.30\nbudget.day = 1e-3").budget
    assert str(budget.pull_request) == "0.30"
    assert budget.day == Decimal("0.001")


def test_a_byte_order_mark_is_ignored() -> None:
    assert parse_config(OWN, b"\xef\xbb\xbfmax_comments = 3").max_comments == 3


def test_false_switches_a_key_off() -> None:
    config = parse_config(
        OWN, b"effort = false\nfail_on = false\nverify = false\nbudget.pull_request = false"
    )
    assert (config.effort, config.fail_on, config.verify) == (None, None, None)
    assert config.budget.pull_request is None


@pytest.mark.parametrize(
    ("toml", "problem", "remedy"),
    [
        ('modle = "x"', "unknown key `modle`", "did you mean `model`?"),
        ("budget.monht = 3", "unknown key `budget.monht`", "did you mean `budget.month`?"),
        ("month = 5", "unknown key `month`", "did you mean `budget.month`?"),
        ("[budgets]\nday = 1", "unknown key `budgets`", "did you mean `budget`?"),
        ("maxComments = 1", "unknown key `maxComments`", "did you mean `max_comments`?"),
        (
            'rules = [{paths = "*", instruction = "x"}]',
            "unknown key `rules[0].paths`",
            "did you mean `rules.path`?",
        ),
        (
            'kinds = [{name = "x", prompt = "y", promt = "z"}]',
            "unknown key `kinds[0].promt`",
            "did you mean `kinds.prompt`?",
        ),
        (
            "zzz = 1",
            "unknown key `zzz`",
            "known keys are `model`, `effort`, `kinds`, `rules`, `exclude`, `max_comments`, "
            "`verify`, `budget`, `ladder`, `lane`, `prices`, `retention`, `forks`, `state`, "
            "`fail_on`",
        ),
        (
            'max_comments = "5"',
            '`max_comments` is "5", but it must be a valid integer',
            "correct it",
        ),
        (
            "max_comments = 31",
            "`max_comments` is 31, but it must be less than or equal to 30",
            "correct it",
        ),
        (
            "max_comments = true",
            "`max_comments` is true, but it must be a valid integer",
            "correct it",
        ),
        ("budget.day = true", "`budget.day` is true, but it must be a number", "correct it"),
        ('kinds = [{name = "x"}]', "`kinds[0].prompt` is missing", "add it"),
        ('budget.day = "5"', '`budget.day` is "5", but it must be a number', "correct it"),
        (
            "budget.month = -1",
            "`budget.month` is -1, but it must be greater than or equal to 0",
            "correct it",
        ),
        (
            "budget.month = nan",
            "`budget.month` is NaN, but it must be a finite number",
            "correct it",
        ),
        (
            "prices.claude-opus-5-5.input = -1",
            "`prices.claude-opus-5-5.input` is -1, but it must be greater than or equal to 0.0001",
            "correct it",
        ),
        (
            "prices.claude-opus-5-5.cache_read = 10_000.01",
            "`prices.claude-opus-5-5.cache_read` is 10000.01, but it must be less than or equal "
            "to 10000",
            "correct it",
        ),
        (
            "prices.claude-opus-5-5.output = true",
            "`prices.claude-opus-5-5.output` is true, but it must be a number",
            "correct it",
        ),
        (
            "prices.claude-opus-5-5.discount = 1",
            "`prices.claude-opus-5-5.discount` is 1, but it must be less than or equal to 0.99",
            "correct it",
        ),
        (
            "prices.claude-opus-5-5.outptu = 1",
            "unknown key `prices.claude-opus-5-5.outptu`",
            "did you mean `prices.output`?",
        ),
        (
            "prices.claude-opus-5-5 = 3",
            "`prices.claude-opus-5-5` is 3, but it must be a table",
            "correct it",
        ),
        (
            'ladder = ["risky-only", "effort=tiny"]',
            '`ladder[1]` is "effort=tiny", but it must be a model, "effort=low" (or another '
            'effort), or "risky-only"',
            "correct it",
        ),
        (
            'ladder = ["a cheap model"]',
            '`ladder[0]` is "a cheap model", but it must be a model, "effort=low" (or another '
            'effort), or "risky-only"',
            "correct it",
        ),
        ("prices = 3", "`prices` is 3, but it must be a table", "correct it"),
        ("budget = 5", "`budget` is 5, but it must be a table", "correct it"),
        (
            'effort = "hihg"',
            "`effort` is \"hihg\", but it must be 'low', 'medium', 'high', 'xhigh' or 'max'",
            'did you mean "high"?',
        ),
        (
            'fail_on = "any"',
            "`fail_on` is \"any\", but it must be 'critical', 'high', 'medium' or 'low'",
            "correct it",
        ),
        ("kinds = []", "`kinds` is [], but it must be a list with at least one kind", "correct it"),
        (
            'kinds = ["revew"]',
            "`kinds[0]` is \"revew\", but it must be 'review', 'refactor', 'security', 'docs' or "
            "'tests', or a table with `name` and `prompt`",
            'did you mean "review"?',
        ),
        ('kinds = "review"', '`kinds` is "review", but it must be a list', "correct it"),
        (
            'kinds = ["docs", "docs"]',
            '`kinds` is ["docs", "docs"], but it must not repeat a name or give your own kind a '
            "built-in name",
            "correct it",
        ),
        (
            'kinds = [{name = "review", prompt = "x"}]',
            "`kinds` is [a table], but it must not repeat a name or give your own kind a "
            "built-in name",
            "correct it",
        ),
        (
            'kinds = [{name = "A b", prompt = "x"}]',
            "`kinds[0].name` is \"A b\", but it must match pattern '^[a-z][a-z0-9-]{0,30}$'",
            "correct it",
        ),
        (
            'rules = [{path = "*.py"}]',
            "`rules[0]` is a table, but it must have an `instruction`, a `model`, or both",
            "correct it",
        ),
        ('exclude = ["a", 1]', "`exclude[1]` is 1, but it must be a valid string", "correct it"),
        (
            'state.branch = "--force"',
            '`state.branch` is "--force", but it must be the name of a remote or a branch',
            "correct it",
        ),
        (
            "model = 2026-11-22",
            "`model` is 2026-11-22, but it must be a valid string",
            "correct it",
        ),
        (
            'lane = "x"\nmax_comments = 99\nmodle = "x"',
            "unknown key `modle` (and 2 more)",
            "did you mean `model`?",
        ),
    ],
)
def test_an_error_is_described_by_problem_and_remedy(toml: str, problem: str, remedy: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse_config(OWN, toml.encode())
    assert (caught.value.problem, caught.value.remedy) == (f"{OWN}: {problem}", remedy)


def test_keys_are_suggested_from_every_table() -> None:
    assert set(TABLES.values()) == set(ConfigTable.__subclasses__())


@pytest.mark.parametrize("name", ["a..b", "a b", "/a", "a/", "a.lock", "a~1", "a:b", "-a", "@{u}"])
def test_branch_names_that_git_refuses_are_errors(name: str) -> None:
    with pytest.raises(BadConfig):
        parse_config(OWN, f"state.branch = '{name}'".encode())


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"model = ", f"{OWN} is not TOML: Invalid value (at end of document)"),
        (b"a b", f"{OWN} is not TOML: Expected '=' after a key in a key/value pair"),
        (b"lane = 'now'\nlane = 'now'", f"{OWN} is not TOML: Cannot overwrite a value"),
        (b"a = " + b"[" * 5_000, f"{OWN} is not TOML: "),
        (b"\xff\xfe", f"{OWN} is not UTF-8"),
    ],
)
def test_invalid_toml_is_an_error(data: bytes, problem: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse_config(OWN, data)
    assert caught.value.problem.startswith(problem)


@pytest.mark.parametrize(
    ("data", "problem", "remedy"),
    [
        (
            b"[tool.claude-batch]\nmodle = 1",
            "unknown key `tool.claude-batch.modle`",
            "did you mean `tool.claude-batch.model`?",
        ),
        (
            b"[tool.claude_batch]\nmodel = 'x'",
            "unknown table tool.claude_batch",
            "did you mean tool.claude-batch?",
        ),
        (
            b"[tool]\nclaude-batch = 3",
            "tool.claude-batch is not a table",
            "write [tool.claude-batch]",
        ),
    ],
)
def test_in_pyproject_the_whole_key_is_named(data: bytes, problem: str, remedy: str) -> None:
    with pytest.raises(BadConfig) as caught:
        choose_config({PROJECT: data})
    assert (caught.value.problem, caught.value.remedy) == (f"{PROJECT}: {problem}", remedy)


def test_the_file_that_is_there_is_chosen() -> None:
    others = b"[tool.ruff]\nline-length = 100"
    assert choose_config({}) == choose_config({OWN: None, PROJECT: None}) == Config()
    assert choose_config({OWN: b"lane = 'now'", PROJECT: others}).lane == "now"
    assert choose_config({OWN: None, PROJECT: b"[tool.claude-batch]\nlane = 'now'"}).lane == "now"
    assert choose_config({PROJECT: others}) == Config()


def test_both_files_are_an_error_even_when_one_is_empty() -> None:
    with pytest.raises(BadConfig) as caught:
        choose_config({OWN: b"", PROJECT: b"[tool.claude-batch]\n"})
    assert caught.value.problem == (
        ".claude-batch.toml and [tool.claude-batch] in pyproject.toml both configure claude-batch"
    )


def test_a_broken_pyproject_that_is_not_about_us_does_not_matter() -> None:
    assert choose_config({OWN: b"lane = 'now'", PROJECT: b"[[["}).lane == "now"
    assert choose_config({PROJECT: b"dependencies = ['claude-batch']"}) == Config()


def test_flags_override_and_other_keys_stay() -> None:
    config = parse_config(OWN, EVERYTHING.encode())
    assert override_config(config, model=None, effort="", kinds=None) == config
    said = override_config(
        config, model="claude-opus-5-5", max_comments="7", budget="2.50", lane="batch"
    )
    assert (said.model, said.max_comments, said.lane) == ("claude-opus-5-5", 7, "batch")
    assert said.budget == Budget(pull_request=Decimal("2.50"), day=Decimal(3), month=None)
    assert said.rules == config.rules


def test_off_switches_off() -> None:
    said = override_config(PARSED, effort="off", fail_on="off", budget="off")
    assert (said.effort, said.fail_on, said.budget.pull_request) == (None, None, None)


def test_kinds_are_named_from_the_built_in_and_the_configured_ones() -> None:
    assert override_config(PARSED, kinds="docs, i18n").kinds == ("docs", PARSED.kinds[2])
    assert override_config(PARSED, kinds=["tests"]).kinds == ("tests",)
    with pytest.raises(BadUsage, match='`kinds\\[0\\]` is "l10n"'):
        override_config(PARSED, kinds="l10n")


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"max_comments": "many"}, '`max_comments` is "many"'),
        ({"budget": "much"}, '`budget.pull_request` is "much"'),
        ({"budget": Decimal(-1)}, "`budget.pull_request` is -1"),
        ({"modle": "x"}, "unknown key `modle`"),
    ],
)
def test_a_bad_flag_is_bad_usage(said: dict[str, object], problem: str) -> None:
    with pytest.raises(BadUsage) as caught:
        override_config(Config(), **said)
    assert caught.value.problem.startswith(problem)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        (
            'lane = "nwo"',
            "`lane` is \"nwo\", but it must be 'batch', 'now', 'auto' or 'later'",
            'did you mean "now"?',
        ),
        ('lane.defualt = "now"', "unknown key `lane.defualt`", "did you mean `lane.default`?"),
        (
            'lane.flush_age = "soon"',
            '`lane.flush_age` is "soon", but it must be a duration such as "30m", "12h" or "2d"',
            "correct it",
        ),
        (
            "max_comments.merged = 2",
            "`max_comments.merged` is 2, but it must be less than or equal to 1",
            "correct it",
        ),
    ],
)
def test_a_wrong_table_of_a_lane_or_of_comments(text: str, problem: str, remedy: str) -> None:
    with pytest.raises(BadConfig) as caught:
        parse_config(OWN, text.encode())
    assert caught.value.problem.removeprefix(f"{OWN}: ").startswith(problem)
    assert caught.value.remedy == remedy


def test_a_lane_is_a_word_or_a_table() -> None:
    config = parse_config(OWN, b"lane = {default = 'later', flush_age = '12h', flush_count = 9}")
    assert (config.plan_lane, config.batch_lane) == ("later", "batch")
    assert WaitingSettings.from_config(config).thresholds == FlushThresholds(
        count=9, age=timedelta(hours=12)
    )
    assert override_config(config, lane="now").plan_lane == "now"
    assert parse_config(OWN, b"lane = 'auto'").batch_lane == "batch"
    assert parse_config(OWN, b"lane = 'now'").batch_lane == "now"
    assert WaitingSettings.from_config(Config()).thresholds == FlushThresholds()


def test_comments_are_a_number_or_a_table() -> None:
    config = parse_config(OWN, b"max_comments = {open = 3, merged = 0}")
    assert (config.comment_limits.open, config.comment_limits.merged) == (3, 0)
    assert override_config(config, max_comments="7").comment_limits == CommentLimits(
        open=7, merged=0
    )
    assert Config(max_comments=2).comment_limits == CommentLimits(open=2, merged=1)


def test_the_shipped_schema_is_current() -> None:
    shipped = resources.files("claude_batch").joinpath("config", "schema.json").read_text("utf-8")
    assert shipped == render_schema(), "write render_schema() to config/schema.json"


def test_the_schema_accepts_what_the_parser_accepts() -> None:
    everything: dict[str, Any] = {
        "model": "claude-haiku-5-5",
        "effort": False,
        "fail_on": "high",
        "max_comments": 0,
        "kinds": ["review", {"name": "i18n", "prompt": "x"}],
        "budget": {"day": 0.5, "month": False},
        "rules": [{"instruction": "x"}],
        "state": {"branch": "b"},
        "exclude": ["x"],
        "lane": {"default": "later", "flush_count": 20, "flush_age": "12h"},
    }
    checker = jsonschema.Draft202012Validator(build_schema())
    checker.check_schema(build_schema())
    checker.validate(everything)
    for wrong in (
        {"modle": "x"},
        {"effort": None},
        {"max_comments": 31},
        {"budget": {"day": "5"}},
        {"kinds": []},
        {"lane": "soon"},
        {"lane": {"flush_age": "soon"}},
        {"max_comments": {"merged": 2}},
    ):
        assert not checker.is_valid(wrong), wrong


def test_the_schema_has_a_description_and_a_default_in_toml_for_each_key() -> None:
    made = build_schema()
    tables = [
        made,
        *(
            made["$defs"][name]
            for name in ("Budget", "PathRule", "LedgerConfig", "OwnKind", "LaneTable")
        ),
    ]
    for table in tables:
        for key, spot in table["properties"].items():
            assert spot["description"].endswith("."), key
            assert not isinstance(spot.get("default", 0), type(None)), key
    assert made["$defs"]["Budget"]["properties"]["month"]["default"] == 25
    assert len(made["properties"]) <= 15
