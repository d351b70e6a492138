"""A batch that fails, that is gone or that another key has sent, by the console script."""

import pytest

from claude_batch.sandbox.http_messages import Fault, HttpRequest
from program import ONCE, SUSPICIOUS, Place, open_place

Faults = dict[str, Fault]  # by the end of the path
AT_ONCE = {"retry-after": "0"}
GONE = Fault(404, "not_found_error", headers=AT_ONCE)


@pytest.fixture
def place(tmp_path):
    with open_place(tmp_path, config=ONCE) as place:
        yield place


def send(place: Place, name: str) -> str:
    """The id of a batch of its own."""
    place.shop.git("checkout", "-q", "-b", name, "main")
    place.shop.commit({f"{name}.py": SUSPICIOUS})
    (batch,) = place.json("submit", "--range", f"main..{name}")["batches"]
    return batch["id"]


def fail(place: Place, faults: Faults) -> None:
    def find_fault(request: HttpRequest) -> Fault | None:
        return next((fault for end, fault in faults.items() if request.path.endswith(end)), None)

    place.batches.faults = find_fault


def test_one_of_two_fails(place):
    bad, good = send(place, "a"), send(place, "b")
    fail(place, {f"{bad}/results": Fault(403, "permission_error")})
    document = place.json("collect")
    rows = {row["id"]: row for row in document["batches"]}
    assert rows[good] == {"id": good, "status": "collected"}
    assert rows[bad]["status"] == "in_progress"
    assert "403" in rows[bad]["error"]
    assert document["findings"] == 4
    text = place.run("collect", code=3).out
    assert f"note: batch {bad}: the Anthropic API refused (403" in text
    fail(place, {})
    assert place.json("collect")["batches"] == [{"id": bad, "status": "collected"}]


@pytest.mark.parametrize("command", ["cancel", "retry"])
def test_a_batch_that_is_gone_is_given_up(place, command):
    bad = send(place, "a")
    fail(place, {bad: GONE})
    assert f"cancel --forget {bad}" in place.run("collect", code=3).out
    reserved = place.json("status")["spent_usd"]
    place.run(command, "--forget", bad)
    assert place.run("collect", "--wait", "--no-submit").out == "nothing is open\n"
    status = place.json("status")
    assert 0 < status["spent_usd"] < reserved, "it counts at its estimate"
    assert status["batches"] == []
    assert place.json("list")["items"][0]["status"] == "lost"
    assert "unknown" in place.run("cost").out, "marked"
    assert len(place.json("submit", "--range", "main..a")["batches"]) == 1


def test_what_is_not_gone_is_not_given_up(place):
    name = send(place, "a")
    problem, _ = place.run("cancel", "--forget", name, code=2).refusal()
    assert problem == f"the API has batch {name}: ended"
    assert "needs the id" in place.run("cancel", "--forget", "--all", code=2).err
    assert "needs the id" in place.run("retry", "--forget", code=2).err


def test_another_key(place):
    name = send(place, "a")
    other = {"ANTHROPIC_API_KEY": "other"}
    text = place.run("collect", environ=other).out
    assert f"batch {name}: in_progress" in text
    assert f"batch {name} was sent with another key" in text
    scope = text.partition("of the scope ")[2][:16]
    assert place.json("submit", "--range", "main..a", environ=other)["batches"] == []
    assert "another key" in place.run("cancel", name, code=2, environ=other).err
    assert "another key" in place.run("cancel", "--forget", name, code=2, environ=other).err
    done = place.run("doctor", "--adopt-scope", scope, code=None, environ=other).out
    assert f"adopted: batch {name}" in done
    assert place.json("collect", environ=other)["batches"] == [{"id": name, "status": "collected"}]
