import json
from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from threading import Thread

import pytest

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.batching import PlannedBatch
from claude_batch.cli.output.json_writer import write_json
from claude_batch.cli.output.submit_result import submit_document
from claude_batch.config.model import Budget, Config
from claude_batch.errors import (
    BadConfig,
    BudgetExceeded,
    CannotSubmit,
    LedgerDamaged,
    SubmitUnclear,
)
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import TaskStatus
from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.http_messages import Fault, fail_calls
from claude_batch.submission import token_counting
from claude_batch.submission.planner import SubmissionPlanner
from claude_batch.submission.send import BatchSender
from claude_batch.submission.submit import estimate, submit
from ledger_events import answered
from rig import NOTHING, PRICES, Clock, Rig, content, ledger_in, open_rig
from scratch import Work

BATCHES = "/v1/messages/batches"


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path) as made:
        yield made


def test_what_is_claimed_sent_and_recorded(rig: Rig) -> None:
    done = rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}, {"path": "b.py", "text": "b"}))
    (sending,) = rig.view.open_batches()
    (sent,) = done.sent
    assert (sent.id, sent.requests, sent.tasks) == (sending.submitted.batch, 1, 2)
    ((batch, custom_id, params),) = rig.server.submitted()
    asked = sending.requests[0]
    assert (batch, custom_id) == (sent.id, f"{sending.intent.id}-0-{asked.sha[:16]}")
    assert params["model"] == "claude-sonnet-5-5"
    assert sending.intent.requests == 1
    assert [task.path for task in asked.tasks] == ["a.py", "b.py"]
    assert rig.view.latest_plan(7).new == 2


def test_the_document_of_scripts(rig: Rig) -> None:
    done = rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
    said = json.loads(write_json(submit_document(done)))
    assert said["job"] == rig.view.latest_plan(7).id
    assert said["tasks"] == {"planned": 1, "known": 0, "new": 1, "waiting": 0}
    assert said["batches"] == [{"id": done.sent[0].id, "requests": 1, "tasks": 1}]
    assert said["requests"] == 1
    assert said["estimate"]["usd"] < said["estimate"]["usd_standard"] < said["estimate"]["usd_max"]


def test_nothing_is_sent_while_a_payment_may_be_unreadable(rig: Rig) -> None:
    scope = rig.given({"path": "a.py", "text": "a = 1\n"})
    lost = (answered("i1"), answered("i2"))
    rig.ledger.transact(lambda state: Write(lost))
    with pytest.raises(LedgerDamaged) as caught:
        rig.submit(scope)
    assert (caught.value.problem, caught.value.exit_code) == (
        "nothing was sent, because the ledger is damaged: intent i1: answered, but not readable "
        "(1 more problem of this kind)",
        3,
    )
    assert "`claude-batch doctor --repair`" in caught.value.remedy
    assert "`--despite-damage`" in caught.value.remedy
    assert (rig.sent(), rig.view.batch_records, rig.view.plans) == ([], {}, [])
    assert estimate(scope, rig.claimant(), rig.ledger, rig.claude).plan.new == 1
    done = submit(scope, rig.claimant(), rig.ledger, rig.claude, rig.clock, despite_damage=True)
    assert len(done.sent) == len(rig.sent()) == 1
    assert rig.submit(scope).sent == (), "all of it is known, so the damage does not matter"


def test_twice_is_once(rig: Rig) -> None:
    subject = rig.given({"path": "a.py", "text": "a = 1\n"})
    rig.submit(subject)
    again = rig.submit(subject)
    assert again.sent == ()
    assert (again.plan.new, again.plan.known, again.plan.waiting) == (0, 1, 0)
    assert len(rig.sent()) == 1
    assert len(rig.view.plans) == 1, "the second one would say nothing new"


def test_an_estimate_writes_nothing(rig: Rig) -> None:
    subject = rig.given({"path": "a.py", "text": "a = 1\n"})
    would = estimate(subject, rig.claimant(), rig.ledger, rig.claude)
    assert would.plan.plan.new == 1
    assert would.sent == ()
    assert rig.ledger.tip() is None
    assert [row.path for row in rig.server.log] == ["/v1/messages/count_tokens"]


def test_tokens_in_are_counted_where_no_answer_says_them(rig: Rig) -> None:
    rig.config = Config(budget=Budget(pull_request=None))
    subject = rig.apart(*(f"src/{n}.py" for n in range(20)))
    would = estimate(subject, rig.claimant(), rig.ledger, rig.claude)
    assert len(rig.server.log) == token_counting.SAMPLE_SIZE
    assert would.plan.input_basis == "counted"
    rig.submit(subject)
    billed = sum(answer.usage.prompt for answer in rig.collect().answers if answer.usage)
    said = sum(one.input_tokens for one in would.plan.estimates)
    assert abs(said - billed) < billed / 100
    by_length = sum(row.request.estimate.input_tokens for row in rig.view.requests)
    assert abs(by_length - billed) > billed / 100, "else this shows nothing"
    calls = len(rig.server.log)
    again = estimate(rig.apart("new.py"), rig.claimant(), rig.ledger, rig.claude)
    assert (again.plan.input_basis, len(rig.server.log)) == ("history", calls)


