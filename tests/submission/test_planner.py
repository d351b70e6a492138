from dataclasses import replace
from decimal import Decimal

import pytest

from claude_batch.anthropic_api.request_body import BatchPayload, InMemoryBody
from claude_batch.anthropic_api.results import Outcome
from claude_batch.batches.batching import LEASE, split_into_batches
from claude_batch.config.model import Budget, Config
from claude_batch.costs.prices import UnknownModel
from claude_batch.diff.model import Hunk
from claude_batch.errors import BadConfig, BudgetExceeded
from claude_batch.ledger.events import AnyEvent
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState
from claude_batch.tasks.task import FileOrigin, TaskFileOrigin
from ledger_events import answered, asked, at, intent, plan
from submissions import CHANGED, COMPARISON, asked_for, claim, claim_scope, claimant, subject, task


def test_only_what_is_new_is_asked() -> None:
    known: list[AnyEvent] = [intent("i1"), asked("i1", 0, "t1", "t2"), answered("i1")]
    made = claim(known, task("t1"), task("t2"), task("t3-is-longer"))
    assert asked_for(made.batches) == ["t3-is-longer"]
    assert (made.plan.new, made.plan.reused) == (1, 2)
    assert b"\\n+t1\\n" in made.batches[0].requests[0].body.read(), "known code goes along unasked"


def test_equal_hunks_are_one_question_and_two_places() -> None:
    made = claim([], task("t1"), task("t1"))
    assert asked_for(made.batches) == ["t1"]
    assert len(made.plan.files[0].tasks) == 2


def test_the_plan_says_where_each_task_stands() -> None:
    sources = {
        "changed.py": CHANGED,
        "named.py": FileOrigin("3" * 40),
        "given.py": TaskFileOrigin("why"),
    }
    made = claim([], *(task(path, path, source=source) for path, source in sources.items()))
    files = made.plan.files
    assert [(one.path, one.old_path, one.old_blob[:1], one.new_blob[:1]) for one in files] == [
        ("changed.py", "old.py", "1", "2"),
        ("named.py", "named.py", "3", "3"),
        ("given.py", "given.py", "", ""),
    ]
    placed = made.plan.files[0].tasks[0]
    assert (placed.kind, placed.old_start, placed.new_start) == ("review", 3, 4)
    assert [(one.path, one.reason) for one in made.plan.left_out] == [("x.bin", "binary")]
    assert (made.plan.base, made.plan.head, made.plan.label) == (
        "b" * 40,
        "c" * 40,
        "pull request 7",
    )


def test_kinds_have_requests_of_their_own() -> None:
    tasks = [task("t1"), task("t2", kind="security"), task("t3")]
    (parcel,) = claim([], *tasks).batches
    asks = [draft.event for draft in parcel.requests]
    assert [(one.kind, [str(task.id) for task in one.tasks]) for one in asks] == [
        ("review", ["t1", "t3"]),
        ("security", ["t2"]),
    ]


def test_an_intent_has_a_lease_and_the_hash_of_what_is_sent() -> None:
    made, again = claim([], task("t1")), claim([], task("t1"))
    (parcel,) = made.batches
    assert parcel.intent.lease_until == at(0) + LEASE
    assert parcel.intent.requests == 1
    assert parcel.intent.sha256 == again.batches[0].intent.sha256
    draft = parcel.requests[0]
    assert draft.custom_id == f"{parcel.intent.id}-0-{draft.event.sha[:16]}"
    assert [event.type for event in made.write.events] == ["plan", "intent", "request"]


@pytest.mark.parametrize("waits", [False, True])
def test_who_decides_again_about_the_same_builds_nothing_again(waits: bool) -> None:
    kept: list[bytes] = []

    def keep(content: bytes) -> InMemoryBody:
        kept.append(content)
        return InMemoryBody(content)

    mine = replace(claimant(), store_body=keep, waits_for_primers=waits)
    looked_at = subject(task("t1"), task("t2", "b.py"))
    first = claim_scope(mine, LedgerState(), looked_at)
    counted = replace(mine, token_ratios={"claude-sonnet-5-5": (9, 10)})
    again = claim_scope(counted, LedgerState.from_events([plan("p1")]), looked_at)
    assert len(kept) == 1 + waits, "what is marked for the cache depends on what was counted"
    assert asked_for(again.batches) == asked_for(first.batches) == ["t1", "t2"]
    assert [again.part.input_basis, first.part.input_basis] == ["counted", "length"]
    sent = LedgerState.from_events([intent("i1"), asked("i1", 0, "t1")])
    rest = claim_scope(counted, sent, looked_at)
    assert asked_for(rest.batches) == ["t2"]
    cheaper = replace(counted, config=Config(model="claude-haiku-5-5")).plan(
        LedgerState(), looked_at
    )
    assert {row.request.model for row in cheaper.requests} == {"claude-haiku-5-5"}


