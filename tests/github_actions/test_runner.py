import io
import json
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from claude_batch.errors import CannotRead, CannotRecord
from claude_batch.github_actions.runner import SUMMARY_BYTES, Runner, stop_commands


def runner(**environ: str) -> Runner:
    made = Runner.from_environ({"GITHUB_EVENT_NAME": "push"} | environ)
    assert made
    return made


def outputs(path: Path) -> Mapping[str, str]:
    """Read as the runner does: everything up to the delimiter of the heredoc."""
    found = re.findall(r"^(\S+?)<<(\S+)\n(.*?)\n\2$", path.read_text(), re.MULTILINE | re.DOTALL)
    return {name: value for name, _, value in found}


def test_without_an_event_there_is_no_runner() -> None:
    assert Runner.from_environ({}) is None
    assert Runner.from_environ({"GITHUB_EVENT_NAME": "", "CI": "true"}) is None


def test_what_the_environment_says(tmp_path: Path) -> None:
    made = runner(
        GITHUB_EVENT_PATH=str(tmp_path / "event.json"),
        GITHUB_OUTPUT=str(tmp_path / "out"),
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary"),
    )
    assert made == Runner(
        event="push",
        event_path=tmp_path / "event.json",
        output_path=tmp_path / "out",
        summary_path=tmp_path / "summary",
    )


def test_an_environment_that_says_little() -> None:
    made = runner()
    assert made.load_payload() == {}
    made.write_outputs({"usd": "1"})
    made.write_summary("text")


def test_the_payload(tmp_path: Path) -> None:
    path = tmp_path / "event.json"
    path.write_text(json.dumps({"action": "opened", "title": "é"}))
    assert runner(GITHUB_EVENT_PATH=str(path)).load_payload() == {"action": "opened", "title": "é"}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"{", "is not JSON: "),
        (b"\xff", "is not JSON: "),
        (b"[]", "does not hold a JSON object"),
    ],
)
def test_an_event_file_that_is_no_use(tmp_path: Path, content: bytes | None, problem: str) -> None:
    path = tmp_path / "event.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CannotRead) as caught:
        runner(GITHUB_EVENT_PATH=str(path)).load_payload()
    assert f"the event file {path} {problem}" in caught.value.problem


def test_outputs_keep_what_others_wrote_and_hold_any_text(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_text("before=1\n")
    values = {"usd": "0.0175", "report": "two\nlines\nend_0\nforged=1", "empty": ""}
    runner(GITHUB_OUTPUT=str(path)).write_outputs(values)
    assert path.read_text().startswith("before=1\nusd<<end_")
    assert outputs(path) == values


def test_no_two_outputs_share_a_delimiter(tmp_path: Path) -> None:
    made = runner(GITHUB_OUTPUT=str(tmp_path / "out"))
    made.write_outputs({"a": "1", "b": "2"})
    made.write_outputs({"a": "1"})
    delimiters = re.findall(r"<<(\S+)", (tmp_path / "out").read_text())
    assert len(set(delimiters)) == 3


def test_a_name_that_would_write_another_output_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "out"
    with pytest.raises(ValueError, match="is not a name"):
        runner(GITHUB_OUTPUT=str(path)).write_outputs({"a=1\nb": "x"})
    assert not path.exists()


def test_summaries_add_up(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    made = runner(GITHUB_STEP_SUMMARY=str(path))
    made.write_summary("# One")
    made.write_summary("Two\n")
    assert path.read_text() == "# One\nTwo\n"


def test_a_summary_that_is_too_large_is_cut_at_a_line_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "summary"
    made = runner(GITHUB_STEP_SUMMARY=str(path))
    made.write_summary("é" * 99 + "\n")
    made.write_summary(("é" * 99 + "\n") * 6_000)
    text = path.read_text()
    assert SUMMARY_BYTES - 300 < len(text.encode()) <= SUMMARY_BYTES
    lines = text.rstrip("\n").split("\n")
    assert lines[-1] == "*The rest did not fit into the step summary (1 MiB).*"
    assert set(lines[:-2]) == {"é" * 99}
    made.write_summary("more")
    assert path.stat().st_size <= SUMMARY_BYTES


def test_a_file_of_the_runner_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(CannotRecord, match="Is a directory"):
        runner(GITHUB_OUTPUT=str(tmp_path)).write_outputs({"a": "1"})


def test_between_the_stop_commands_nothing_is_obeyed() -> None:
    stream = io.StringIO()
    with stop_commands(stream):
        stream.write("::error::from the model")
    start, said, end = stream.getvalue().splitlines()
    assert said == "::error::from the model"
    assert start.startswith("::stop-commands::")
    assert end == f"::{start.removeprefix('::stop-commands::')}::"


def test_commands_are_obeyed_again_after_an_error() -> None:
    stream = io.StringIO()
    with pytest.raises(RuntimeError), stop_commands(stream):
        raise RuntimeError
    assert len(stream.getvalue().splitlines()) == 3
