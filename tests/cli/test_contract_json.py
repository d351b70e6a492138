"""What scripts rely on: one whole trip with `--format json`, and what each step did to the world.

Each step is done twice, for twice is the same as once.
"""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from program import STATE, TITLES, open_place

STATUSES = {
    "intent",
    "undecided",
    "in_progress",
    "canceling",
    "ended",
    "collected",
    "lost",
}
OUTCOMES = {"succeeded", "errored", "expired", "canceled", "refused", "truncated", "unreadable"}
REASONS = {
    "unplaced",
    "changed_meanwhile",
    "outside_diff",
    "over_limit",
    "refuted",
    "silenced",
    "duplicate",
    "low_confidence",
    "malformed",
    "closed",
}
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
MONEY = re.compile(r"usd|batch|cache|dedupe")


@pytest.fixture(scope="module")
def trip(tmp_path_factory):
    """Every document of the trip by name, and beside it what had been sent and posted by then."""
    documents: dict[str, Any] = {}
    with open_place(tmp_path_factory.mktemp("json")) as place:
        number = str(place.suspicious({".claude-batch.toml": "max_comments = 2\n"}))

        def note(name: str, *args: str) -> Any:
            ran = place.run(*args, "--format", "json", code=None)
            documents[name], documents[f"{name} code"] = ran.json(), ran.code
            documents[f"{name} sent"], documents[f"{name} written"] = (
                place.created(),
                place.written(),
            )
            return documents[name]

        note("estimate", "estimate", "--pr", number)
        documents["refs"] = place.ref(place.shop.bare, STATE)
        note("submit", "submit", "--pr", number)
        note("submit again", "submit", "--pr", number)
        note("pending", "status")
        note("collect", "collect", "--wait")
        note("collect again", "collect")
        note("dry run", "publish", "--pr", number, "--dry-run")
        note("publish", "publish", "--pr", number)
        note("publish again", "publish", "--pr", number)
        note("bare publish", "publish", "--fail-on", "high")
        note("status", "status")
        batch = note("list", "list")["items"][-1]["id"]
        finding = note("findings", "findings")["items"][0]
        note("show batch", "show", batch[: len("msgbatch_") + 6])
        note("show task", "show", finding["task"][:6])
        note("show finding", "show", finding["id"][:6])
        note("cost", "cost", "--by", "pull_request")
        note("nothing", "submit", "--range", "HEAD..HEAD")
        documents["csv"] = place.run("cost", "--by", "model", "--format", "csv").out
        documents["talk"] = [
            place.shop.ask("GET", f"/{what}/{number}/comments").body for what in ("issues", "pulls")
        ]
        yield documents


def sums(receipt: dict[str, Any]) -> None:
    """What holds for every receipt."""
    assert receipt["saved_usd"] == receipt["usd_standard"] - receipt["usd"]
    saved = receipt["saved_by"]
    assert set(saved) == {"batch", "cache", "dedupe"}
    assert saved["batch"] + saved["cache"] == receipt["saved_usd"]
    assert all(type(receipt[name]) is int for name in TOKENS)


def test_an_estimate_is_a_submit_without_batches(trip):
    assert trip["estimate"] == {
        key: value for key, value in trip["submit"].items() if key not in ("batches", "job")
    }
    assert trip["estimate"]["tasks"] == {"planned": 6, "known": 0, "new": 6, "waiting": 0}
    assert trip["estimate"]["requests"] == 1
    assert trip["estimate sent"] == 0
    assert trip["refs"] == ""


def test_an_estimates_money_is_exact(trip):
    estimate = trip["estimate"]["estimate"]
    assert set(estimate) >= {"usd", "usd_standard", "usd_max", "input_tokens", "output_tokens"}
    assert estimate["usd"] * 2 == estimate["usd_standard"]
    assert estimate["usd"] < estimate["usd_max"]
    assert all(isinstance(estimate[key], Decimal) for key in ("usd", "usd_standard", "usd_max"))
    assert type(estimate["input_tokens"]) is type(estimate["output_tokens"]) is int


def test_submit_names_its_batches(trip):
    [batch] = trip["submit"]["batches"]
    assert set(batch) == {"id", "requests", "tasks"}
    assert batch["id"].startswith("msgbatch_")
    assert (batch["requests"], batch["tasks"]) == (1, 6)
    assert trip["submit sent"] == 1


def test_a_second_submit_sends_nothing(trip):
    assert trip["submit again"]["batches"] == []
    assert trip["submit again"]["tasks"] == {"planned": 6, "known": 6, "new": 0, "waiting": 0}
    assert trip["submit again"]["requests"] == trip["submit again"]["estimate"]["usd"] == 0
    assert trip["submit again sent"] == 1


def test_what_is_pending(trip):
    pending = trip["pending"]
    [batch] = pending["batches"]
    assert set(batch) >= {"id", "status", "created_at", "expires_at", "requests"}
    assert batch["id"] == trip["submit"]["batches"][0]["id"]
    assert batch["status"] == "in_progress"
    assert pending["pending_tasks"] == 6
    assert pending["spent_usd"] == trip["estimate"]["estimate"]["usd_max"]


@pytest.mark.parametrize("name", ["pending", "list", "show batch"])
def test_times_are_in_utc_and_statuses_of_the_list(trip, name):
    shown = trip[name]
    for row in shown.get("batches") or shown.get("items") or [shown]:
        assert row["status"] in STATUSES
        # Lane now has no batch that could expire.
        keys = ("created_at", "expires_at") if row["expires_at"] else ("created_at",)
        for key in keys:
            assert row[key].endswith("Z")
            assert datetime.fromisoformat(row[key]).utcoffset() == timedelta(0)