def test_what_the_ledger_knows_already_is_not_written_again() -> None:
    first = claim([], task("t1"))
    events = [*first.write.events]
    again = claim(events, task("t1"), minute=5)
    assert again.write == Write()
    moved = replace(subject(task("t1")), comparison=replace(COMPARISON, head="d" * 40))
    pushed = claim_scope(claimant(5), LedgerState.from_events(events), moved)
    assert [event.type for event in pushed.write.events] == ["plan"]


class TestBudgets:
    def test_refused_the_plan_stands_and_claims_nothing(self) -> None:
        scarce = Budget(pull_request=Decimal("0.001"))
        made = claim([], task("t1"), budget=scarce)
        assert isinstance(made.refused, BudgetExceeded)
        assert (made.batches, made.plan.new) == ((), 0)
        assert [event.type for event in made.write.events] == ["plan", "unsent"]
        again = claim([*made.write.events], task("t1"), minute=5, budget=scarce)
        assert [event.type for event in again.write.events] == ["unsent"]
        assert [event.retry_at for event in (*made.flush.unsent, *again.flush.unsent)] == [
            at(15),
            at(5 + 60),
        ]

    def test_what_is_open_is_reserved_at_its_most(self) -> None:
        most = claim([], task("t2")).estimates[0].usd_max
        open_one: list[AnyEvent] = [intent("i1"), asked("i1", 0, "t1")]  # reserves 0.05
        enough = Budget(pull_request=most + Decimal("0.05"), month=None)
        assert claim(open_one, task("t2"), budget=enough).refused is None
        scarce = Budget(pull_request=most + Decimal("0.04"), month=None)
        assert claim(open_one, task("t2"), budget=scarce).refused
        paid = [*open_one, answered("i1", usd=Decimal("0.04"))]
        assert claim(paid, task("t2"), budget=scarce).refused is None

    @pytest.mark.parametrize(("pr", "is_refused"), [(7, True), (8, False), (None, False)])
    def test_a_pull_request_has_a_budget_of_its_own(self, pr: int | None, is_refused: bool) -> None:
        spent: list[AnyEvent] = [intent("i1"), asked("i1", 0, "t1"), answered("i1", usd=Decimal(1))]
        made = claimant().plan(LedgerState.from_events(spent), subject(task("t2"), pr=pr))
        assert bool(made.refused) is is_refused

    def test_a_pull_requests_budget_counts_what_it_spent_on_earlier_days(self) -> None:
        spent: list[AnyEvent] = [intent("i1"), asked("i1", 0, "t1"), answered("i1", usd=Decimal(1))]
        nine_days_later = claimant(60 * 24 * 9)
        assert nine_days_later.plan(
            LedgerState.from_events(spent), subject(task("t2"), pr=7)
        ).refused

    def test_last_month_is_over(self) -> None:
        spent: list[AnyEvent] = [
            intent("i1"),
            asked("i1", 0, "t1", pr=8),
            answered("i1", usd=Decimal(25)),
        ]
        view = LedgerState.from_events(spent)
        assert claimant(60).plan(view, subject(task("t2"))).refused
        assert claimant(60 * 24 * 9).plan(view, subject(task("t2"))).refused is None


def test_batches_stay_within_the_limits_of_the_api() -> None:
    tasks = [task(f"t{n}", f"{n}.py") for n in range(5)]
    big = [replace(one, hunk=Hunk(1, 1, b"+" + b"x" * 30_000)) for one in tasks]
    (parcel,) = claim([], *big).batches
    drafts = list(parcel.requests)
    assert [len(part) for part in split_into_batches(drafts, max_requests=2)] == [2, 2, 1]
    sent = [BatchPayload([(one.custom_id, one.body) for one in drafts[:n]]).size for n in range(6)]
    room = sent[2] + 2 * 100  # what `parts` takes an envelope for, at most
    batches = list(split_into_batches(drafts, max_bytes=room))
    assert [len(part) for part in batches] == [2, 2, 1]
    assert [one for part in batches for one in part] == drafts
    assert list(split_into_batches(drafts[:0])) == []
    assert [len(part) for part in split_into_batches(drafts, max_bytes=1)] == [1] * 5, (
        "one too large goes alone"
    )


def test_the_lane_now_is_at_standard_price_and_keeps_its_answers() -> None:
    (now,) = claim([], task("t1"), lane="now").estimates
    (batch,) = claim([], task("t1")).estimates
    assert now.usd == now.usd_standard == batch.usd_standard
    with pytest.raises(BadConfig, match="retention"):
        claim([], task("t1"), lane="now", retention="ids")


def test_a_model_without_a_price_is_refused_before_anything_is_claimed() -> None:
    with pytest.raises(UnknownModel):
        claim([], task("t1"), model="claude-sonet-5-5")


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.TRUNCATED])
def test_a_request_that_was_cut_short_is_split_once(outcome: Outcome) -> None:
    cut = answered("i1", outcome=outcome)
    once: list[AnyEvent] = [intent("i1"), asked("i1", 0, "t1", "t2"), cut]
    (parcel,) = claim(once, task("t1"), task("t2"), task("t3"), task("t4")).batches
    asks = [[str(one.id) for one in draft.event.tasks] for draft in parcel.requests]
    assert asks == [["t1"], ["t2"], ["t3", "t4"]]
