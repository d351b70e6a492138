"""One pull request from its first push to its merge, on real git and both look-alikes."""

from pathlib import Path

from claude_batch.batches.cancel import cancel_records
from claude_batch.ledger.events import Stamp
from claude_batch.pull_requests.record import record_end
from claude_batch.waiting.unneeded_batches import unneeded_batches
from rig import PullRig, Rig, content, find, open_pull, open_rig
from shop import Shop, open_shop

TEN, LATER = "line_10 = 'ten'", "line_30 = 'thirty'"


def test_the_whole_trip(tmp_path: Path) -> None:
    with (
        open_shop(tmp_path) as shop,
        open_rig(shop.work, remote="origin", reviewer=find(TEN, LATER), seconds=900) as rig,
    ):
        # Somebody pushes a branch and opens a pull request.
        pull = open_pull(rig, shop)

        # CI submits it and is done within seconds.
        first = pull.submit()
        assert first.plan.plan.new == len(shown_lately(rig)) == 4
        assert TEN in "\n".join(shown_lately(rig))
        assert pull.reviewed() == []

        # Any later run collects, as soon as the batch has ended, and publishes.
        assert rig.collect().answers == ()
        rig.clock.forward(minutes=15)
        collected = rig.collect()
        assert [answered.findings for answered in collected.answers] == [1]
        assert pull.publish().posted == 2
        assert pull.reviewed() == [("cart.py", 10)]
        assert "1 finding" in pull.summary()

        # More is pushed: one new hunk. Only that one is asked about.
        push_another_hunk(shop)
        second = pull.submit()
        assert (second.plan.plan.new, second.plan.plan.reused) == (1, 4)
        (hunk,) = shown_lately(rig)
        assert LATER in hunk
        assert TEN not in hunk
        rig.clock.forward(minutes=15)
        rig.collect()
        assert pull.publish().posted == 1
        assert sorted(pull.reviewed()) == [("cart.py", 10), ("cart.py", 30)]
        assert "2 findings" in pull.summary()

        # The branch is rebased onto a main that has moved on elsewhere: nothing is sent again.
        batches = len(rig.sent())
        rebase(shop)
        assert pull.submit().sent == ()
        assert rig.collect().answers == ()
        again = pull.publish()
        assert (len(rig.sent()), again.posted) == (batches, 0)
        assert len(pull.reviewed()) == 2
        receipt = again.receipt
        assert receipt.requests == 2
        assert receipt.saved_by_batch == receipt.usd > 0

        # It is merged, and with that closed: nothing more is said.
        shop.hub.merge(pull.number)
        assert close_in_ci(pull) == []
        assert rig.view.closed[pull.number].merged
        done = pull.publisher().close(pull.forge.get_pull_request(pull.number))
        assert done.note == f"pull request {pull.number} is merged"
        assert len(pull.reviewed()) == 2


def shown_lately(rig: Rig) -> list[str]:
    """The hunks with anchors of the batch that was created last."""
    sent = list(rig.server.submitted())
    newest = sent[-1][0]
    hunks: list[str] = []
    for batch, _, params in sent:
        if batch == newest:
            hunks += [part for part in content(params).split("\n@@") if is_asked(part)]
    return hunks


def is_asked(hunk: str) -> bool:
    rows = hunk.split("\n")[1:]
    return bool(rows) and rows[0][:1].isdigit()


def push_another_hunk(shop: Shop) -> None:
    text = (shop.work / "cart.py").read_text()
    shop.commit({"cart.py": text.replace("line_30 = 30\n", f"{LATER}\n")}, "thirty")
    shop.git("push", "-q", "origin", "HEAD:feature")


def rebase(shop: Shop) -> None:
    shop.git("checkout", "-q", "main")
    shop.commit({"elsewhere.py": "x = 1\n"}, "elsewhere")
    shop.git("push", "-q", "origin", "main")
    shop.git("checkout", "-q", "feature")
    shop.git("rebase", "-q", "main")
    shop.git("push", "-q", "--force", "origin", "HEAD:feature")


def close_in_ci(pull: PullRig) -> list[tuple[str, str]]:
    rig = pull.rig
    stamp = Stamp(rig.run, "octo/shop", rig.clock)
    record_end(rig.ledger, pull.number, stamp, merged=True)
    records = unneeded_batches(rig.view, rig.clock())
    batches = [record.submitted for record in records if record.submitted]
    canceled = cancel_records(rig.ledger, rig.claude, batches, rig.run, rig.clock)
    return [(str(batch), status) for batch, status in canceled]
