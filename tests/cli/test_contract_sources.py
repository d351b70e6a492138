"""What a command looks at when little is said, and where it records that."""

import pytest

from claude_batch.git.hook_queue import HookQueue
from program import LOCAL, STATE, SUSPICIOUS, TITLES, Place, open_place, pull_event

GONE = "0123456789012345678901234567890123456789 - 2026-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """`main` has gone on since `feature` left it."""
    with open_place(tmp_path_factory.mktemp("sources")) as place:
        place.shop.git("checkout", "-q", "main")
        place.shop.commit(
            {"later.py": "later = 1\n", ".claude-batch.toml": 'exclude = ["seal.py"]'}
        )
        place.shop.git("push", "-q", "origin", "main")
        place.suspicious({"seal.py": "seal = 1\n", ".claude-batch.toml": "exclude = []\n"})
        yield place


def paths(place: Place, *args: str, **given: object) -> set[str]:
    """Of the tasks that this source holds, by way of the hints that an estimate gives."""
    document = place.json("estimate", *args, **given)
    left_out = {row["path"] for row in document["left_out"]}
    return {f"{document['tasks']['planned']} from {document['source']}", *left_out}


def test_bare_in_actions_is_the_events_pull_request(place):
    environ = place.event("pull_request", pull_event("synchronize"))
    assert paths(place, environ=environ) == paths(place, "--pr", "1")


def test_a_pull_request_is_judged_by_its_bases_configuration(place):
    """The head wants nothing excluded, and its configuration lies in the work tree."""
    found = paths(place, "--pr", "1")
    assert "6 from pull request 1" in found
    assert "seal.py" in found


def test_bare_on_a_laptop_starts_where_the_branch_left_the_default_one(place):
    """`later.py` is not taken back, and the configuration is that of the work tree."""
    assert paths(place) == {"7 from origin/main..HEAD", "gone.py", "logo.png"}


@pytest.mark.parametrize("text", ["main..feature", "main...feature", "main..", "main..."])
def test_both_kinds_of_range_start_at_the_merge_base(place, text):
    document = place.json("estimate", "--range", text)
    assert document["tasks"]["planned"] == 7


def test_the_repository_and_the_token_by_their_other_names(place):
    given = {"GITHUB_REPOSITORY": None, "GITHUB_TOKEN": None, "GH_TOKEN": "any"}
    assert place.json("estimate", "--pr", "1", environ=given)["tasks"]["planned"] == 6


def test_paths_and_kinds(place):
    one = place.json("estimate", "--paths", "run.py", "--paths", "s*.py")
    assert (one["tasks"]["planned"], one["source"]) == (2, "files run.py s*.py")
    two = place.json("estimate", "--paths", "run.py", "--kind", "security", "--kind", "docs")
    assert (two["tasks"]["planned"], two["requests"]) == (2, 2)
    assert place.json("estimate", "--paths", "run.py", "--now")["lane"] == "now"


def test_flags_win_over_inputs_and_those_over_the_file(place):
    cheap, dear = "claude-haiku-5-5", "claude-sonnet-5-5"
    source = ("estimate", "--paths", "run.py")
    by_input = place.json(*source, environ={"CLAUDE_BATCH_MODEL": cheap})["estimate"]["usd"]
    by_file = place.json(*source)["estimate"]["usd"]
    by_flag = place.json(*source, "--model", dear, environ={"CLAUDE_BATCH_MODEL": cheap})
    assert by_input < by_file == by_flag["estimate"]["usd"]


def test_a_laptop_does_not_pay_for_what_the_shared_ledger_knows(tmp_path):
    with open_place(tmp_path) as place:
        number = place.suspicious()
        sent = place.json("submit", "--pr", str(number))["tasks"]["new"]
        again = place.json("submit")
        assert again["tasks"] == {"planned": sent, "known": sent, "new": 0, "waiting": 0}
        assert place.created() == 1
        place.shop.git("remote", "set-url", "origin", str(place.shop.bare / "gone"))
        alone = place.run("estimate", "--format", "json")
        assert alone.json()["tasks"]["new"] == sent
        assert "note: the shared ledger could not be read: " in alone.err


def test_work_on_a_laptop_stays_there_unless_it_is_shared(place):
    """And nothing that is the user's own is touched by either."""
    place.shop.commit({"mine.py": "mine = 1\n"})
    (place.shop.work / "run.py").write_text("half = 'done'\n")
    place.shop.git("add", "run.py")

    def own() -> list[bytes]:
        commands = (
            ["status", "--porcelain=v2", "--branch"],
            ["diff", "--cached"],
            ["config", "-l"],
        )
        return [place.shop.git(*command).stdout for command in commands]

    before = own()
    sent = place.json("submit", "--range", "HEAD~1..HEAD")
    assert sent["tasks"] == {"planned": 1, "known": 0, "new": 1, "waiting": 0}
    assert place.ref(place.shop.work, LOCAL)
    assert place.ref(place.shop.bare, STATE) == ""
    assert place.json("submit", "--range", "HEAD~1..HEAD")["batches"] == []
    assert place.created() == 1

    place.run("submit", "--paths", "mine.py", "--share")
    assert place.ref(place.shop.bare, STATE)
    assert place.created() == 2
    readme = place.shop.git("-C", str(place.shop.bare), "show", f"{STATE}:README.md").stdout
    assert f"git push origin --delete {STATE}".encode() in readme
    assert own() == before
    place.shop.git("reset", "-q", "--hard", "HEAD~1")


