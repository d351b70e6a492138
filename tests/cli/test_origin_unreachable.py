"""Work on local batches goes on while the remote cannot be reached."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from program import NOWHERE, ONCE, SUSPICIOUS, Place, open_place

NOTE = "note: the shared ledger could not be read: origin could not be reached: "


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with open_place(tmp_path, config=ONCE) as place:
        yield place


def cut_off(place: Place) -> None:
    place.shop.git("remote", "set-url", "origin", f"{NOWHERE}/acme/shop.git")


def submit_local(place: Place) -> str:
    place.shop.git("checkout", "-q", "feature")
    place.shop.commit({"run.py": SUSPICIOUS})
    (batch,) = place.json("submit", "--range", "HEAD~1..HEAD")["batches"]
    return str(batch["id"])


def test_local_batches_are_listed_collected_and_counted(place: Place) -> None:
    batch = submit_local(place)
    cut_off(place)
    listed = place.run("list", "--format", "json")
    assert [item["id"] for item in listed.json()["items"]] == [batch]
    assert listed.err.startswith(NOTE)
    collected = place.run("collect", "--wait", "--format", "json")
    assert collected.json()["answers"]["succeeded"] == 1
    assert NOTE in collected.err
    status = place.run("status", "--format", "json")
    assert status.json()["pending_tasks"] == 0
    assert status.json()["spent_usd"] > 0
    assert status.err.startswith(NOTE)


def test_a_local_batch_is_cancelled(place: Place) -> None:
    batch = submit_local(place)
    cut_off(place)
    canceled = place.run("cancel", batch, "--format", "json")
    assert [item["id"] for item in canceled.json()["items"]] == [batch]
    assert canceled.err.startswith(NOTE)


def test_without_a_local_ledger_it_is_an_error(place: Place) -> None:
    cut_off(place)
    problem, remedy = place.run("list", code=3).refusal()
    assert problem.startswith("origin could not be reached: ")
    assert remedy == "run again when it is; nothing was lost"


def test_another_fault_of_the_shared_ledger_comes_after_the_local_work(place: Place) -> None:
    submit_local(place)
    place.json("submit", "--pr", str(place.shop.hub.open_pull("Change", "feature")), "--wait")
    place.shop.git("push", "-q", "origin", ":refs/heads/claude-batch-state")
    problem, _ = place.run("collect", code=3).refusal()
    assert "is gone from origin" in problem
    place.shop.git("remote", "remove", "origin")
    assert place.json("status")["pending_tasks"] == 0  # those of the local ledger
