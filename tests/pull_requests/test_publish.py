from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from claude_batch.cli.output.publish_result import publish_document
from claude_batch.config.model import Config
from claude_batch.errors import CannotPublish
from claude_batch.findings.finding import Severity
from claude_batch.ledger.events import FeedbackRecorded, Lease
from claude_batch.ledger.store import Write
from claude_batch.sandbox.github_server.messages import error_response
from claude_batch.sandbox.http_messages import Fault, HttpRequest
from github_faults import Script, bad_gateway
from rig import PullRig, find, open_pull, open_rig
from shop import open_shop

TEN, EXTRA, ADDED = "line_10 = 'ten'", "extra_a = 1", "b = 2"
Open = Callable[..., AbstractContextManager[PullRig]]


@pytest.fixture
def shop_open(tmp_path: Path) -> Open:
    """A pull request whose answers say something about the lines that are named."""

    @contextmanager
    def opened(*lines: str, config: Config | None = None, **more: object) -> Iterator[PullRig]:
        with (
            open_shop(tmp_path) as shop,
            open_rig(shop.work, reviewer=find(*lines, **more)) as rig,
        ):
            rig.config = config or Config()
            yield open_pull(rig, shop)

    return opened


def ready(pull: PullRig) -> PullRig:
    pull.submit()
    pull.rig.collect()
    return pull


def posts(pull: PullRig, ending: str) -> int:
    """How often something was created on the hub, whether or not the answer arrived."""
    rows = [row for row in pull.shop.hub.log if row.method == "POST" and row.path.endswith(ending)]
    return len(rows)


def test_findings_stand_at_their_lines_with_one_summary_and_one_check(shop_open: Open) -> None:
    with shop_open(TEN, EXTRA, ADDED) as pull:
        done = ready(pull).publish()
        assert sorted(pull.reviewed()) == [("added.py", 2), ("cart.py", 10), ("cart.py", 51)]
        assert (done.posted, done.updated, done.unchanged, done.dropped) == (4, 0, 0, ())
        assert not done.failing
        assert "3 findings" in pull.summary()
        assert posts(pull, "/reviews") == posts(pull, "/check-runs") == 1
        assert {post.what for post in pull.rig.view.posts.values()} == {
            "comment",
            "summary",
            "check",
        }
        assert len(done.placed) == 3
        assert done.receipt.usd > 0
        (said,) = publish_document([done])["pull_requests"]  # type: ignore[misc]
        assert (said["pull_request"], said["posted"]) == (pull.number, 4)


def test_twice_is_once(shop_open: Open) -> None:
    with shop_open(TEN, EXTRA) as pull:
        ready(pull).publish()
        before = len(pull.shop.hub.log)
        again = pull.publish()
        later = [row for row in pull.shop.hub.log[before:] if row.path != "/graphql"]
        assert {row.method for row in later} == {"GET"}
        assert "mutation" not in str(pull.shop.hub.log[before:])
        assert (again.posted, again.updated, again.unchanged) == (0, 0, 3)


def test_nothing_found_is_a_check_and_no_comment(shop_open: Open) -> None:
    with shop_open() as pull:
        done = ready(pull).publish()
        assert (done.posted, pull.reviewed(), pull.forge.list_comments(pull.number)) == (0, [], [])
        assert posts(pull, "/check-runs") == 1
        [check] = pull.shop.hub.conversation(pull.number)
        assert (check.kind, check.conclusion) == ("check", "neutral")
        assert check.title == "No findings in 4 tasks"


def test_nothing_submitted_is_said(shop_open: Open) -> None:
    with shop_open(TEN) as pull:
        done = pull.publish()
        assert done.note == f"nothing was submitted for pull request {pull.number}"
        assert pull.rig.ledger.tip() is None


def test_a_dry_run_posts_and_records_nothing(shop_open: Open) -> None:
    with shop_open(TEN) as pull:
        tip = ready(pull).rig.ledger.tip()
        done = pull.publish(dry_run=True)
        assert done.posted == 2
        assert done.preview is not None
        assert [fresh.comment.line for fresh in done.preview.create] == [10]
        assert pull.reviewed() == []
        assert pull.rig.ledger.tip() == tip


def test_a_bad_comment_does_not_keep_the_others_out(shop_open: Open) -> None:
    """GitHub refuses a whole review for one comment, and does not say which."""

    def surprise(request: HttpRequest) -> Fault | None:
        comments = (request.json() or {}).get("comments", [])
        if any(one["path"] == "added.py" for one in comments):
            error = error_response(422, "Unprocessable Entity", ["Line could not be resolved"])
            return Fault(422, body=error.response.body)
        return None

    with shop_open(TEN, EXTRA, ADDED, config=Config(fail_on=Severity.HIGH)) as pull:
        ready(pull)
        pull.shop.hub.faults = surprise
        done = pull.publish()
        assert sorted(pull.reviewed()) == [("cart.py", 10), ("cart.py", 51)]
        assert (done.posted, done.unchanged) == (3, 0)
        assert [drop.reason for drop in done.dropped] == ["outside_diff"]
        assert "About b = 2" in pull.summary()
        assert done.failing, "it was found, wherever it stands"
        again = pull.publish()
        assert (again.posted, again.unchanged) == (0, 3)