def test_staged_and_at_once(tmp_path):
    """The answer is there when the command ends, at full price."""
    with open_place(tmp_path) as place:
        (place.shop.work / "run.py").write_text(SUSPICIOUS)
        place.shop.git("add", "run.py")
        (place.shop.work / "run.py").write_text("not = 'staged'\n")
        done = place.json("submit", "--staged", "--now")
        assert done["lane"] == "now"
        assert done["tasks"]["new"] == 1
        asked = [each.path for each in place.batches.log]
        assert asked == ["/v1/messages/count_tokens", "/v1/messages"]
        assert {item["title"] for item in place.json("findings")["items"]} == TITLES
        paid = place.json("cost")["totals"]
        assert paid["usd"] == paid["usd_standard"] > 0
        assert place.json("submit", "--staged", "--now")["tasks"]["known"] == 1


def test_what_the_hook_noted(tmp_path):
    """Committed: sent. Not committed yet: waits. On no branch for a day: reported and forgotten."""
    with open_place(tmp_path) as place:
        spool = HookQueue(place.shop.work / ".git")

        def stage(name: str) -> None:
            (place.shop.work / name).write_text(SUSPICIOUS)
            place.shop.git("add", name)
            assert place.run("queue", "--strict").err == ""

        empty = place.run("submit", "--queued")
        assert empty.out.endswith("nothing to send\n")
        stage("committed.py")
        place.shop.git("commit", "-q", "-m", "one")
        stage("amended.py")
        place.shop.git("commit", "-q", "-m", "two")
        place.shop.git("commit", "-q", "--amend", "--allow-empty", "-m", "two, better")
        stage("waiting.py")
        with spool.path.open("a") as stream:
            stream.write(f"\n{GONE}")

        done = place.run("submit", "--queued", "--format", "json")
        assert done.json()["tasks"] == {"planned": 2, "known": 0, "new": 2, "waiting": 0}
        waiting = spool.entries()[-1].tree[:12]
        assert f"note: tree {waiting} is not committed yet; it stays in the queue" in done.err
        assert f"note: tree {GONE[:12]} was recorded on " in done.err
        assert "and is on no branch; it is not sent" in done.err
        assert [note.tree[:12] for note in spool.entries()] == [waiting]
        assert place.created() == 1

        place.shop.git("commit", "-q", "-m", "three")
        assert place.json("estimate", "--queued")["tasks"]["new"] == 1
        assert len(spool.entries()) == 1
