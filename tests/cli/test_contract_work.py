"""What is done with batches, tasks and findings: cancel, retry, apply, export, tasks, doctor."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from claude_batch.sandbox.anthropic_server.reviewer import ModelReply, review
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from program import ONCE, SUSPICIOUS, TITLES, Place, at_once, open_place

OTHER = "def other(text):\n    return text != None\n"  # with one finding
FOUND = len(TITLES) + 1
REFUSED = ModelReply(result="errored", error=("invalid_request_error", "made for the test"))
TASKS = """\
{"path": "a.py", "text": "x = eval(y)"}

{"path": "b.py", "text": "def f(x): ...", "kind": "docs", "instruction": "Is it clear?"}
"""


@dataclass
class Day:
    """The batches server's clock, and its mood. A batch takes an hour."""

    ahead: timedelta = timedelta(0)
    gloomy: bool = False
    servers: list[BatchesServer] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def answer(self, params: Mapping[str, object]) -> ModelReply:
        return REFUSED if self.gloomy else review(params)

    def server(self) -> BatchesServer:
        return BatchesServer(seconds=3_600, now=self.now, reviewer=self.answer)


# -- what was found -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("reviewed"), config=ONCE) as place:
        place.shop.commit({"run.py": SUSPICIOUS, "other.py": OTHER})
        place.run("submit", "--range", "HEAD~1..HEAD")
        place.run("collect")
        yield place


@pytest.fixture(scope="module")
def exports(reviewed) -> dict[str, str]:
    forms = ("sarif", "rdjsonl", "markdown", "json")
    ran = at_once({one: lambda one=one: reviewed.run("export", "--as", one) for one in forms})
    return {one: done.out for one, done in ran.items()}


def test_export_as_sarif(exports):
    document = json.loads(exports["sarif"])
    assert document["version"] == "2.1.0"
    [run] = document["runs"]
    assert len(run["results"]) == FOUND
    places = [row["locations"][0]["physicalLocation"] for row in run["results"]]
    assert {"startLine": 1, "endLine": 1} in [place["region"] for place in places]
    assert {place["artifactLocation"]["uri"] for place in places} == {"run.py", "other.py"}


def test_export_as_rdjsonl(exports):
    rows = [json.loads(row) for row in exports["rdjsonl"].splitlines()]
    assert {row["location"]["path"] for row in rows} == {"run.py", "other.py"}
    assert sum("suggestions" in row for row in rows) == 3


def test_export_as_markdown_and_json(exports):
    assert {row[4:] for row in exports["markdown"].splitlines() if row[:4] == "### "} == TITLES
    document = json.loads(exports["json"])
    assert document["total"] == FOUND == len(document["items"])


def test_apply_prints_a_patch_that_git_accepts_and_writes_nothing(reviewed):
    patch = reviewed.run("apply", "--patch").out
    checked = subprocess.run(
        ["git", "apply", "--check", "-"], cwd=reviewed.shop.work, input=patch.encode()
    )
    assert checked.returncode == 0
    assert "+    if text is None:" in patch
    assert reviewed.shop.git("status", "--porcelain").stdout == b""


def test_apply_changes_the_work_tree_only_where_it_fits(reviewed):
    """One of the two files has been rewritten meanwhile."""
    path, other = reviewed.shop.work / "run.py", reviewed.shop.work / "other.py"
    other.write_text("def other(text):\n    return bool(text)\n")
    done = reviewed.json("apply")
    assert [row["path"] for row in done["applied"]] == ["run.py", "run.py"]
    [refused] = done["refused"]
    assert refused["reason"] == "the code is no longer in the file, or is there more than once"
    text = path.read_text()
    assert "if text is None:" in text
    assert "bool(text)" in other.read_text()
    assert reviewed.json("apply")["applied"] == []
    assert path.read_text() == text
    assert reviewed.shop.git("diff", "--cached", "--name-only").stdout == b""
    reviewed.shop.git("checkout", "-q", "run.py", "other.py")


def test_apply_takes_one_by_its_id(reviewed):
    wanted = next(
        item["id"] for item in reviewed.json("findings")["items"] if "YAML" in item["title"]
    )
    reviewed.run("apply", wanted[:8])
    text = (reviewed.shop.work / "run.py").read_text()
    assert "yaml.safe_load(text)" in text
    assert "if text == None:" in text
    reviewed.shop.git("checkout", "-q", "run.py")


def test_for_people_the_same_is_said_in_lines(reviewed):
    commands = ["status", "list", "findings", "cost", "prune", "collect"]
    ran = at_once({name: lambda name=name: reviewed.run(name) for name in commands})
    assert ran["status"].out.startswith("0 tasks pending, 0 failed, $0.00")
    assert "  collected  20" in ran["list"].out
    assert ran["findings"].out.count("  (unposted)\n") == FOUND
    assert ran["cost"].out.splitlines()[0].split()[:2] == ["day", "paid"]
    assert ran["prune"].out == "0 files of findings dropped, 0 log files folded\n"
    assert ran["collect"].out == "nothing is open\n"
    assert {done.err for done in ran.values()} == {""}