def test_answers_are_disjoint_and_sum_to_the_requests(trip):
    collected = trip["collect"]
    [second_look] = collected["submitted"]
    assert set(second_look) == {"id", "requests", "tasks", "follows"}
    assert second_look["id"] is None  # at once
    (batch,) = trip["submit"]["batches"]
    assert collected["batches"] == [{"id": batch["id"], "status": "collected"}]
    assert set(collected["answers"]) == OUTCOMES
    assert all(type(count) is int for count in collected["answers"].values())
    asked = trip["submit"]["requests"] + second_look["requests"]
    assert sum(collected["answers"].values()) == asked
    assert collected["findings"] == len(TITLES)


def test_the_receipt_of_a_collect(trip):
    receipt = trip["collect"]["receipt"]
    sums(receipt)
    # Half of it for the batch, and all of it for the second look, which was taken at once.
    assert 0 < receipt["usd"] < receipt["usd_standard"] < receipt["usd"] * 2
    assert trip["status"]["spent_usd"] == receipt["usd"]


def test_a_second_collect_has_nothing_and_costs_nothing(trip):
    again = trip["collect again"]
    assert again["batches"] == again["submitted"] == []
    assert sum(again["answers"].values()) == again["findings"] == again["receipt"]["usd"] == 0
    assert set(again["receipt"]) == set(trip["collect"]["receipt"])


def test_a_dry_run_says_what_it_would_post_and_posts_nothing(trip):
    assert trip["dry run"]["posted"] == trip["publish"]["posted"] == len(TITLES) + 1
    assert trip["dry run written"] == trip["collect again written"]


def test_publish_counts_what_it_posted(trip):
    done = trip["publish"]
    assert set(done) >= {"pull_request", "posted", "updated", "unchanged", "dropped"}
    assert (done["pull_request"], done["updated"], done["unchanged"]) == (1, 0, 0)
    [one] = done["pull_requests"]
    assert (one["pull_request"], one["posted"]) == (1, done["posted"])
    sums(one["receipt"])
    assert all(set(row) == {"reason", "count"} for row in done["dropped"])
    assert {row["reason"] for row in done["dropped"]} <= REASONS


def test_a_second_publish_posts_nothing(trip):
    for name in ("publish again", "bare publish"):
        assert (trip[name]["posted"], trip[name]["updated"]) == (0, 0)
        assert trip[name]["unchanged"] == trip["publish"]["posted"]
    assert trip["publish again written"] == trip["publish written"]
    assert trip["bare publish written"] == trip["publish written"] + 1  # the check's conclusion


def test_fail_on_is_the_exit_code_and_the_document_is_whole(trip):
    codes = {name: code for name, code in trip.items() if name.endswith(" code")}
    assert codes.pop("bare publish code") == 1
    assert set(codes.values()) == {0}


def test_what_stands_on_the_pull_request(trip):
    [summary], remarks = trip["talk"]
    assert {remark["line"] for remark in remarks} == {1, 2, 3, 4}  # the head says 2 at most
    assert all("<!-- claude-batch" in each["body"] for each in [summary, *remarks])


def test_lists(trip):
    for name in ("list", "findings"):
        assert trip[name]["total"] == len(trip[name]["items"])
        assert type(trip[name]["total"]) is int
    assert trip["list"]["items"][0]["status"] == "collected"
    items = trip["findings"]["items"]
    assert {item["title"] for item in items} == TITLES
    assert {item["outcome"] for item in items} == {"posted"}


def test_show(trip):
    assert trip["show batch"]["type"] == "batch"
    assert trip["show batch"]["id"] == trip["submit"]["batches"][0]["id"]
    assert trip["show task"]["type"] == "task"
    assert trip["show task"]["standing"] == "answered"
    assert trip["show finding"]["type"] == "finding"
    assert trip["show finding"]["id"] == trip["findings"]["items"][0]["id"]


def test_cost(trip):
    cost = trip["cost"]
    assert set(cost) == {"groups", "totals", "period"}
    assert [group["name"] for group in cost["groups"]] == ["1"]
    sums(cost["totals"])
    assert cost["totals"]["usd"] == trip["collect"]["receipt"]["usd"]
    header, second_look, row, total = trip["csv"].splitlines()
    assert header.startswith("model,usd,usd_standard,saved_usd,requests,")
    assert row.startswith("claude-sonnet-5-5,")
    assert second_look.startswith("claude-haiku-5-5,")
    assert Decimal(total.split(",")[1]) == cost["totals"]["usd"]


def test_a_range_without_changes_is_nothing_to_do(trip):
    assert trip["nothing"]["tasks"] == {"planned": 0, "known": 0, "new": 0, "waiting": 0}
    assert trip["nothing sent"] == trip["status sent"]


def test_no_money_went_through_a_float(trip):
    def amounts(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            for name, inner in value.items():
                yield from amounts(inner, name)
        elif isinstance(value, list):
            for inner in value:
                yield from amounts(inner, key)
        elif isinstance(value, Decimal):
            yield key, value

    found = [pair for document in trip.values() for pair in amounts(document)]
    assert all(MONEY.search(key) for key, _ in found)
    assert all(len(value.as_tuple().digits) <= 9 for _, value in found)
