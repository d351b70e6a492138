"""What a clone has paid for in its own ledger is not paid for again by its pull requests."""

import json

import pytest

from program import LOCAL, ONCE, STATE, SUSPICIOUS, TITLES, Place, open_place


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
