"""docs/ledger-format.md names the events and fields that there are, in their order."""

import inspect
import re
from pathlib import Path

import pytest

from claude_batch.anthropic_api.results import Outcome, Usage
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import Category, Finding
from claude_batch.ledger.events import FORMAT, FREE, Estimate, Event, PinnedKind, SkippedPath
from claude_batch.ledger.files import LOG, SHARD
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from golden_events import LINES, TYPES

TEXT = (Path(__file__).parents[2] / "docs" / "ledger-format.md").read_text("utf-8")
PARTS: dict[str, type[object]] = {
    "`file`:": PlannedFile,
    "`planned task`:": PlannedTask,
    "`left out`:": SkippedPath,
    "`pinned kind`:": PinnedKind,
    "`asked task`:": AnchoredTask,
    "`estimate`:": Estimate,
    "`usage`, in tokens": Usage,
    "A finding:": Finding,
    "An event has these fields": Event,
}


def fields_after(mark: str) -> list[str]:
    """The first column of the first table after `mark`."""
    table = re.search(r"^\| field .*?(?:\n\n|\Z)", TEXT[TEXT.index(mark) :], re.M | re.S)
    assert table
    return re.findall(r"^\| `(\w+)`", table[0], re.M)


def test_the_events() -> None:
    names = [model.model_fields["type"].default for model in TYPES]
    assert re.findall(r"^### `(\w+)`", TEXT, re.M) == names


@pytest.mark.parametrize("model", TYPES, ids=lambda model: model.__name__)
def test_the_fields_of_an_event(model: type[Event]) -> None:
    shared = {"type", *Event.model_fields}
    own = [name for name in model.model_fields if name not in shared]
    assert fields_after(f"### `{model.model_fields['type'].default}`") == own


@pytest.mark.parametrize("mark", PARTS)
def test_the_fields_of_what_stands_within(mark: str) -> None:
    first = ["type"] if PARTS[mark] is Event else []
    fields = [
        name
        for name, parameter in inspect.signature(PARTS[mark]).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    ]
    assert fields_after(mark) == [*first, *fields]


def test_the_closed_lists() -> None:
    for words in (Outcome, Category):
        *most, last = [f"`{word}`" for word in words]
        assert f"{', '.join(most)} or {last}" in TEXT


def test_the_types_whose_damage_costs_nothing() -> None:
    named = re.search(r"its `type` is ([^.]+)\.", TEXT)
    assert named
    assert set(re.findall(r"`(\w+)`", named[1])) == FREE


def test_the_version() -> None:
    assert TEXT.startswith(f"# The ledger's format, version {FORMAT}\n")
    assert f'`{{"format": {FORMAT}, "min_reader": {FORMAT}}}`' in TEXT


def test_the_names_of_files() -> None:
    shape = {"YYYY/MM/DD": "2026/11/22", "YYYY-MM": "2026-11", "<sum>": "0" * 16, "<n>": "3"}
    paths = re.findall(r"^\| `((?:log|snap|answers)/[^`]+)`", TEXT, re.M)
    assert len(paths) == 3
    for path in paths:
        for word, example in shape.items():
            path = path.replace(word, example)
        assert LOG.fullmatch(path) or SHARD.fullmatch(path)


def test_a_log_line_starts_with_its_type() -> None:
    assert all(line.startswith(b'{"type":"') for line in LINES)
