"""The docs are run: what they list, print, link to and compute is what the program does."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from claude_batch import __version__
from claude_batch.anthropic_api.results import Usage
from claude_batch.cli.configuration import load_config
from claude_batch.cli.connections import open_repository
from claude_batch.cli.main import COMMANDS, app
from claude_batch.config import loader
from claude_batch.config.model import Config
from claude_batch.costs import estimates
from claude_batch.costs import prompt_cache as prefix
from claude_batch.costs.prices import BATCH_FACTOR, Prices
from claude_batch.errors import ClaudeBatchError
from claude_batch.ledger.usage_history import MAX_SAMPLES, MIN_SAMPLES
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.submission.send import MAX_PRIMER_WAIT
from scratch import Work

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "claude_batch"
PROGRAM = Path(sys.executable).parent / "claude-batch"
README = (ROOT / "README.md").read_text()
COSTS = (ROOT / "docs" / "costs.md").read_text()
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())
TRACKED = [
    ROOT / name
    for name in subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    if name and (ROOT / name).is_file()
]
PAGES = [path for path in TRACKED if path.suffix == ".md" and "prompts" not in path.parts]
PLACEHOLDERS = {"COMMAND", "…", "..."}


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def section(page: str, heading: str) -> str:
    level = heading.partition(" ")[0]
    after = page.partition(f"\n{heading}\n")[2]
    assert after, f"no {heading}"
    return re.split(rf"(?m)^#{{1,{len(level)}}} ", after)[0]


def rows(text: str, head: str) -> list[list[str]]:
    """The cells of the table whose first column is called `head`."""
    table = re.search(rf"(?m)^ *\| {head} \|.*\n *\|[-|]+\n((?: *\|.*\n)+)", text)
    assert table, f"no table of {head}"
    return [
        [cell.strip() for cell in row.strip().removeprefix("|").removesuffix("|").split("|")]
        for row in table[1].splitlines()
    ]


def bare(cell: str) -> str:
    return cell.strip("`")


def blocks(text: str, language: str) -> list[str]:
    found = re.findall(rf"(?ms)^( *)```{language}\n(.*?)^ *```$", text)
    return [re.sub(rf"(?m)^{indent}", "", block) for indent, block in found]


def run(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [PROGRAM, *arguments],
        cwd=cwd,
        env=os.environ | {"COLUMNS": "80"} | environ,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


def settled(text: str) -> str:
    """Without what differs from run to run and from version to version."""
    text = re.sub(r"msgbatch_\w+", "BATCH", text)
    text = re.sub(r"\b[0-9a-f]{16}\b", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "WHEN", text)
    return re.sub(r"<?\$?\d[\d,.]*", "N", text)


# -- what the program says of itself -----------------------------------------------------------


def test_the_help_block_is_the_programs_own(tmp_path: Path) -> None:
    [block] = [
        block for block in blocks(README, "text") if block.startswith("Usage: claude-batch ")
    ]
    assert block == run("--help", cwd=tmp_path).stdout


def test_every_command_is_in_the_table() -> None:
    listed = [bare(row[0]).removeprefix("claude-batch ") for row in rows(README, "command")]
    assert listed == [*COMMANDS, "app"]


def exit_codes() -> Iterator[int]:
    """0, those of the errors, and those that the front of the program gives by hand."""
    yield 0
    classes = [ClaudeBatchError]
    while classes:
        one = classes.pop()
        yield one.exit_code
        classes += one.__subclasses__()
    files = [SRC / "cli/main.py", SRC / "jobs/wait.py", *(SRC / "cli/commands").glob("*.py")]
    front = [path.read_text() for path in files]
    by_hand = re.findall(
        r"\b(?:_print_error\(.*, |typer\.Exit\(|INTERRUPTED = |DEADLINE = )(\d+)\b", "".join(front)
    )
    yield from map(int, by_hand)


def test_every_exit_code_is_in_the_table() -> None:
    assert [int(row[0]) for row in rows(README, "code")] == sorted(set(exit_codes()))


def keys(node: dict[str, Any], schema: dict[str, Any], prefix: str = "") -> Iterator[list[str]]:
    """Each key of the configuration with its default as TOML has it."""
    for name, spot in node["properties"].items():
        yield [prefix + name, json.dumps(spot["default"]) if "default" in spot else ""]
        for inside in tables(spot, schema):
            yield from keys(inside, schema, f"{prefix}{name}.")


def tables(spot: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "$ref" in spot:
        spot = schema["$defs"][spot["$ref"].rpartition("/")[2]]
    if "properties" in spot:
        yield spot
    for inner in [spot.get("items", {}), *spot.get("anyOf", []), *spot.get("oneOf", [])]:
        yield from tables(inner, schema) if inner else ()


def test_every_key_of_the_configuration_is_in_the_table_with_its_default() -> None:
    schema = json.loads((SRC / "config/schema.json").read_text())
    listed = [[bare(cell) for cell in row[:2]] for row in rows(README, "key")]
    assert listed == list(keys(schema, schema))


def test_the_example_is_a_configuration() -> None:
    [example] = blocks(section(README, "## Configuration"), "toml")
    read = loader.parse_config(loader.OWN_FILE, example.encode())
    assert read.budget.month is None
    assert set(tomllib.loads(example)) <= set(Config.model_fields)


def test_the_actions_inputs_and_outputs_are_in_the_tables() -> None:
    inputs = {bare(row[0]): bare(row[1]) for row in rows(README, "input")}
    defaults = {name: given["default"] for name, given in ACTION["inputs"].items()}
    assert inputs == defaults | {"github-token": "the job's token"}
    assert defaults["github-token"] == "${{ github.token }}"
    assert [bare(row[0]) for row in rows(README, "output")] == list(ACTION["outputs"])


# -- the environment ---------------------------------------------------------------------------

VARIABLE = re.compile(r"[\"'](?P<name>(?:ANTHROPIC|GITHUB|GH|CLAUDE_BATCH)_[A-Z_]*[A-Z])[\"']")
VARIABLES = [bare(row[0]) for row in rows(README, "variable")]
INPUTS = {"model": "m", "budget": "2", "fail_on": "high", "max_comments": "7"}


def test_every_variable_that_is_read_is_in_the_table() -> None:
    sources = [path for path in SRC.rglob("*.py") if "sandbox" not in path.parts]
    read = {match["name"] for path in sources for match in VARIABLE.finditer(path.read_text())}
    through_inputs = {f"CLAUDE_BATCH_{key.upper()}" for key in INPUTS}
    assert len(set(VARIABLES)) == len(VARIABLES)
    assert set(VARIABLES) == read | through_inputs | {"NO_COLOR"}


def test_the_variables_of_the_inputs_change_the_configuration(work: Work) -> None:
    given = {f"CLAUDE_BATCH_{key.upper()}": value for key, value in INPUTS.items()}
    read = load_config(open_repository(work.path, os.environ | given))
    assert (read.model, read.fail_on, read.max_comments) == ("m", "high", 7)
    assert read.budget.pull_request == 2


def test_what_the_action_sets_is_in_the_table() -> None:
    [step] = [step for step in ACTION["runs"]["steps"] if step.get("id") == "run"]
    assert set(step["env"]) <= set(VARIABLES)


# -- commands and links in every page ----------------------------------------------------------


def invocations(page: str) -> Iterator[list[str]]:
    """The words after `claude-batch` in shell blocks, terminal excerpts and code in a line."""
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    lines += [line[2:] for line in page.splitlines() if line.startswith("$ ")]
    lines += re.findall(r"(?<!`)`(claude-batch [^`]+)`(?!`)", re.sub(r"(?ms)^```.*?^```", "", page))
    for line in lines:
        if line.startswith("claude-batch "):
            yield re.split(r"\s+[#|>]", line)[0].split()[1:]


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_command_and_flag_exists(path: Path) -> None:
    root: Any = get_command(app)
    for name, *rest in invocations(path.read_text()):
        if name in PLACEHOLDERS or (name.startswith("--") and not rest):
            continue
        command = root.get_command(None, name)
        assert command, f"claude-batch {name}"
        if rest and rest[0] in getattr(command, "commands", {}):
            command = command.commands[rest[0]]
        known = {flag for one in command.params for flag in one.opts} | {"--help"}
        flags = {word.partition("=")[0] for word in rest if word.startswith("-") and word != "-"}
        assert flags <= known, f"claude-batch {name} {' '.join(rest)}"


def anchors(page: str) -> set[str]:
    """As GitHub makes them of headings."""
    heads = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```", "", page))
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("path", PAGES, ids=named)
def test_every_link_within_the_repository_leads_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        page = path.parent / name if name else path
        assert page.exists(), target
        assert not anchor or anchor in anchors(page.read_text()), target


def test_every_file_that_the_page_for_readers_of_the_source_names_exists() -> None:
    page = (ROOT / "docs" / "how-it-works.md").read_text()
    names = set(re.findall(r"`([\w/]+\.py)`", page))
    assert len(names) > 20
    assert [name for name in names if not ((SRC / name).exists() or (ROOT / name).exists())] == []


def test_the_changelog_begins_with_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert re.findall(r"(?m)^## (\S+)", text)[0] == __version__


# Written so that they do not match themselves.
ELSEWHERE = re.compile(
    r"/[w]ork/|/[r]oot/|/[h]ome/(?!runner)\w|/[U]sers/\w|[C]:\\Users"
    r"|[p]ypi\.org/simple|[p]ythonhosted\.org|[r]egistry\.npmjs|[-]-(?:extra-)?index-url[ =]"
)


def test_no_file_names_a_place_on_somebodys_machine_or_a_registry() -> None:
    found = []
    for path in TRACKED:
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{named(path)}: {match[0]}" for match in ELSEWHERE.finditer(text)]
    assert found == []


# -- what the README shows of a terminal -------------------------------------------------------


def test_the_demo_prints_what_the_readme_shows(tmp_path: Path) -> None:
    shown = blocks(section(README, "## Try it"), "text")[0]
    done = run("demo", cwd=tmp_path)
    printed = [
        line for line in (done.stderr + done.stdout).splitlines() if "have ended" not in line
    ]
    wanted = [line for line in shown.splitlines() if "have ended" not in line]
    assert list(map(settled, printed)) == list(map(settled, wanted))


BEFORE = "def total(xs):\n    return sum(xs)\n"
AFTER = """\
def total(xs):
    try:
        return sum(xs)
    except:
        return None


