"""A lease that ran out belongs to whoever took it over."""

from claude_batch.ledger.events import FeedbackRecorded, Stamp
from claude_batch.pull_requests.lease import PublishLease
from rig import REPO, open_rig
from scratch import Work


def test_a_slow_run_leaves_the_lease_to_the_run_that_took_it_over(work: Work) -> None:
    with open_rig(work.path) as rig:
        slow = PublishLease(rig.ledger, Stamp("run-1", REPO, rig.clock), 7)
        assert slow.acquire()
        rig.clock.forward(minutes=11)
        assert PublishLease(rig.ledger, Stamp("run-2", REPO, rig.clock), 7).acquire()
        liked = slow.stamp.event(FeedbackRecorded, pr=7, fingerprint="f" * 16, what="thumbs_up")
        slow.release([liked])
        lease = rig.view.leases["publish:7"]
        assert lease.owner == "run-2"
        assert lease.until > rig.clock()
        assert rig.view.feedback == [liked], "the work of the slow run is recorded all the same"
