"""What could not be done, in two sentences and an exit code; and nothing recorded is lost."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.github_server.messages import Account
from claude_batch.sandbox.github_server.state import GitHubSettings
from program import NOWHERE, ONCE, STATE, Ran, at_once, open_place, pull_event
from shop import TOKEN

READER = "ghs_of_a_fork"
TOKENS = {TOKEN: Account("octocat"), READER: Account("reader", frozenset())}

# name: arguments, environment, how the problem begins, what the remedy has
USAGE = {
    "option": (["submit", "--bogus"], {}, "No such option: --bogus", "--help"),
    "command": (["sumbit"], {}, "No such command 'sumbit'", "--help"),
    "argument": (["show"], {}, "Missing argument 'ID'", "--help"),
    "format": (["status", "--format", "xml"], {}, "Invalid value for '--format'", "--help"),
    "sources": (["submit", "--staged", "--queued"], {}, "two sources were named", "give one of"),
    "range": (["submit", "--range", "main"], {}, "'main' is not a range", "A..B"),
    "kind": (["submit", "--kind", "prose"], {}, '`kinds[0]` is "prose"', "correct"),
    "severity": (["publish", "--pr", "1", "--fail-on", "bad"], {}, '`fail_on` is "bad"', ""),
    "paths": (["submit", "--paths", "*.zig"], {}, "no file of HEAD matches *.zig", "--paths"),
    "bare publish": (["publish"], {}, "this branch has no open pull request", "--pr N"),
    "prefix": (["show", "abc"], {}, "'abc' is too short", "six characters"),
    "nothing": (["show", "abcdef"], {}, "nothing is called 'abcdef'", "claude-batch list"),
    "day": (["cost", "--since", "monday"], {}, "'monday' is not a day", "2026-11-01"),
    "cancel": (["cancel"], {}, "no batch was named", "--all"),
    "cancel what": (["cancel", "zzz"], {}, "no open batch is called 'zzz'", "status"),
    "reanswer": (["retry", "--reanswer"], {}, "--reanswer needs the ids", "list"),
    "apply": (["apply", "abcdef"], {}, "no suggestion is called 'abcdef'", "findings"),
    "ci": (["ci"], {}, "no CI event", "claude-batch submit"),
    "demo": (["demo", "--range", "A..B"], {}, "--range was given without --repo", "--repo PATH"),
}
WORLD = {
    "revision": (["submit", "--range", "nope..HEAD"], {}, "`nope` is not a commit", "git log"),
    "no token": (
        ["submit", "--pr", "1"],
        {"GITHUB_TOKEN": None},
        "there is no token for GitHub",
        "set GITHUB_TOKEN",
    ),
    "wrong token": (
        ["submit", "--pr", "1"],
        {"GITHUB_TOKEN": "ghs_wrong"},
        "cannot read pull request 1: Bad credentials",
        "set GITHUB_TOKEN",
    ),
    "pull request": (["submit", "--pr", "99"], {}, "cannot read pull request 99", "repository"),
    "repository": (
        ["submit", "--pr", "1"],
        {"GITHUB_REPOSITORY": "acme/bakery"},
        "cannot read pull request 1: Not Found",
        "repository's name",
    ),
    "no github": (
        ["submit", "--pr", "1"],
        {"GITHUB_API_URL": NOWHERE},
        "cannot read pull request 1: http://127.0.0.1:9 could not be reached",
        "GITHUB_API_URL",
    ),
    "no event": (
        ["ci"],
        {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": "/nonexistent"},
        "the event file /nonexistent cannot be read",
        "GITHUB_EVENT_PATH",
    ),
    "directory": (["status", "-C", "/"], {}, "/ is not inside a git repository", "clone"),
    "tasks file": (["tasks", "validate", "gone.jsonl"], {}, "gone.jsonl could not be read", "-"),
}


def keyed() -> BatchesServer:
    return BatchesServer(keys=frozenset({"key"}))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with open_place(tmp_path_factory.mktemp("no"), GitHubSettings(tokens=TOKENS), keyed) as place:
        place.suspicious()
        place.shop.git("checkout", "-q", "main")
        yield place


@pytest.fixture(scope="module")
def refused(place) -> dict[str, Ran]:
    def call(name: str) -> Ran:
        args, environ, *_ = (USAGE | WORLD)[name]
        return place.run(*args, code=None, environ=environ)

    ran = at_once({name: lambda name=name: call(name) for name in USAGE | WORLD})
    assert place.created() == 0
    return ran


@pytest.mark.parametrize("name", [*USAGE, *WORLD])
def test_a_refusal_is_two_sentences_and_a_code(refused, name):
    _, _, problem, remedy = (USAGE | WORLD)[name]
    said, done = refused[name].refusal()
    assert said.startswith(problem)
    assert remedy in done
    assert refused[name].code == (2 if name in USAGE else 3)
    assert refused[name].out == ""


# -- configuration, and repositories without any remote ----------------------------------------


@pytest.fixture
def alone(tmp_path, place) -> Path:
    """A repository of two commits without a remote."""
    folder = tmp_path / "alone"
    folder.mkdir()

    def git(*args: str) -> None:
        subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True)

    git("init", "-q")
    for text in ("one\n", "two\n"):
        (folder / "a.py").write_text(text)
        git("add", "-A")
        git("commit", "-q", "-m", text)
    return folder


@pytest.mark.parametrize(
    ("files", "problem", "remedy"),
    [
        (
            {".claude-batch.toml": 'modle = "x"\n'},
            ".claude-batch.toml: unknown key `modle`",
            "did you mean `model`?",
        ),
        (
            {".claude-batch.toml": "", "pyproject.toml": "[tool.claude-batch]\n"},
            ".claude-batch.toml and [tool.claude-batch] in pyproject.toml both configure",
            "delete the other",
        ),
        ({".claude-batch.toml": "model =\n"}, ".claude-batch.toml is not TOML", "correct it"),
        (
            {"pyproject.toml": "[tool.claude-batch.budget]\nmonht = 1\n"},
            "pyproject.toml: unknown key `tool.claude-batch.budget.monht`",
            "month",
        ),
    ],
)
def test_a_configuration_that_cannot_be_meant(place, alone, files, problem, remedy):
    for name, text in files.items():
        (alone / name).write_text(text)
    said, done = place.run("status", cwd=alone, code=3).refusal()
    assert said.startswith(problem)
    assert remedy in done


def test_over_budget_nothing_is_sent(place, alone):
    """Whether the limit is the configuration's for the month, or the flag's for a pull request."""
    (alone / ".claude-batch.toml").write_text("[budget]\nmonth = 0.001\n")
    before = len(place.batches.log)
    for name in ("submit", "estimate"):
        ran = place.run(name, "--range", "HEAD~1..HEAD", cwd=alone, code=4)
        said, done = ran.refusal()
        assert said.startswith("nothing was sent: up to $0.0")
        assert "raise `budget.month`" in done
        assert ran.out == ""
    over = place.run("submit", "--pr", "1", "--budget", "0.001", code=4).refusal()
    assert "raise `budget.pull_request`" in over[1]
    assert len(place.batches.log) == before
    assert place.json("list", cwd=alone)["items"] == []
    assert place.json("status")["spent_usd"] == 0


def test_a_repository_without_a_remote_has_no_shared_ledger(place, alone):
    said, done = place.run(
        "submit", "--range", "HEAD~1..HEAD", "--share", cwd=alone, code=3
    ).refusal()
    assert said == "this repository has no remote 'origin' for the state branch"
    assert "git remote add" in done


# -- Anthropic ------------------------------------------------------------------------------------


def test_without_a_key_there_may_be_nothing_to_send(place, alone):
    run = place.run(
        "submit", "--range", "HEAD..HEAD", cwd=alone, environ={"ANTHROPIC_API_KEY": None}
    )
    assert run.code == 0


def test_without_a_key_nothing_is_claimed(place, alone):
    said, done = place.run(
        "submit", "--range", "HEAD~1..HEAD", cwd=alone, code=3, environ={"ANTHROPIC_API_KEY": None}
    ).refusal()
    assert said == "there is no key for the Anthropic API"
    assert "set ANTHROPIC_API_KEY" in done
    assert place.json("list", cwd=alone)["items"] == []


@pytest.mark.parametrize(
    ("environ", "problem", "remedy"),
    [
        (
            {"ANTHROPIC_API_KEY": "wrong"},
            "the Anthropic API refused (401 authentication_error)",
            "check ANTHROPIC_API_KEY",
        ),
        (
            {"ANTHROPIC_BASE_URL": NOWHERE},
            "the connection to the Anthropic API failed",
            "run the command again",
        ),
    ],
)
def test_what_was_not_sent_is_free_again(place, alone, environ, problem, remedy):
    ran = place.run("submit", "--range", "HEAD~1..HEAD", cwd=alone, code=3, environ=environ)
    said, done = ran.refusal()
    assert said.startswith(problem)
    assert remedy in done
    status = place.json("status", cwd=alone)
    assert (status["batches"], status["in_flight"]["tasks"], status["spent_usd"]) == ([], 0, 0)
    assert status["waiting"]["tasks"] == 1
    assert place.json("estimate", "--range", "HEAD~1..HEAD", cwd=alone)["tasks"]["new"] == 1


# -- GitHub and git -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def submitted(tmp_path_factory):
    """Everything about pull request 1 is on its way."""
    with open_place(tmp_path_factory.mktemp("submitted"), GitHubSettings(tokens=TOKENS)) as place:
        place.suspicious()
        place.run("submit", "--pr", "1")
        yield place


def test_a_token_that_may_only_read(place, submitted):
    """As the job of a pull request from a fork has."""
    said = []
    for at, command in ((place, "submit"), (submitted, "publish")):
        at.shop.git("remote", "set-url", "origin", at.shop.hub.clone_url)
        environ = at.event("pull_request", pull_event("opened")) | {"GITHUB_TOKEN": READER}
        said.append(at.run(command, code=3, environ=environ).refusal())
    assert {problem for problem, _ in said} == {"the credentials for origin may not write to it"}
    assert all("contents: write" in remedy for _, remedy in said)
    assert place.created() == 0
    assert submitted.written() == 0


def test_a_remote_that_cannot_be_reached(submitted):
    submitted.shop.git("remote", "set-url", "origin", f"{NOWHERE}/acme/shop.git")
    commands = [["status"], ["collect"], ["submit", "--pr", "1"], ["publish", "--pr", "1"]]
    ran = at_once({name[0]: lambda name=name: submitted.run(*name, code=3) for name in commands})
    for refused in ran.values():
        said, done = refused.refusal()
        assert said.startswith("origin could not be reached")
        assert done == "run again when it is; nothing was lost"
    submitted.shop.git("remote", "set-url", "origin", str(submitted.shop.bare))
    assert submitted.json("status")["pending_tasks"] == 5


def test_a_memory_that_was_deleted_is_not_paid_for_again(submitted):
    submitted.shop.git("remote", "set-url", "origin", str(submitted.shop.bare))
    submitted.run("status")  # this clone has seen it
    before = submitted.ref(submitted.shop.bare, STATE)
    submitted.shop.git("push", "-q", "origin", f":{STATE}")
    said, done = submitted.run("submit", "--pr", "1", code=3).refusal()
    assert said.startswith(f"{STATE} is gone from origin")

    bring_it_back = done.partition("`git ")[2].partition("`")[0]
    submitted.shop.git(*bring_it_back.split())
    assert submitted.ref(submitted.shop.bare, STATE) == before
    assert submitted.json("submit", "--pr", "1")["tasks"]["known"] == 5
    assert submitted.created() == 1


def test_a_fresh_clone_sees_by_our_comment_that_there_was_a_memory(tmp_path):
    """As each job of CI is one."""
    with open_place(tmp_path, config=ONCE) as place:
        place.suspicious()
        place.shop.git("remote", "set-url", "origin", str(place.shop.bare))
        for command in ("submit", "collect", "publish"):
            place.run(command, *([] if command == "collect" else ["--pr", "1"]))
        place.shop.git("push", "-q", "origin", f":{STATE}")
        known = place.shop.git("for-each-ref", "--format=%(refname)", "refs/claude-batch").stdout
        for ref in known.decode().split():
            place.shop.git("update-ref", "-d", ref)
        said, done = place.run("submit", "--pr", "1", code=3).refusal()
        assert said.endswith("claude-batch has run here before")
        assert "delete our summary comment to start over" in done
        assert place.created() == 1


# -- interrupted, and a bug -----------------------------------------------------------------------


def slow() -> BatchesServer:
    return BatchesServer(seconds=3_600)


def test_an_interrupted_wait_loses_nothing(tmp_path):
    with open_place(tmp_path, batches=slow) as place:
        place.suspicious()
        place.run("submit", "--pr", "1")
        waiting = place.start("collect", "--wait")
        assert waiting.stderr is not None
        said = ""
        while "0 of 1 requests have ended" not in said:
            said += waiting.stderr.readline()
        waiting.send_signal(signal.SIGINT)
        out, err = waiting.communicate(timeout=60)
        problem, remedy = Ran(waiting.returncode, out, said + err).refusal()
        assert (waiting.returncode, out, problem) == (130, "", "interrupted")
        assert "nothing that was recorded is lost" in remedy
        assert place.json("status")["pending_tasks"] == 5


def test_a_bug_leaves_the_text_of_an_issue(place, tmp_path):
    """Met through an add-on, whose bug is met in the same place as one of ours."""
    (tmp_path / "addon.py").write_text(
        "import typer\n"
        "app = typer.Typer()\n"
        "@app.command()\n"
        "def stumble() -> None:\n"
        "    raise LookupError('over its own feet')\n"
    )
    metadata = tmp_path / "addon-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: addon\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[claude_batch.commands]\nstumble = addon:app\n")

    ran = place.run("stumble", code=70, environ={"PYTHONPATH": str(tmp_path)})

    said, done = ran.refusal()
    assert said.startswith("a bug of claude-batch (LookupError), written to ")
    assert "report it" in done
    log = Path(said.rpartition(" ")[2]).read_text()
    assert "# claude-batch" in log
    assert "- command: `claude-batch stumble`" in log
    assert "LookupError: over its own feet" in log
    assert os.environ["PATH"] not in log