def empty(x):
    return x == None
"""


def test_the_commands_print_what_the_readme_shows(work: Work) -> None:
    [shown] = blocks(section(README, "## On the command line"), "text")[:1]
    work.commit({"cart.py": BEFORE})
    work.git("checkout", "-q", "-b", "change")
    work.commit({"cart.py": AFTER})
    printed = ""
    with BatchesServer(seconds=0) as batches:
        told = {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": batches.url}
        for line in re.findall(r"(?m)^\$ (.+)$", shown):
            printed += f"$ {line}\n{run(*line.split()[1:], cwd=work.path, **told).stdout}"
    assert settled(printed) == settled(shown)


def test_what_the_readme_says_to_run_leaves_nothing_behind(work: Work) -> None:
    commit = work.commit({"cart.py": BEFORE})
    work.git("update-ref", "refs/claude-batch/local", commit)
    work.git("update-ref", "refs/claude-batch/remote/origin/claude-batch-state", commit)
    run("queue", cwd=work.path)
    assert (work.path / ".git" / "claude-batch").is_dir()

    in_the_clone = blocks(section(README, "## Remove it"), "sh")[-1]
    subprocess.run(["sh", "-eu", "-c", in_the_clone], cwd=work.path, check=True)
    assert work.git("for-each-ref", "refs/claude-batch") == b""
    assert not (work.path / ".git" / "claude-batch").exists()


# -- the arithmetic of docs/costs.md -----------------------------------------------------------

PRICED_ON = date(2026, 11, 22)


def numbers(cell: str) -> list[Decimal]:
    return [Decimal(part.replace(",", "")) for part in cell.split(" / ")]


def test_the_prices_are_those_of_the_table() -> None:
    prices = Prices.load()
    assert f"as of {prices.as_of}" in " ".join(COSTS.split())
    for model, standard, batch in rows(COSTS, "model"):
        rates = prices.rates(model.split("`")[1], at=PRICED_ON, prompt_tokens=1)
        assert numbers(standard) == [rates.input, rates.output]
        assert numbers(batch) == [rates.input * BATCH_FACTOR, rates.output * BATCH_FACTOR]


def test_the_estimate_is_computed_as_the_page_says() -> None:
    text = " ".join(section(COSTS, "## The estimate").split())
    newer, older = estimates.TENTHS_PER_TOKEN / 10, estimates.TENTHS_PER_TOKEN_OLDER / 10
    assert f"every {newer} characters ({older} for" in text
    assert f"every {estimates.MIN_TENTHS_PER_TOKEN / 10} characters" in text
    assert f"{estimates.ANSWER_TOKENS} for the answer" in text
    every = (
        f"{estimates.BYTES_PER_PORTION:,} bytes of hunks and for each {estimates.TASKS_PER_PORTION}"
    )
    assert f"as much again for each {every} tasks" in text
    assert f"at least {estimates.LIMIT_FACTOR} times what is expected" in text
    *thinking, last = [f"{amount:,}" for amount in estimates.THINKING_TOKENS.values()]
    assert f"{', '.join(thinking)} or {last}, by effort from `low` to `max`" in text

    chars, tasks, effort, model = 22_000, 8, "medium", "claude-sonnet-5-5"
    assert f"{chars:,} characters and {tasks} tasks, at effort `{effort}`, to `{model}`" in text
    made = estimates.estimate_request(
        Prices.load(), model, effort, chars=chars, tasks=tasks, at=PRICED_ON, batch=True
    )
    most = estimates.max_input_tokens(chars), estimates.max_tokens(chars, tasks, effort)
    expected = made.input_tokens, made.output_tokens
    computed = [
        ["expected", *expected, made.usd],
        ["the same at standard price", *expected, made.usd_standard],
        ["at most", *most, made.usd_max],
    ]
    assert rows(section(COSTS, "## The estimate"), "what") == [
        [name, f"{into:,}", f"{out:,}", f"{usd:.4f}"] for name, into, out, usd in computed
    ]


def test_the_receipts_are_computed_as_the_page_says() -> None:
    text = section(COSTS, "## The receipt")
    told = re.search(r"used ([\d,]+) tokens in and ([\d,]+) out", text)
    assert told
    usage = Usage(input=int(told[1].replace(",", "")), output=int(told[2].replace(",", "")))
    for model, *figures in rows(text, "model"):
        cost = Prices.load().cost(bare(model), usage, at=PRICED_ON, batch=True)
        wanted = [cost.usd, cost.usd_standard, cost.usd_standard - cost.usd]
        assert [Decimal(figure) for figure in figures] == wanted


def test_the_cache_saves_what_the_page_says() -> None:
    text = section(COSTS, "## The prompt cache")
    told = re.search(r"([\d,]+) tokens that (\d+) requests to `(\S+)` share", text)
    assert told
    tokens, number, model = int(told[1].replace(",", "")), int(told[2]), told[3]
    rates = Prices.load().rates(model, at=PRICED_ON, prompt_tokens=1)
    plain = (number * tokens * rates.input).scaleb(-6) * BATCH_FACTOR

    def saving(hits: Decimal, requests: int) -> Decimal:
        return prefix.CachePricing(rates, 1, hits, len).saving(tokens, requests)

    for hits, *figures in rows(text, "hits"):
        saved = saving(Decimal(hits.removesuffix(" %")) / 100, number)
        assert [Decimal(figure) for figure in figures] == [plain, plain - saved, saved]
    least = next(n for n in range(1, 99) if saving(prefix.ASSUMED_HIT_RATE, n) >= prefix.MIN_SAVING)
    said = " ".join(text.split())
    assert f"At {prefix.ASSUMED_HIT_RATE:.0%}, {least} requests are".replace("%", " %") in said
    assert f"saves at least {prefix.MIN_SAVING} dollars" in said
    assert f"or after {MAX_PRIMER_WAIT.seconds // 60} minutes" in said
    assert f"From {MIN_SAMPLES} such answers within {prefix.HISTORY.days} days on" in said
    assert f"the newest {MAX_SAMPLES} of them" in said
    minimums = {one.cache_minimum or 0 for one in Prices.load().models.values()}
    assert f"{min(minimums)} tokens for the newest models, up to {max(minimums):,} for" in said


def test_the_runs_of_a_month_are_those_of_the_workflow_that_init_writes() -> None:
    template = (SRC / "setup/templates/collect.yml").read_text()
    assert 'cron: "37 6-20/2 * * 1-5"' in template
    runs = 8 * 5 * 52 // 12
    assert f"= {runs} runs a month" in COSTS
    assert f"{runs} minutes are {runs * Decimal('0.008'):.2f} dollars" in COSTS
    assert f"{round(4 * 5 * 52 / 12)} times a month" in COSTS
