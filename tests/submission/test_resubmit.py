"""What expires or fails in passing is asked once more; nothing else is, and nothing for ever."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import pytest

from claude_batch.batches.cancel import close_pull_request
from claude_batch.batches.collect_result import CollectResult
from claude_batch.config.model import Budget, Config
from claude_batch.git.repository import Repository
from claude_batch.ledger.events import Plan, Stamp
from claude_batch.ledger.view import TaskStatus
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.http_messages import Fault, FindFault, fail_calls
from claude_batch.submission.resubmit import Resubmitter
from claude_batch.submission.scope import Resubmission, ReviewScope
from claude_batch.tasks.discovery import ChangeFinder
from program import ONCE, open_place
from rig import NOTHING, REPO, PullRig, content, open_pull, open_rig
from shop import BASE, environ, open_shop

CREATE = "/v1/messages/batches"
EXPIRED = ModelReply(result="expired")
INVALID = ModelReply(result="errored", error=("invalid_request_error", "no such thing"))
REFUSED = ModelReply("", "refusal", refusal="cyber")
BUSY = ModelReply(result="errored", error=("overloaded_error", "busy"))


@dataclass
class Moody:
    """Of each path the 1st, 2nd … answer; then it has nothing to say. `asked`: how often."""

    moods: dict[str, list[ModelReply]]
    asked: Counter[tuple[str, ...]] = field(default_factory=Counter)

    def __call__(self, params: Mapping[str, object]) -> ModelReply:
        shown = content(params)
        paths = tuple(path for path in self.moods if f'path="{path}"' in shown)
        self.asked[paths] += 1
        left = [self.moods[path] for path in paths if self.moods[path]]
        return left[0].pop(0) if left else NOTHING


@contextmanager
def opened(
    path: Path, moods: dict[str, list[ModelReply]], faults: FindFault = lambda call: None
) -> Iterator[tuple[PullRig, Moody]]:
    """A pull request with a file for each mood; a new one is so large that it goes alone."""
    reviewer = Moody(moods)
    with open_shop(path) as shop, open_rig(shop.work, reviewer=reviewer, faults=faults) as rig:
        rig.config = Config(budget=Budget(pull_request=None))
        shop.git("checkout", "-q", "feature")
        large = {name: f"{name[0]} = 1  # {'x' * 99}\n" * 390 for name in moods}
        shop.commit({name: text for name, text in large.items() if name not in BASE})
        shop.git("push", "-q", "origin", "feature")
        pull = open_pull(rig, shop)
        pull.submit()
        rig.clock.forward(minutes=5)
        rig.collect()
        yield pull, reviewer


def resubmit(pull: PullRig) -> CollectResult:
    rig = pull.rig
    looker = ChangeFinder(Repository.open(pull.shop.work, environ()))

    def subject(again: Resubmission) -> ReviewScope:
        look = looker.find_planned(again.plan, rig.config.exclude)
        return ReviewScope(
            REPO,
            rig.run,
            again.plan.pr,
            look.comparison,
            look.tasks(rig.kinds),
            look.skipped,
            resubmission=again,
        )

    return Resubmitter(rig.ledger, subject, rig.submit, rig.clock).send()


def plans(pull: PullRig) -> list[Plan]:
    return pull.rig.view.plans


def follows(pull: PullRig) -> list[tuple[str | None, int]]:
    """Of each intent why it was sent, and its tasks."""
    sendings = sorted(pull.rig.view.batch_records.values(), key=lambda one: one.intent.at)
    return [
        (one.intent.follows, sum(len(asked.tasks) for asked in one.requests.values()))
        for one in sendings
    ]


def test_exactly_what_expired_or_failed_in_passing(tmp_path: Path) -> None:
    moods = {
        "expired.py": [EXPIRED],
        "busy.py": [BUSY],
        "invalid.py": [INVALID],
        "fine.py": [],
        "prose.py": [ModelReply("It looks good to me.")],
    }
    with opened(tmp_path, moods) as (pull, reviewer):
        before = plans(pull)
        (sent,) = resubmit(pull).sent
        again = {path for paths, times in reviewer.asked.items() for path in paths if times > 1}
        assert (sent.follows, again) == ("retry", set()), "nothing is answered yet"
        assert resubmit(pull) == CollectResult(), "it is under way"
        pull.rig.collect()
        again = {path for paths, times in reviewer.asked.items() for path in paths if times > 1}
        assert again == {"expired.py", "busy.py", "prose.py"}
        assert resubmit(pull) == CollectResult()
        assert plans(pull) == before, "publish shows the same plan"
        failed = [one for one in pull.scene().tasks if one.path == "invalid.py"]
        assert {pull.rig.view.task_status(one.id) for one in failed} == {TaskStatus.FAILED}
        others = [one for one in pull.scene().tasks if one.path != "invalid.py"]
        assert {pull.rig.view.task_status(one.id) for one in others} == {TaskStatus.ANSWERED}


def test_at_most_twice_in_all(tmp_path: Path) -> None:
    with opened(tmp_path, {"slow.py": [EXPIRED] * 9}) as (pull, reviewer):
        assert len(resubmit(pull).sent) == 1
        pull.rig.collect()
        assert resubmit(pull) == CollectResult()
        assert reviewer.asked["slow.py",] == 2
        assert pull.submit().sent == ()


def test_what_was_refused_together_is_asked_alone(tmp_path: Path) -> None:
    with opened(tmp_path, {"cart.py": [REFUSED]}) as (pull, _):
        (sent,) = resubmit(pull).sent
        together, alone = follows(pull)
        tasks = together[1]
        assert (sent.follows, sent.requests, alone) == ("split", tasks, ("split", tasks))
        assert tasks > 1
        pull.rig.collect()
        assert set(map(pull.rig.view.task_status, {t.id for t in pull.scene().tasks})) == {
            TaskStatus.ANSWERED
        }


def test_nothing_is_paid_over_budget(tmp_path: Path) -> None:
    with opened(tmp_path, {"slow.py": [EXPIRED]}) as (pull, _):
        pull.rig.config = Config(budget=Budget(pull_request=Decimal("0.000001")))
        before = plans(pull)
        done = resubmit(pull)
        assert done.sent == ()
        assert done.notes[0].startswith(
            f"pull request {pull.number} is not asked again: nothing was sent: up to"
        )
        assert plans(pull) == before
        pull.rig.config = Config(budget=Budget(pull_request=None))
        assert len(resubmit(pull).sent) == 1


def test_a_closed_pull_request_is_left_alone(tmp_path: Path) -> None:
    with opened(tmp_path, {"slow.py": [EXPIRED]}) as (pull, _):
        rig = pull.rig
        close_pull_request(
            rig.ledger, rig.claude, pull.number, True, Stamp(rig.run, REPO, rig.clock)
        )
        assert resubmit(pull) == CollectResult()


def test_a_head_that_is_gone_waits_for_the_next_push(tmp_path: Path) -> None:
    with opened(tmp_path, {"slow.py": [EXPIRED]}) as (pull, _):
        elsewhere = tmp_path / "elsewhere"
        pull.shop.git("init", "-q", str(elsewhere))
        looker = ChangeFinder(Repository.open(elsewhere, environ()))

        def subject(again: Resubmission) -> ReviewScope:
            look = looker.find_planned(again.plan, ())
            raise AssertionError(look)

        done = Resubmitter(pull.rig.ledger, subject, pull.rig.submit, pull.rig.clock).send()
        assert done.sent == ()
        (note,) = done.notes
        assert note.startswith(f"pull request {pull.number} is not asked again: commits that are")


OUTAGES = [
    Fault(529),
    Fault(after=True),
    pytest.param(Fault(429), marks=pytest.mark.slow),
    pytest.param(Fault(502), marks=pytest.mark.slow),
]


@pytest.mark.parametrize("fault", OUTAGES)
def test_an_outage_pays_for_nothing_twice(tmp_path: Path, fault: Fault) -> None:
    faults = fail_calls("POST", CREATE, None, fault)
    with opened(tmp_path, {"slow.py": [EXPIRED]}, faults) as (pull, reviewer):
        done = resubmit(pull)
        assert (done.sent, len(done.notes)) == ((), 1)
        for _ in range(3):  # a doubt is settled by two listings ten minutes apart
            pull.rig.clock.forward(minutes=31)
            pull.rig.collect()
            resubmit(pull)
        pull.rig.collect()
        assert reviewer.asked["slow.py",] == 2
        assert not pull.rig.view.open_batches()


def test_what_the_api_refuses_is_offered_again_ever_more_rarely(tmp_path: Path) -> None:
    faults = fail_calls("POST", CREATE, None, *[Fault(400, "invalid_request_error")] * 9)
    with opened(tmp_path, {"slow.py": [EXPIRED]}, faults) as (pull, _):
        hours = []
        for hour in range(12):
            before = len(pull.rig.sent())
            assert resubmit(pull).sent == ()
            hours += [hour] * (len(pull.rig.sent()) - before)
            pull.rig.collect()
            pull.rig.clock.forward(hours=1)
        assert hours == [0, 1, 3, 7]


def test_whole_files_are_asked_again_from_their_commit(tmp_path: Path) -> None:
    name = "odd [name]!.py"
    with open_shop(tmp_path) as shop:
        head = shop.commit({name: "a = 1\n", "other.py": "b = 2\n"})
        looker = ChangeFinder(Repository.open(shop.work, environ()))
        look = looker.find_files(["odd*"], ())
        shop.commit({name: "a = 2\n"})
        with open_rig(shop.work, reviewer=Moody({name: [EXPIRED]})) as rig:
            tasks = look.tasks(rig.kinds)
            rig.submit(ReviewScope(REPO, rig.run, None, look.comparison, tasks, ()))
            (plan,) = rig.view.plans
            assert (plan.base, plan.head) == (head, head)
            assert [one.id for one in looker.find_planned(plan, ()).tasks(rig.kinds)] == [
                one.id for one in tasks
            ]


@pytest.mark.slow
def test_by_the_program(tmp_path: Path) -> None:
    """On a laptop, where a range is recorded in a ref of the clone."""
    moods = {"run.py": [EXPIRED] * 9}
    server = lambda: BatchesServer(reviewer=Moody(moods))  # noqa: E731
    with open_place(tmp_path, batches=server, config=ONCE) as place:
        place.suspicious()
        place.run("submit", "--range", "main..feature")
        assert place.json("collect", "--no-submit")["submitted"] == []
        done = place.json("collect")
        assert [row["follows"] for row in done["submitted"]] == ["retry"]
        assert place.json("collect")["submitted"] == []
        assert place.created() == 2
        assert json.loads(place.run("status", "--format", "json").out)["failed_tasks"] > 0