def test_an_estimate_does_without_a_key_and_without_a_network(rig: Rig) -> None:
    subject = rig.given({"path": "a.py", "text": "a = 1\n"})
    closed = {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": "http://127.0.0.1:9"}
    for environ in ({}, closed):
        claude = AnthropicClient(environ, sleep=rig.slept.append)
        would = estimate(subject, rig.claimant(), rig.ledger, claude)
        assert would.plan.input_basis == "length"
        assert would.plan.estimates[0].usd > 0
    assert rig.slept == [], "nothing is tried again for an estimate"


def test_over_budget_the_plan_is_recorded_and_nothing_sent(rig: Rig) -> None:
    rig.config = Config(budget=Budget(pull_request=Decimal("0.0001")))
    subject = rig.given({"path": "a.py", "text": "a = 1\n"})
    for _ in range(2):
        with pytest.raises(BudgetExceeded, match="exceed the pull request budget"):
            rig.submit(subject)
    with pytest.raises(BudgetExceeded):
        estimate(subject, rig.claimant(), rig.ledger, rig.claude)
    assert (rig.view.latest_plan(7).new, rig.view.latest_plan(7).reused) == (0, 0)
    assert len(rig.view.plans) == 1
    assert rig.view.batch_records == {}
    assert rig.server.log == []


def test_what_the_ladder_left_behind_is_sent_when_there_is_money(rig: Rig) -> None:
    subject = rig.apart("src/login.py", "src/view.py")
    one = estimate(
        rig.apart("src/login.py"), rig.claimant(), rig.ledger, rig.claude
    ).plan.estimates[0]
    rig.config = Config(
        budget=Budget(pull_request=one.usd_max), ladder=("effort=high", "risky-only")
    )
    first = rig.submit(subject)
    ((_, _, params),) = rig.server.submitted()
    assert "src/login.py" in content(params)
    assert params["output_config"]["effort"] == "medium", "more effort saves nothing"
    assert first.plan.ladder_steps == ("only the riskiest files",)
    said = json.loads(write_json(submit_document(first)))
    assert said["tasks"] == {"planned": 2, "known": 0, "new": 1, "waiting": 1}
    assert said["left_out"] == []
    ((unsent,),) = rig.view.unsent.values()
    assert (unsent.plan, unsent.reason, unsent.problem) == (
        first.plan.plan.id,
        "budget",
        "over budget: only the riskiest files are sent",
    )
    rig.config = Config(ladder=("claude-haiku-5-5",))
    then = rig.submit(subject)
    assert (then.plan.new, then.plan.known, then.plan.ladder_steps) == (1, 1, ())
    assert then.plan.waiting == 0


def test_four_at_once_stay_within_one_budget(work: Work, tmp_path: Path) -> None:
    """Each has a clone and a pull request of its own; the month is everybody's."""
    bare = tmp_path / "origin.git"
    work.commit({"a.py": "a = 1\n"})
    work.git("clone", "-q", "--bare", ".", str(bare))
    clock = Clock()
    with BatchesServer(now=lambda: clock.at) as server:
        with open_rig(work.path) as one:
            one_costs = estimate(one.apart("x.py"), one.claimant(), one.ledger, one.claude)
        most = one_costs.plan.estimates[0].usd_max
        config = Config(budget=Budget(pull_request=None, month=most * 2 + most / 2))
        outcomes: list[str] = []

        def act(number: int) -> None:
            clone = tmp_path / f"clone-{number}"
            work.git("clone", "-q", f"file://{bare}", str(clone))
            given = {"ANTHROPIC_API_KEY": "sandbox", "ANTHROPIC_BASE_URL": server.url}
            claude = AnthropicClient(given, sleep=lambda _: None)
            ledger = ledger_in(clone, clock, remote="origin", run=f"run-{number}")
            mine = Rig(clone, clock, server, claude, ledger, [], config, f"run-{number}")
            subject = mine.apart(f"{number}.py", pr=number)
            ids = (f"{number:08x}{n:08x}" for n in count())
            claimant = SubmissionPlanner(config, mine.kinds, PRICES, clock(), lambda: next(ids))
            try:
                submit(subject, claimant, ledger, claude, clock)
                outcomes.append("sent")
            except BudgetExceeded:
                outcomes.append("refused")
            finally:
                claude.close()

        threads = [Thread(target=act, args=(number,)) for number in range(1, 5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == ["refused", "refused", "sent", "sent"]
        assert [row.path for row in server.log if row.path.endswith("/batches")] == [BATCHES] * 2
        work.git("remote", "add", "origin", f"file://{bare}")
        view = ledger_in(work.path, clock, remote="origin", run="reader").view()
        assert view.spent(clock.at.replace(day=1)) <= config.budget.month
        assert {plan.pr for plan in view.plans} == {1, 2, 3, 4}


def test_a_plain_no_frees_the_tasks_at_once(work: Work) -> None:
    no = fail_calls("POST", "/batches", Fault(400, "invalid_request_error", "no"))
    with open_rig(work.path, faults=no) as rig:
        subject = rig.given({"path": "a.py", "text": "a = 1\n"})
        with pytest.raises(CannotSubmit, match="no"):
            rig.submit(subject)
        (sending,) = rig.view.batch_records.values()
        assert sending.abandoned is not None
        assert sending.status(rig.clock.at) == "lost"
        assert len(rig.submit(subject).sent) == 1


def test_an_unclear_answer_keeps_the_intent(work: Work) -> None:
    lost = fail_calls("POST", "/batches", Fault(502, after=True))
    with open_rig(work.path, faults=lost) as rig:
        subject = rig.given({"path": "a.py", "text": "a = 1\n"})
        with pytest.raises(SubmitUnclear):
            rig.submit(subject)
        assert rig.submit(subject).sent == ()
        assert [one.status(rig.clock.at) for one in rig.view.open_batches()] == ["intent"]
        assert len(rig.sent()) == 1


def test_batches_after_one_that_failed_are_free_at_once(work: Work) -> None:
    lost = fail_calls("POST", "/batches", None, Fault(502, after=True))
    with open_rig(work.path, faults=lost) as rig:
        sender = BatchSender(rig.ledger, rig.claude, PRICES, rig.clock)
        parcels: list[PlannedBatch] = []
        for path in ("a.py", "b.py", "c.py"):
            subject = rig.apart(path)
            claim = sender.claim(lambda state, subject=subject: rig.plan(subject))
            parcels += claim.batches
        with pytest.raises(SubmitUnclear):
            list(sender.send(parcels))
        states = [one.status(rig.clock.at) for one in rig.view.batch_records.values()]
        assert sorted(states) == ["in_progress", "intent", "lost"]


class TestLaneNow:
    NOW = Config(lane="now")

    def test_answers_come_one_by_one(self, rig: Rig) -> None:
        rig.config = self.NOW
        done = rig.submit(rig.apart("a.py", "b.py"))
        assert rig.sent() == ["/v1/messages", "/v1/messages"]
        assert [(sent.id, sent.requests) for sent in done.sent] == [(None, 2)]
        found = rig.answers()
        assert {answered.outcome for answered in found.values()} == {Outcome.SUCCEEDED}
        assert all(answered.usd == answered.usd_standard for answered in found.values())
        assert rig.view.open_batches() == []

    def test_a_refusal_in_the_middle_keeps_what_was_answered_and_frees_the_rest(
        self, work: Work
    ) -> None:
        no = fail_calls("POST", "/messages", None, *[Fault(429, "rate_limit_error")] * 3)
        with open_rig(work.path, faults=no) as rig:
            rig.config = self.NOW
            subject = rig.apart("a.py", "b.py", "c.py")
            for _ in range(3):
                with pytest.raises(CannotSubmit):
                    rig.submit(subject)
            standings = [rig.view.task_status(task.id) for task in subject.tasks]
            assert standings == [TaskStatus.ANSWERED, TaskStatus.NEW, TaskStatus.NEW]
            assert rig.submit(subject).plan.new == 2, "a refusal is no attempt"
            assert {rig.view.task_status(task.id) for task in subject.tasks} == {
                TaskStatus.ANSWERED
            }

    def test_an_answer_that_is_lost_is_undecided_and_the_rest_was_never_sent(
        self, work: Work
    ) -> None:
        lost = fail_calls("POST", "/messages", None, Fault(after=True))
        with open_rig(work.path, faults=lost) as rig:
            rig.config = self.NOW
            subject = rig.apart("a.py", "b.py", "c.py")
            with pytest.raises(SubmitUnclear):
                rig.submit(subject)
            early = rig.collect()
            assert (early.answers, early.notes) == ((), ())
            rig.clock.forward(minutes=41)
            assert [one.status(rig.clock.at) for one in rig.view.open_batches()] == ["undecided"]
            done = rig.collect()
            assert [one.outcome for one in done.answers] == [Outcome.UNREADABLE]
            assert "may have been paid for" in done.notes[0]
            assert [rig.view.task_status(task.id) for task in subject.tasks] == [
                TaskStatus.ANSWERED,
                TaskStatus.NEW,
                TaskStatus.NEW,
            ]
            (row,) = [row for row in rig.view.requests if row.request.tasks[0].path == "b.py"]
            assert row.charge() == row.request.estimate.usd, "it may have been paid"

    def test_ids_alone_would_lose_the_answer(self, rig: Rig) -> None:
        rig.config = Config(lane="now", retention="ids")
        with pytest.raises(BadConfig, match="cannot be fetched again"):
            rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}))
        assert rig.sent() == []


def test_no_key_claims_nothing(work: Work) -> None:
    with open_rig(work.path, reviewer=lambda params: NOTHING) as rig:
        keyless = AnthropicClient({"ANTHROPIC_BASE_URL": rig.server.url}, sleep=rig.slept.append)
        subject = rig.given({"path": "a.py", "text": "a"})
        with pytest.raises(CannotSubmit, match="no key"):
            submit(subject, rig.claimant(), rig.ledger, keyless, rig.clock)
        assert rig.ledger.tip() is None
