"""What a clone has paid for in its own ledger is not paid for again by its pull requests."""

import json
from functools import partial

import pytest

from claude_batch.sandbox.anthropic_server.server import BatchesServer
from program import ONCE, STATE, SUSPICIOUS, TITLES, Place, open_place


@pytest.fixture(params=[ONCE, ""], ids=["once", "second look"])
def place(request, tmp_path):
    with open_place(tmp_path, config=request.param) as place:
        yield place


def review_on_the_laptop(place: Place, *source: str) -> None:
    sent = place.json("submit", *source)["tasks"]
    assert (sent["known"], sent["new"]) == (0, sent["planned"])
    place.run("collect", "--wait")


def commit_through_the_hook(place: Place) -> None:
    place.shop.git("checkout", "-q", "-b", "hooked", "main")
    (place.shop.work / "run.py").write_text(SUSPICIOUS)
    place.shop.git("add", "run.py")
    place.run("queue", "--strict")
    place.shop.git("commit", "-q", "-m", "run")


def reports(place: Place) -> list[object]:
    """What commands print about the money and the findings of both ledgers together."""
    batches, findings = place.json("list")["items"], place.json("findings")["items"]
    assert {row["title"] for row in findings} == TITLES
    shown = [place.json("show", batch["id"]) for batch in batches]
    exported = json.loads(place.run("export", "--as", "json").out)
    totals = place.json("cost")["totals"]
    paid = {name: totals[name] for name in ("usd", "usd_standard", "requests", "output_tokens")}
    return [
        *(batches, shown, paid, place.json("status")["spent_usd"], exported),
        [finding["id"] for finding in findings],
        place.json("show", findings[0]["id"]),
    ]


def open_pull(place: Place, branch: str = "hooked") -> str:
    place.shop.git("push", "-q", "origin", branch)
    return str(place.shop.hub.open_pull("Run", branch))


def test_queued_then_a_pull_request(place):
    commit_through_the_hook(place)
    review_on_the_laptop(place, "--queued")
    before, created = reports(place), place.created()

    number = open_pull(place)
    assert place.json("estimate", "--pr", number)["tasks"]["new"] == 0
    assert place.ref(place.shop.bare, STATE) == ""
    done = place.json("submit", "--pr", number)
    assert done["tasks"] == {"planned": 1, "known": 1, "new": 0, "waiting": 0}
    assert place.json("submit", "--pr", number)["tasks"] == done["tasks"]
    place.run("collect", "--wait")
    assert place.created() == created

    assert place.json("publish", "--pr", number)["posted"] > 0
    assert reports(place) == before
    document = place.json("cost", "--by", "pull_request")
    assert [group["name"] for group in document["groups"]] == ["1", "none"]


def commit_on_a_branch(place: Place, *names: str) -> None:
    place.shop.git("checkout", "-q", "-b", "hooked", "main")
    for name in names:
        place.shop.commit({name: SUSPICIOUS})


def test_a_range_then_a_pull_request_with_a_part_of_it(tmp_path):
    """Two files share a request; the finding in the other file is not published."""
    with open_place(tmp_path, config=ONCE) as place:
        commit_on_a_branch(place, "run.py", "other.py")
        review_on_the_laptop(place, "--range", "main..hooked")
        place.shop.git("branch", "-q", "part", "HEAD~1")

        for branch, known in (("part", 1), ("hooked", 2)):
            number = open_pull(place, branch)
            tasks = place.json("submit", "--pr", number)["tasks"]
            assert (tasks["known"], tasks["new"]) == (known, 0)
            place.run("publish", "--pr", number)
        assert place.created() == 1
        github = place.shop.forge()
        commented = [{row.path for row in github.list_review_comments(n)} for n in (1, 2)]
        assert commented == [{"run.py"}, {"run.py", "other.py"}]
        assert place.json("status")["damaged"] == []


def test_what_is_in_flight_stays_there_until_it_is_answered(tmp_path):
    with open_place(tmp_path, config=ONCE) as place:
        commit_on_a_branch(place, "run.py")
        place.run("submit", "--range", "main..hooked")
        number = open_pull(place)
        done = place.json("submit", "--pr", number)
        assert done["tasks"] == {"planned": 1, "known": 1, "new": 0, "waiting": 0}
        assert place.run("flush").out.count("batch") == 0
        assert place.json("publish", "--pr", number)["posted"] == 0
        place.run("collect", "--wait")
        assert place.json("publish", "--pr", number)["posted"] > 0
        assert place.created() == 1


def test_submit_waits_for_what_is_in_flight_in_the_other_ledger(tmp_path):
    with open_place(tmp_path, config=ONCE) as place:
        commit_on_a_branch(place, "run.py")
        place.run("submit", "--range", "main..hooked")
        done = place.json("submit", "--pr", open_pull(place), "--wait")
        assert (done["tasks"]["new"], done["collect"]["answers"]["succeeded"]) == (0, 1)
        assert place.json("publish", "--pr", "1")["posted"] > 0
        assert place.created() == 1


def test_all_open_pull_requests_take_over_local_answers(tmp_path):
    with open_place(tmp_path, config=ONCE) as place:
        commit_on_a_branch(place, "run.py")
        review_on_the_laptop(place, "--range", "main..hooked")
        open_pull(place)
        assert place.json("submit", "--all-open", "--yes")["tasks"]["sent"] == 0
        assert place.json("publish", "--pr", "1")["posted"] > 0
        assert place.created() == 1


def test_a_crash_after_the_copy_loses_and_doubles_nothing(tmp_path):
    with open_place(tmp_path, config=ONCE) as place:
        commit_on_a_branch(place, "run.py")
        review_on_the_laptop(place, "--range", "main..hooked")
        before = reports(place)
        number = open_pull(place)
        place.run("submit", "--pr", number, "--budget", "x", code=2)
        place.run("submit", "--range", "main..hooked", "--share")  # copies, and plans elsewhere
        assert place.json("submit", "--pr", number)["tasks"]["new"] == 0
        assert place.created() == 1
        assert reports(place) == before


@pytest.mark.parametrize("is_pull_request", [False, True])
def test_queued_work_that_was_cancelled_can_be_submitted_again(tmp_path, is_pull_request):
    slow = partial(BatchesServer, seconds=3600, cancel_seconds=0)
    with open_place(tmp_path, batches=slow, config=ONCE) as place:
        commit_through_the_hook(place)
        place.run("submit", "--queued")
        place.run("cancel", "--all")
        assert place.json("collect", "--no-submit")["answers"]["canceled"] == 1
        source = ("--pr", open_pull(place)) if is_pull_request else ("--range", "main..hooked")
        assert place.json("submit", *source)["tasks"]["new"] == 1
