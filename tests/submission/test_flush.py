"""Waiting tasks of several plans are sent together, and what fails in passing is sent again."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from claude_batch.config.model import Budget, Config, OwnKind
from claude_batch.costs.estimates import LIMIT_MAX
from claude_batch.errors import BudgetExceeded, CannotFetch
from claude_batch.git.repository import Repository
from claude_batch.ledger.events import Plan, Stamp
from claude_batch.ledger.store import Write
from claude_batch.pull_requests.record import record_end
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.http_messages import Fault, FindFault, fail_calls
from claude_batch.submission.flush import Flusher, FlushOptions, FlushResult, Submission, plan_flush
from claude_batch.submission.inputs import load_submission
from claude_batch.submission.scope import PlanOptions, Resubmission, ReviewScope
from claude_batch.tasks.discovery import ChangeFinder
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import TaskReading, TaskState, WaitingReason, read_plan
from program import ONCE, open_place
from rig import NOTHING, REPO, PullRig, Rig, content, open_pull, open_rig
from scratch import Work
from shop import BASE, environ, open_shop

CREATE = "/v1/messages/batches"
TRIED = FlushOptions(only_tried=True)
EXPIRED = ModelReply(result="expired")
INVALID = ModelReply(result="errored", error=("invalid_request_error", "no such thing"))
REFUSED = ModelReply("", "refusal", refusal="cyber")
TRUNCATED = ModelReply('{"findings":[', "max_tokens")
BUSY = ModelReply(result="errored", error=("overloaded_error", "busy"))
PROSE = ModelReply("It looks good to me.")


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

    def asked_again(self) -> set[str]:
        return {path for paths, times in self.asked.items() for path in paths if times > 1}


@contextmanager
def open_moody(
    path: Path,
    moods: dict[str, list[ModelReply]],
    faults: FindFault = lambda call: None,
    config: Config = Config(),  # noqa: B008 - it is frozen
) -> Iterator[tuple[PullRig, Moody]]:
    """A pull request with a file for each mood; a new one is so large that it goes alone."""
    reviewer = Moody(moods)
    with open_shop(path) as shop, open_rig(shop.work, reviewer=reviewer, faults=faults) as rig:
        rig.config = config.model_copy(update={"budget": Budget(pull_request=None)})
        shop.git("checkout", "-q", "feature")
        large = {name: f"{name[0]} = 1  # {'x' * 99}\n" * 390 for name in moods}
        shop.commit({name: text for name, text in large.items() if name not in BASE})
        shop.git("push", "-q", "origin", "feature")
        pull = open_pull(rig, shop)
        pull.submit()
        rig.clock.forward(minutes=5)
        rig.collect()
        yield pull, reviewer


def flusher(rig: Rig, folder: Path | None = None) -> Flusher:
    repository = Repository.open(folder or rig.folder, environ())

    def load(resubmission: Resubmission) -> Submission:
        return load_submission(repository, rig.config, resubmission, rig.run, rig.clock())

    settings = WaitingSettings.from_config(rig.config)
    return Flusher(rig.ledger, rig.claude, settings, rig.clock, load)


def send_again(pull: PullRig) -> FlushResult:
    return flusher(pull.rig).flush(TRIED)


def readings(rig: Rig, plan: Plan | None = None) -> list[TaskReading]:
    """By default of the latest plan."""
    state, settings = rig.view, WaitingSettings.from_config(rig.config)
    return [*read_plan(state, plan or state.plans[-1], settings, rig.clock.at).values()]


def states(rig: Rig) -> set[TaskState]:
    return {reading.state for reading in readings(rig)}


def follows(pull: PullRig) -> list[tuple[str | None, int]]:
    """Of each intent the reason why it was sent, and its tasks."""
    records = sorted(pull.rig.view.batch_records.values(), key=lambda record: record.intent.at)
    return [
        (record.intent.follows, sum(len(request.tasks) for request in record.requests.values()))
        for record in records
    ]


class TestTriedBefore:
    def test_exactly_what_expired_or_failed_in_passing(self, tmp_path: Path) -> None:
        moods = {
            "expired.py": [EXPIRED],
            "busy.py": [BUSY],
            "invalid.py": [INVALID],
            "fine.py": [],
            "prose.py": [PROSE],
        }
        with open_moody(tmp_path, moods) as (pull, reviewer):
            before = pull.rig.view.plans
            (sent,) = send_again(pull).sent
            assert (sent.follows, reviewer.asked_again()) == ("retry", set()), "no answer yet"
            assert send_again(pull) == FlushResult(), "it is in flight"
            pull.rig.collect()
            assert reviewer.asked_again() == {"expired.py", "busy.py", "prose.py"}
            assert send_again(pull) == FlushResult()
            assert pull.rig.view.plans == before, "publish shows the same plan"
            found = Counter(reading.state for reading in readings(pull.rig))
            assert found.keys() == {TaskState.ANSWERED, TaskState.FAILED}
            failed = [task for task in pull.scene().tasks if task.path == "invalid.py"]
            assert found[TaskState.FAILED] == len({task.id for task in failed})

    def test_three_payments_at_most(self, tmp_path: Path) -> None:
        with open_moody(tmp_path, {"prose.py": [PROSE] * 9}) as (pull, reviewer):
            for _ in range(4):
                send_again(pull)
                pull.rig.collect()
                pull.rig.clock.forward(days=1)
            assert reviewer.asked["prose.py",] == 3
            assert TaskState.FAILED in states(pull.rig)
            assert pull.submit().sent == ()

    def test_an_answer_that_cost_nothing_is_asked_for_ever_more_rarely(
        self, tmp_path: Path
    ) -> None:
        with open_moody(tmp_path, {"slow.py": [EXPIRED] * 99}) as (pull, _):
            quarters = []
            for quarter in range(15):
                quarters += [quarter] * len(send_again(pull).sent)
                pull.rig.collect()
                pull.rig.clock.forward(minutes=15)
            assert quarters == [0, 1, 5, 13]
            assert TaskState.WAITING in states(pull.rig)

    def test_a_shared_refusal_is_split(self, tmp_path: Path) -> None:
        with open_moody(tmp_path, {"cart.py": [REFUSED]}) as (pull, _):
            (sent,) = send_again(pull).sent
            together, alone = follows(pull)
            tasks = together[1]
            assert (sent.follows, sent.requests, alone) == ("split", tasks, ("split", tasks))
            assert tasks > 1
            pull.rig.collect()
            assert states(pull.rig) == {TaskState.ANSWERED}

    def test_a_lone_refusal_is_final_until_the_setting_changes(self, tmp_path: Path) -> None:
        with open_moody(tmp_path, {"only.py": [REFUSED]}) as (pull, _):
            assert send_again(pull) == FlushResult()
            assert TaskState.FAILED in states(pull.rig)
            pull.rig.config = pull.rig.config.model_copy(update={"model": "claude-opus-5-5"})
            assert len(send_again(pull).sent) == 1
            pull.rig.collect()
            assert states(pull.rig) == {TaskState.ANSWERED}

    def test_a_lone_answer_that_was_cut_has_more_room_each_time(self, tmp_path: Path) -> None:
        with open_moody(tmp_path, {"long.py": [TRUNCATED] * 2}) as (pull, _):
            for _ in range(2):
                assert len(send_again(pull).sent) == 1
                pull.rig.collect()
            limits = [
                params["max_tokens"]
                for _, _, params in pull.rig.server.submitted()
                if 'path="long.py"' in content(params)
            ]
            assert limits == [limits[0], 2 * limits[0], LIMIT_MAX]
            assert limits[2] > 3 * limits[0]
            assert states(pull.rig) == {TaskState.ANSWERED}

    def test_a_closed_pull_request_is_left_alone(self, tmp_path: Path) -> None:
        with open_moody(tmp_path, {"slow.py": [EXPIRED]}) as (pull, _):
            rig = pull.rig
            stamp = Stamp(rig.run, REPO, rig.clock)
            record_end(rig.ledger, pull.number, stamp, merged=True)
            assert send_again(pull) == FlushResult()

    def test_whole_files_are_asked_again_from_their_commit(self, tmp_path: Path) -> None:
        name = "odd [name]!.py"
        with open_shop(tmp_path) as shop:
            head = shop.commit({name: "a = 1\n", "other.py": "b = 2\n"})
            finder = ChangeFinder(Repository.open(shop.work, environ()))
            changes = finder.find_files(["odd*"], ())
            shop.commit({name: "a = 2\n"})
            with open_rig(shop.work, reviewer=Moody({name: [EXPIRED]})) as rig:
                tasks = changes.tasks(rig.kinds)
                rig.submit(ReviewScope(REPO, rig.run, None, changes.comparison, tasks, ()))
                (plan,) = rig.view.plans
                assert (plan.base, plan.head) == (head, head)
                rig.collect()
                assert len(flusher(rig).flush(TRIED).sent) == 1
                rig.collect()
                assert states(rig) == {TaskState.ANSWERED}

    @pytest.mark.slow
    def test_by_the_program(self, tmp_path: Path) -> None:
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


class TestPinned:
    OLD, NEW = (OwnKind(name="till", prompt=f"Is the till {word}?") for word in ("open", "shut"))

    def test_a_recorded_plan_keeps_its_ids_and_its_own_prompts(self, tmp_path: Path) -> None:
        old = Config(kinds=(self.OLD,))
        with open_moody(tmp_path, {"slow.py": [EXPIRED]}, config=old) as (pull, _):
            rig = pull.rig
            rig.config = rig.config.model_copy(update={"kinds": (self.NEW,)})
            assert len(send_again(pull).sent) == 1
            *_, (_, _, params) = rig.server.submitted()
            assert "Is the till open?" in params["system"][0]["text"]
            rig.collect()
            assert states(rig) == {TaskState.ANSWERED}
            assert len(rig.view.plans) == 1


class TestUnsent:
    def test_nothing_is_paid_over_budget(self, tmp_path: Path) -> None:
        with open_moody(tmp_path, {"slow.py": [EXPIRED]}) as (pull, _):
            rig = pull.rig
            rig.config = Config(budget=Budget(pull_request=Decimal("0.000001")))
            before = rig.view.plans
            done = send_again(pull)
            assert done.sent == ()
            ((label, error),) = done.problems
            assert label == f"pull request {pull.number}"
            assert error.problem.startswith("nothing was sent: up to")
            assert rig.view.plans == before
            waiting = [row for row in readings(rig) if row.state is TaskState.WAITING]
            assert {row.reason for row in waiting} == {WaitingReason.BUDGET}
            assert send_again(pull) == FlushResult(), "the wait is recorded"
            rig.config = Config(budget=Budget(pull_request=None))
            assert len(send_again(pull).sent) == 1, "another setting ends it"

    def test_a_plan_that_cannot_be_built_does_not_stop_the_others(self, tmp_path: Path) -> None:
        with open_moody(tmp_path, {"slow.py": [EXPIRED]}) as (pull, _):
            rig = pull.rig
            gone = rig.view.plans[-1].model_copy(
                update={"id": "gone", "pr": None, "label": "gone", "head": "d" * 40}
            )
            lost = replace(gone.files[0], path="lost.py", tasks=gone.files[0].tasks[:1])
            task = replace(lost.tasks[0], id="lost")
            gone = gone.model_copy(update={"files": (replace(lost, tasks=(task,)),)})
            rig.ledger.transact(lambda state: Write((gone,)))
            done = flusher(rig).flush()
            assert [label for label, _ in done.problems] == ["gone"]
            assert isinstance(done.problems[0][1], CannotFetch)
            assert [part.plan.pr for part in done.parts] == [pull.number]
            assert len(done.sent) == 1

    def test_a_refused_batch_waits_for_a_quarter_of_an_hour(self, work: Work) -> None:
        no = fail_calls("POST", CREATE, *[Fault(529)] * 3)  # as often as the client tries
        with open_rig(work.path, faults=no) as rig:
            done = flusher(rig).flush(fresh=[fresh(rig, "a.py")])
            ((label, error),) = done.problems
            assert (label, done.sent) == ("pull request 7", ())
            assert "529" in error.problem
            (reading,) = readings(rig)
            assert (reading.state, reading.reason) == (TaskState.WAITING, WaitingReason.REFUSED)
            assert reading.problem == error.problem
            (record,) = rig.view.batch_records.values()
            assert record.abandoned
            assert reading.due_at == record.abandoned.at + timedelta(minutes=15)

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(529),
            Fault(after=True),
            pytest.param(Fault(429), marks=pytest.mark.slow),
            pytest.param(Fault(502), marks=pytest.mark.slow),
        ],
    )
    def test_an_outage_pays_for_nothing_twice(self, tmp_path: Path, fault: Fault) -> None:
        faults = fail_calls("POST", CREATE, None, fault)
        with open_moody(tmp_path, {"slow.py": [EXPIRED]}, faults) as (pull, reviewer):
            done = send_again(pull)
            assert (done.sent, len(done.problems)) == ((), 1)
            for _ in range(4):  # a doubt is settled by two listings ten minutes apart
                pull.rig.clock.forward(minutes=31)
                pull.rig.collect()
                send_again(pull)
            pull.rig.collect()
            assert reviewer.asked["slow.py",] == 2
            assert not pull.rig.view.open_batches()

    def test_what_the_api_refuses_is_offered_ever_more_rarely(self, tmp_path: Path) -> None:
        faults = fail_calls("POST", CREATE, None, *[Fault(400, "invalid_request_error")] * 9)
        with open_moody(tmp_path, {"slow.py": [EXPIRED]}, faults) as (pull, _):
            hours = []
            for hour in range(42):
                before = len(pull.rig.sent())
                assert send_again(pull).sent == ()
                hours += [hour] * (len(pull.rig.sent()) - before)
                pull.rig.clock.forward(hours=1)
            assert hours == [0, 1, 3, 7, 15, 39]


def fresh(rig: Rig, path: str, pr: int | None = 7, priority: int = 50) -> Submission:
    scope = replace(rig.apart(path, pr=pr), options=PlanOptions(priority=priority))
    return Submission(rig.claimant(), scope)


class TestTogether:
    def test_one_batch_of_several_plans_in_order_of_priority(self, work: Work) -> None:
        with open_rig(work.path) as rig:
            low, high = fresh(rig, "a.py", 7, 25), fresh(rig, "b.py", 8, 75)
            done = flusher(rig).flush(fresh=[low, high, fresh(rig, "c.py", 9, 25)])
            assert [part.plan.pr for part in done.parts] == [8, 7, 9]
            (sent,) = done.sent
            (record,) = rig.view.batch_records.values()
            assert (sent.requests, sent.tasks, record.intent.follows) == (3, 3, None)
            assert [record.requests[n].pr for n in range(3)] == [8, 7, 9]
            assert {plan.pr: plan.new for plan in rig.view.plans} == {7: 1, 8: 1, 9: 1}

    def test_a_task_of_two_plans_is_sent_once(self, work: Work) -> None:
        with open_rig(work.path) as rig:
            done = flusher(rig).flush(fresh=[fresh(rig, "a.py", 7), fresh(rig, "a.py", 8)])
            assert [(part.new, part.known) for part in done.parts] == [(1, 0), (0, 1)]
            assert [(plan.new, plan.reused) for plan in rig.view.plans] == [(1, 0), (0, 1)]
            assert len([*rig.server.submitted()]) == 1

    def test_the_new_plan_of_a_pull_request_replaces_its_old_one(self, tmp_path: Path) -> None:
        with open_moody(tmp_path, {"slow.py": [EXPIRED]}) as (pull, _):
            scope = pull.rig.apart("new.py", pr=pull.number)
            submission = Submission(pull.rig.claimant(), scope)
            done = flusher(pull.rig).flush(fresh=[submission])
            assert [part.new for part in done.parts] == [1]

    @pytest.mark.parametrize(
        ("limit", "other"), [("pull_request", 7), ("day", 8), ("month", 8), ("month", None)]
    )
    def test_a_budget_holds_for_all_plans_together(
        self, work: Work, limit: str, other: int | None
    ) -> None:
        with open_rig(work.path) as rig:
            (part,) = plan_flush(rig.view, [fresh(rig, "a.py")]).parts
            limits = {"pull_request": None, "month": None} | {
                limit: part.candidate.max_usd * Decimal("1.5")
            }
            rig.config = Config(budget=Budget(**limits))
            done = flusher(rig).flush(fresh=[fresh(rig, "a.py"), fresh(rig, "b.py", other)])
            assert [part.new for part in done.parts] == [1, 0]
            ((label, error),) = done.problems
            assert label == f"pull request {other}"
            assert limit.replace("_", " ").replace("day", "daily") in error.problem
            (reading,) = readings(rig, done.parts[1].plan)
            assert (reading.state, reading.reason) == (TaskState.WAITING, WaitingReason.BUDGET)
            assert reading.problem == error.problem
            assert len([*rig.server.submitted()]) == 1


class TestSelection:
    def test_of_a_number_a_kind_and_a_priority(self, tmp_path: Path) -> None:
        moods = {"one.py": [EXPIRED], "two.py": [EXPIRED], "three.py": [EXPIRED]}
        with open_moody(tmp_path, moods) as (pull, _):
            send = flusher(pull.rig).flush
            assert send(FlushOptions(kind="docs")) == FlushResult()
            assert send(FlushOptions(min_priority=51)) == FlushResult()
            (sent,) = send(FlushOptions(max_tasks=1, min_priority=50)).sent
            assert sent.tasks == 1
            (rest,) = send(FlushOptions(kind="review")).sent
            assert rest.tasks > 1

    def test_a_person_ends_a_wait_for_the_budget(self, work: Work) -> None:
        with open_shop(work.path.parent / "shops") as shop, open_rig(shop.work) as rig:
            rig.config = Config(budget=Budget(month=Decimal("0.000001")))
            pull = open_pull(rig, shop)
            with pytest.raises(BudgetExceeded, match="monthly budget"):
                pull.submit()
            assert flusher(rig).flush() == FlushResult()
            done = flusher(rig).flush(FlushOptions(is_flush=True))
            assert len(done.problems) == 1, "tried, and refused again"