def test_doctor(reviewed):
    without = {"GITHUB_TOKEN": None, "CLAUDE_BATCH_MODEL": "claude-9"}
    json = ("--format", "json")
    ran = at_once(
        {
            "healthy": lambda: reviewed.run("doctor", *json),
            "mended": lambda: reviewed.run("doctor", "--repair", *json),
            "ill": lambda: reviewed.run("doctor", *json, code=3, environ=without),
        }
    )
    healthy, mended, ill = (ran[name].json() for name in ("healthy", "mended", "ill"))
    assert healthy["ok"] is True
    assert {check["verdict"] for check in healthy["checks"]} == {"ok"}
    assert mended["ok"] is True
    assert [row["put_back"] for row in mended["repairs"]] == [[], []]
    assert ill["ok"] is False
    faults = {row["name"]: row for row in ill["checks"] if row["verdict"] == "fault"}
    assert set(faults) >= {"model", "github"}
    assert all(row["remedy"] for row in faults.values())
    assert any(row["name"] == "ledger" and row["verdict"] == "ok" for row in ill["checks"])


# -- batches and tasks ----------------------------------------------------------------------------


def test_cancel_retry_and_reanswer(tmp_path):
    """One task through everything that can become of it."""
    day = Day()
    with open_place(tmp_path, None, day.server, ONCE) as place:
        place.shop.commit({"run.py": SUSPICIOUS})
        source = ("submit", "--range", "HEAD~1..HEAD")

        def counts() -> tuple[int, int]:
            status = place.json("status")
            return status["pending_tasks"], status["failed_tasks"]

        def collected() -> dict[str, Any]:
            day.ahead += timedelta(hours=2)
            return place.json("collect")

        [batch] = place.json(*source)["batches"]
        done = place.json("cancel", batch["id"][:16])
        assert done == {"items": [{"id": batch["id"], "status": "canceling"}], "total": 1}
        assert place.json("status")["batches"][0]["status"] == "canceling"
        assert collected()["answers"]["canceled"] == 1

        day.gloomy = True
        assert place.json(*source)["tasks"]["new"] == 1
        told = collected()
        assert told["answers"]["errored"] == 1
        assert told["receipt"]["usd"] == 0
        assert counts() == (0, 1)
        assert place.json(*source)["tasks"] == {"planned": 1, "known": 0, "new": 0, "waiting": 0}

        day.gloomy = False
        [task] = place.json("retry")["items"]
        assert place.json("retry")["items"] == []
        assert place.json(*source)["tasks"]["new"] == 1
        assert collected()["findings"] == len(TITLES)
        assert place.json("show", task[:6])["standing"] == "answered"

        assert place.json("retry", task)["items"] == []
        assert place.json("retry", "--reanswer", task)["items"] == [task]
        assert place.json("estimate", *source[1:])["tasks"]["new"] == 1
        assert place.created() == 3


# -- tasks from a file ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tasks(tmp_path_factory) -> Iterator[Place]:
    with open_place(tmp_path_factory.mktemp("tasks")) as place:
        yield place


def test_tasks_from_stdin_and_from_a_file_are_the_same(tasks, tmp_path):
    path = tmp_path / "tasks.jsonl"
    path.write_text(TASKS)
    by_file = tasks.json("tasks", "validate", str(path))
    assert by_file == tasks.json("tasks", "validate", "-", stdin=TASKS)
    assert [(row["path"], row["kind"]) for row in by_file["items"]] == [
        ("a.py", "review"),
        ("b.py", "docs"),
    ]
    sent = tasks.json("tasks", "submit", "-", stdin=TASKS)
    assert sent["tasks"] == {"planned": 2, "known": 0, "new": 2, "waiting": 0}
    assert tasks.json("tasks", "submit", str(path))["tasks"]["known"] == 2
    assert tasks.created() == 1
    assert tasks.json("status")["pending_tasks"] == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there is no task in it"),
        ('{"text": "x"}\nnot json\n', "line 2 is not a task: "),
        ('{"path": "a.py"}\n', "line 1 is not a task: text: Field required"),
        ('{"text": "x", "kidn": "review"}\n', "line 1 is not a task: kidn: "),
        ('{"text": "x", "kind": "poem"}\n', "line 1 has the unknown kind 'poem'"),
    ],
)
def test_a_line_that_is_no_task(tasks, text, problem):
    before = tasks.created()
    said, done = tasks.run("tasks", "submit", "-", code=2, stdin=text).refusal()
    assert said.startswith(problem)
    assert done
    assert tasks.created() == before


# -- the demo -------------------------------------------------------------------------------------


def test_the_demo_needs_no_key_and_leaves_a_page(tmp_path):
    with open_place(tmp_path) as place:
        none = dict.fromkeys(name for name in place.environ if name.startswith(("ANTH", "GITH")))
        page, empty = tmp_path / "page.html", tmp_path / "empty"
        empty.mkdir()
        document = place.json("demo", "--out", str(page), cwd=empty, environ=none)
        assert document["page"] == str(page)
        assert document["submit"]["tasks"]["new"] > 0
        assert document["collect"]["findings"] >= len(document["findings"]) > 0
        assert document["publish"]["posted"] > 0
        assert page.read_text().lower().startswith("<!doctype html>")
        assert place.created() == 0