def test_a_bad_gateway_after_the_deed_posts_nothing_twice(shop_open: Open) -> None:
    with shop_open(TEN, EXTRA) as pull:
        ready(pull)
        pull.shop.hub.faults = Script().expect("POST", "/reviews$", bad_gateway(after=True))
        with pytest.raises(CannotPublish, match="may or may not"):
            pull.publish()
        done = pull.publish(run="run-2")
        assert sorted(pull.reviewed()) == [("cart.py", 10), ("cart.py", 51)]
        assert posts(pull, "/reviews") == 1
        assert (done.posted, done.unchanged) == (1, 2)
        assert len([key for _, key in pull.rig.view.posts if len(key) == 16]) == 2


def test_what_stood_before_a_failure_is_recorded(shop_open: Open) -> None:
    with shop_open(TEN) as pull:
        ready(pull)
        pull.shop.hub.faults = Script().expect("POST", "/issues/", bad_gateway(after=False))
        with pytest.raises(CannotPublish):
            pull.publish()
        assert [post.what for post in pull.rig.view.posts.values()] == ["comment"]
        assert pull.publish(run="run-2").note == "", "nobody has to wait for a lease"


class TestTheLease:
    def test_a_second_publisher_waits_its_turn(self, shop_open: Open) -> None:
        with shop_open(TEN) as pull:
            ready(pull)
            at = pull.rig.clock()
            lease = Lease(
                at=at,
                run="run-1",
                repo="octo/shop",
                scope=f"publish:{pull.number}",
                owner="run-1",
                until=at + timedelta(minutes=10),
            )
            pull.rig.ledger.transact(lambda view: Write((lease,)))
            done = pull.publish(run="run-2")
            assert done.note == f"another run is publishing on pull request {pull.number}"
            assert pull.reviewed() == []
            pull.rig.clock.forward(minutes=10)
            assert pull.publish(run="run-2").posted == 2

    def test_it_is_free_when_the_publisher_is_done(self, shop_open: Open) -> None:
        with shop_open(TEN) as pull:
            ready(pull).publish()
            assert pull.publish(run="run-2").note == ""


def test_over_the_limit_is_folded_into_the_summary(shop_open: Open) -> None:
    with shop_open(TEN, EXTRA, ADDED, config=Config(max_comments=1)) as pull:
        done = ready(pull).publish()
        assert len(pull.reviewed()) == 1
        assert [drop.reason for drop in done.dropped] == ["over_limit"] * 2
        assert pull.summary().count("About ") == 2


def test_a_silenced_finding_is_not_said(shop_open: Open) -> None:
    with shop_open(TEN) as pull:
        ready(pull)
        rig = pull.rig
        (finding,) = rig.ledger.findings(answered for _, answered in rig.view.answers())
        down = FeedbackRecorded(
            at=rig.clock(),
            run="run-1",
            repo="octo/shop",
            pr=pull.number,
            fingerprint=finding.fingerprint,
            what="thumbs_down",
        )
        rig.ledger.transact(lambda view: Write((down,)))
        done = pull.publish()
        assert pull.reviewed() == []
        assert [drop.reason for drop in done.dropped] == ["silenced"]


def test_ids_alone_in_the_ledger_and_the_findings_come_from_the_api(shop_open: Open) -> None:
    with shop_open(TEN, config=Config(retention="ids")) as pull:
        ready(pull)
        assert all(answered.shard is None for _, answered in pull.rig.view.answers())
        before = len(pull.rig.server.log)
        done = pull.publish()
        assert pull.reviewed() == [("cart.py", 10)]
        assert done.posted == 2
        fetched = [row.path for row in pull.rig.server.log[before:]]
        assert len(fetched) == 1, "once for each batch"
        assert fetched[0].endswith("/results")


def test_fail_on_looks_at_what_was_found(shop_open: Open) -> None:
    strict = Config(fail_on=Severity.MEDIUM)
    with shop_open(TEN, config=strict, severity="medium") as pull:
        assert ready(pull).publish().failing
    assert strict.fail_on is Severity.MEDIUM


def test_below_fail_on_nothing_fails(shop_open: Open) -> None:
    with shop_open(TEN, config=Config(fail_on=Severity.HIGH), severity="medium") as pull:
        assert not ready(pull).publish().failing


def test_on_a_closed_pull_request_nothing_is_said(shop_open: Open) -> None:
    with shop_open(TEN) as pull:
        ready(pull)
        pull.shop.hub.merge(pull.number)
        for _ in range(2):
            done = pull.publisher().close(pull.forge.get_pull_request(pull.number))
            assert done.note == f"pull request {pull.number} is merged"
            assert [drop.reason for drop in done.dropped] == ["closed"]
        assert pull.rig.view.closed[pull.number].merged
        assert pull.reviewed() == []


def test_a_closed_pull_request_that_was_never_submitted_is_not_noted(shop_open: Open) -> None:
    with shop_open(TEN) as pull:
        pull.shop.hub.close(pull.number)
        assert (
            pull.publisher()
            .close(pull.forge.get_pull_request(pull.number))
            .note.endswith("is closed")
        )
        assert pull.rig.ledger.tip() is None
