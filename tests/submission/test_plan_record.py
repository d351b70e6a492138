"""The recorded plan of a submission, and the kinds that are pinned in it."""

from dataclasses import replace

from claude_batch.config.model import OwnKind
from claude_batch.ledger.events import JobChanged, PinnedKind, PullRequestClosed
from claude_batch.ledger.view import LedgerState
from claude_batch.prompts.kinds import find_kind
from claude_batch.submission.plan_record import build_plan, pinned_kinds
from claude_batch.tasks.task import Kind, Task, compute_task_id
from ledger_events import at, head
from planned import planned
from submissions import subject, task

REVIEW = find_kind("review")
OWN, CHANGED = (
    find_kind(OwnKind(name="review", prompt=f"Is it {word}?")) for word in ("good", "bad")
)


def reviewed(kind: Kind) -> Task:
    """A task with the id that it has for this kind."""
    found = task("t1", kind=kind.name)
    return replace(found, id=compute_task_id(kind.tag, found.path, found.hunk.body))


class TestPinnedKinds:
    def test_own_kinds_are_recorded_with_their_prompts(self) -> None:
        for kind, prompt in ((REVIEW, None), (OWN, OWN.instructions)):
            expected = PinnedKind(name="review", tag=kind.tag, prompt=prompt)
            if kind is OWN:
                kind = replace(kind, name="own")
                expected = expected.model_copy(update={"name": "own"})
            scope = subject(task("t1", kind=kind.name))
            plan = build_plan(LedgerState(), scope, [kind, find_kind("docs")], "p1", at(0))
            assert plan.pinned == (expected,), "kinds without a task are left out"

    def test_a_newer_version_of_a_prompt_leaves_the_ids(self) -> None:
        old = replace(REVIEW, tag="review@0", instructions="Old instructions.")
        pin = PinnedKind(name="review", tag=old.tag)
        plan = planned("p1", "t1", pinned=(pin,))
        (kind,) = pinned_kinds(plan, [REVIEW])
        assert kind == Kind("review", "review@0", REVIEW.instructions)
        assert reviewed(kind).id == reviewed(old).id != reviewed(REVIEW).id

    def test_a_changed_own_kind_keeps_its_id_and_its_prompt(self) -> None:
        pin = PinnedKind(name="review", tag=OWN.tag, prompt=OWN.instructions)
        plan = planned("p1", "t1", pinned=(pin,))
        assert pinned_kinds(plan, [CHANGED]) == (OWN,)
        assert pinned_kinds(plan, []) == (OWN,), "it may be gone from the configuration"

    def test_a_plan_without_pins_has_the_kinds_of_today(self) -> None:
        assert pinned_kinds(planned("p1", "t1"), [REVIEW, find_kind("docs")]) == (REVIEW,)


class TestRecordedPlan:
    def test_an_equal_plan_is_recorded_once(self) -> None:
        scope = subject(task("t1"))
        first = build_plan(LedgerState(), scope, [REVIEW], "p1", at(0))
        state = LedgerState.from_events([first])
        assert build_plan(state, scope, [REVIEW], "p2", at(5)) is state.plans[0]
        other = subject(task("t1"), task("t2"))
        assert build_plan(state, other, [REVIEW], "p2", at(5)).id == "p2"
        urgent = replace(scope, options=replace(scope.options, priority=75))
        assert build_plan(state, urgent, [REVIEW], "p2", at(5)).priority == 75

    def test_a_plan_that_is_over_is_recorded_anew(self) -> None:
        scope = subject(task("t1"))
        first = build_plan(LedgerState(), scope, [REVIEW], "p1", at(0))
        for end in (
            PullRequestClosed(**head(3), pr=7, merged=False),
            JobChanged(**head(3), id="p1", action="cancelled"),
        ):
            state = LedgerState.from_events([first, end])
            plan = build_plan(state, scope, [REVIEW], "p2", at(5))
            assert (plan.id, plan.at) == ("p2", at(5))

    def test_a_runner_whose_clock_is_behind_records_a_later_plan(self) -> None:
        first = build_plan(LedgerState(), subject(task("t1")), [REVIEW], "p1", at(60))
        state = LedgerState.from_events([first])
        plan = build_plan(state, subject(task("t2")), [REVIEW], "p2", at(0))
        assert plan.at > first.at
