"""A folded log answers every question of the program as before."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ledger_events as ev
from claude_batch.anthropic_api.results import Outcome, Usage
from claude_batch.batches.recovery import claimed_batch_ids, unconfirmed_batches
from claude_batch.batches.retry import retry
from claude_batch.batches.status import list_batches, status
from claude_batch.config.model import Config
from claude_batch.costs.entries import list_cost_entries, list_reused_tasks
from claude_batch.costs.spending import GROUP_NAMES, build_spending_report
from claude_batch.findings.finding import Finding
from claude_batch.ledger.compaction import MAX_BYTES, MAX_FILES, fold, needs_compaction
from claude_batch.ledger.events import (
    AnswerRecorded,
    AnyEvent,
    BatchLookup,
    Estimate,
    FeedbackRecorded,
    FoldedRequest,
    Held,
    Installed,
    Intent,
    IntentId,
    JobChanged,
    Lease,
    Plan,
    Post,
    PullRequestClosed,
    PullRequestSeen,
    RequestRecorded,
    Stamp,
    UnknownEvent,
    Unsent,
    to_line,
)
from claude_batch.ledger.files import LARGE, ParsedLog, checksum, parse_log
from claude_batch.ledger.store import Write
from claude_batch.ledger.usage_history import UsageHistory
from claude_batch.ledger.view import LedgerState, TaskStatus, refactoring_plans
from claude_batch.pull_requests.record import PullRequestRecord
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.verification.outcomes import recent_findings, status_by_finding
from claude_batch.waiting.current_plans import current_plans
from claude_batch.waiting.settings import WaitingSettings
from claude_batch.waiting.task_states import read_plan
from spooled_content import spooled

DAY = 24 * 60
NOW = ev.START
BEFORE = NOW - timedelta(days=30)
TASKS = [f"t{number}" for number in range(6)]
PULLS = (7, 8, None)
SETTINGS = WaitingSettings(frozenset({"claude-sonnet-5-5"}), frozenset({"low", None}), "digest")
Logs = Mapping[str, ParsedLog]


def asked(name: str, n: int, *tasks: str, minute: float = 0, **more: object) -> RequestRecorded:
    """No estimate draws on it, so it may be folded."""
    found = ev.asked(name, n, *tasks, minute=minute, **more)
    return found.model_copy(
        update={"estimate": found.estimate.model_copy(update={"input_tokens": 0})}
    )


def log(*events: AnyEvent) -> Logs:
    """Each event in a file of its own day."""
    return {
        f"log/{event.at:%Y/%m/%d}/100000-run-1-x-{checksum(to_line(event))}.jsonl": ParsedLog(
            (event,)
        )
        for event in events
    }


def view_of(logs: Logs, shards: Iterable[str] = ()) -> LedgerState:
    files = logs.values()
    sheets = (sheet for file in files for sheet in file.indexes)
    return LedgerState.from_events(
        (event for file in files for event in file.events), (), shards, sheets
    )


def folded(
    logs: Logs, shards: Iterable[str] = (), before: datetime = BEFORE, large: int = LARGE
) -> Logs:
    """The files after a fold, read back from their bytes."""
    done = fold(logs, view_of(logs, shards), before)
    made = {path: parse_log(path, spooled(content), large) for path, content in done.files.items()}
    assert all(not file.damaged for file in made.values())
    return {path: file for path, file in logs.items() if path not in done.removed} | made


def events(logs: Logs, kind: type[AnyEvent]) -> list[AnyEvent]:
    return [
        event for file in logs.values() for event in file.all_events() if isinstance(event, kind)
    ]


@dataclass
class Stub:
    """A ledger that only tells what would be written."""

    seen: LedgerState
    written: Write

    def view(self) -> LedgerState:
        return self.seen

    def transact(self, decide: Callable[[LedgerState], Write]) -> LedgerState:
        self.written = decide(self.seen)
        return self.seen

    def findings(self, answers: Iterable[AnswerRecorded]) -> Iterator[Finding]:
        return iter(())


def questions(view: LedgerState) -> dict[str, object]:
    """All that the program asks of a ledger, and what it says."""
    ids = [TaskId(name) for name in TASKS]
    sinces = [NOW - timedelta(days=days) for days in (0, 29, 31, 40, 60, 400)]
    stub = Stub(view, Write())
    retry([stub], [], reanswer=False, stamp=Stamp("r", "r", lambda: NOW))
    return {
        "standing": {task: view.task_status(task) for task in ids},
        "cut short": view.truncated_tasks(ids),
        "spent": [view.spent(since, pr) for since in sinces for pr in PULLS],
        "spending": [
            build_spending_report([view], by, since)
            for by in GROUP_NAMES
            for since in (None, sinces[2])
        ],
        "entries": sorted(
            (e.request.intent, e.request.n, e.request.at, e.key, e.in_batch, e.wait, e.is_unpriced)
            for e in list_cost_entries([view])
        ),
        "reuses": [(reuse.key, reuse.usd) for reuse in list_reused_tasks([view])],
        "status": replace(told := status(stub, NOW), failed=()),
        "told": sorted((one.id, one.kind, one.path) for one in told.failed),
        "batches": sorted(list_batches([stub], NOW), key=lambda row: row.id),
        "open": view.open_batches(),
        "doubtful": unconfirmed_batches(view),
        "taken": claimed_batch_ids(view),
        "failed": sorted(task for event in stub.written.events for task in event.tasks),
        "answers": [
            (a.at, a.intent, a.n, a.findings, a.refuted, a.usd, a.shard, a.batch)
            for _, a in view.answers_of(ids)
        ],
        "shown": sorted(
            row.request.model_dump_json()
            for row in view.requests
            if row.answer and row.answer.findings and row.answer.shard in view.shards
        ),
        "looks": status_by_finding(view),
        "origins": recent_findings(view, NOW),
        "history": UsageHistory.from_state(view),
        "plans": [view.latest_plan(7), view.latest_plan(8)],
        "waiting": {
            plan.id: (plan, read_plan(view, plan, SETTINGS, NOW))
            for plan in current_plans(view, NOW)
        },
        "refactorings": refactoring_plans(view),
        "posts": view.posts,
        "signals": view.feedback,
        "closed": view.closed,
        "leases": view.leases,
        "forgotten": view.reset_times,
        "damaged": view.damaged,
        **{f"pull request {pr}": pull(view, pr, ids) for pr in (7, 8)},
    }


def pull(view: LedgerState, pr: int, ids: Sequence[TaskId]) -> object:
    dossier = PullRequestRecord(view, pr, frozenset(ids[:3]))
    planned = None if view.was_closed(pr, BEFORE) else dossier.planned_tasks
    settings = WaitingSettings.from_config(Config())
    coverage = dossier.coverage("h", (), settings, NOW) if dossier.plans else None
    return dossier.receipt(Decimal(5)), coverage, planned


# -- logs of all kinds ---------------------------------------------------------------------------

minutes = st.integers(-90 * DAY, 0).map(lambda minute: minute - minute % 60)
some_tasks = st.lists(st.sampled_from(TASKS), min_size=1, max_size=3, unique=True)
OUTCOMES = {
    Outcome.SUCCEEDED: st.just({}),
    Outcome.ERRORED: st.fixed_dictionaries({"retriable": st.booleans()}),
    Outcome.EXPIRED: st.just({"retriable": True}),
    Outcome.CANCELED: st.just({"retriable": True}),
    Outcome.REFUSED: st.just({"error": "no"}),
    Outcome.TRUNCATED: st.just({"retriable": True}),
}


@st.composite
def answers(
    draw: st.DrawFn, intent: Intent, n: int, minute: int, batch: str | None
) -> AnswerRecorded:
    outcome = draw(st.sampled_from([Outcome.SUCCEEDED, Outcome.SUCCEEDED, *OUTCOMES]))
    more = draw(OUTCOMES[outcome]) | {"outcome": outcome, "batch": batch}
    later = draw(st.sampled_from([10, 60, 3 * DAY, 40 * DAY]))
    if outcome is Outcome.SUCCEEDED:
        count = draw(st.integers(0, 2))
        shard = f"answers/{intent.id}/{n}-{'0' * 16}.jsonl.gz" if draw(st.booleans()) else None
        more |= {"findings": count, "shard": shard if count else None}
        more |= draw(st.sampled_from([{}, {}, {"usd": None}, {"model": None}, {"refuted": ("f",)}]))
    return ev.answered(intent.id, n, min(minute + later, 0), **more)


@st.composite
def sendings(draw: st.DrawFn, name: str) -> list[AnyEvent]:
    minute, count = draw(minutes), draw(st.integers(1, 3))
    lane = draw(st.sampled_from(["batch", "batch", "now"]))
    made = ev.intent(name, minute, count).model_copy(update={"lane": lane})
    found: list[AnyEvent] = [made]
    sent = lane == "batch" and draw(st.integers(0, 9)) > 0
    if sent:
        found.append(ev.submitted(name, minute + 1))
    for n in range(count):
        more: dict[str, object] = {"pr": draw(st.sampled_from(PULLS))}
        more |= {"effort": draw(st.sampled_from(["low", None]))}
        if draw(st.integers(0, 4)) == 0:
            more |= {"purpose": "verify", "about": ("f", "g")}
        made_of = draw(st.sampled_from([asked, asked, asked, ev.asked]))
        found.append(made_of(name, n, *draw(some_tasks), minute=minute, **more))
        batch = f"batch-{name}" if sent else None
        for _ in range(draw(st.sampled_from([0, 1, 1, 1, 1, 2]))):
            found.append(draw(answers(made, n, minute, batch)))
    for word in draw(st.lists(st.sampled_from(["canceling", "ended", "collected", "lost"]))):
        found.append(ev.status(name, word, min(minute + 20, 0)))
    if draw(st.integers(0, 5)) == 0:
        found.append(ev.voided(name, min(minute + 5, 0)))
    if draw(st.integers(0, 5)) == 0:
        found.append(BatchLookup(**ev.head(min(minute + 9, 0)), intent=made.id, candidates=()))
    return found


@st.composite
def plans(draw: st.DrawFn, name: str) -> Plan:
    kind = draw(st.sampled_from(["review", "refactor"]))
    rows = [
        PlannedTask(id=TaskId(t), kind=kind, old_start=1, new_start=1) for t in draw(some_tasks)
    ]
    file = PlannedFile(path="a", old_path="a", old_blob="0", new_blob="1", tasks=tuple(rows))
    reused = draw(st.integers(0, 2))
    heads = st.sampled_from(["1" * 40, "2" * 40, None])
    made = ev.plan(name, draw(minutes), draw(st.sampled_from(PULLS)))
    return made.model_copy(update={"files": (file,), "reused": reused, "head": draw(heads)})


@st.composite
def others(draw: st.DrawFn) -> AnyEvent:
    said, pr = ev.head(draw(minutes)), draw(st.sampled_from([7, 8]))
    post = {"what": "comment", "remote_id": 1, "sha": "s", "head": "h"}
    made: list[AnyEvent] = [
        PullRequestClosed(**said, pr=pr, merged=draw(st.booleans())),
        Post(**said, **post, pr=pr, key=draw(st.sampled_from("fg"))),
        FeedbackRecorded(**said, pr=pr, fingerprint="f", what="thumbs_down"),
        Lease(**said, scope=f"publish:{pr}", owner="a", until=said["at"]),
        ev.forgotten(*draw(some_tasks)).model_copy(update=said),
        ev.settled("bare", draw(st.integers(0, 2)), *draw(some_tasks), pr=pr).model_copy(
            update={"at": said["at"]}
        ),
        ev.answered("nobody's", 0).model_copy(update={"at": said["at"]}),
    ]
    return draw(st.sampled_from(made))


@st.composite
def logs(draw: st.DrawFn) -> tuple[Logs, frozenset[str]]:
    """Files, and the shards that are still there."""
    found = [e for n in range(draw(st.integers(1, 5))) for e in draw(sendings(f"i{n}"))]
    found += [draw(plans(f"p{n}")) for n in range(draw(st.integers(0, 5)))]
    found += draw(st.lists(others(), max_size=6))
    files: dict[str, tuple[AnyEvent, ...]] = {}
    for event in found:
        skew = draw(st.sampled_from([0, 0, 0, 0, 1, -40, 40]))
        when = event.at.astimezone(UTC) + timedelta(days=skew)
        path = f"log/{when:%Y/%m/%d}/100000-run-1-x-{'0' * 16}.jsonl"
        files[path] = (*files.get(path, ()), event)
    shards = {e.shard for e in found if isinstance(e, AnswerRecorded) and e.shard}
    kept = draw(st.sets(st.sampled_from(sorted(shards)))) if shards else set()
    return {path: ParsedLog(rows) for path, rows in files.items()}, frozenset(kept)


def check(drawn: tuple[Logs, frozenset[str]]) -> None:
    files, shards = drawn
    expected = questions(view_of(files, shards))
    once = folded(files, shards)
    assert questions(view_of(once, shards)) == expected
    assert folded(once, shards) == once
    lazy = folded(files, shards, large=0)
    assert questions(view_of(lazy, shards)) == expected, "rows that stay in their files"
    assert folded(lazy, shards) == lazy
    assert questions(view_of({**files, **once}, shards)) == expected, "the union of both"
    earlier = folded(files, shards, BEFORE - timedelta(days=20))
    # An answer that a later one replaced may stay raw; it counts for nothing.
    assert questions(view_of(folded(earlier, shards), shards)) == expected, "in two steps"


@settings(max_examples=25, deadline=None)
@given(logs())
def test_every_answer_is_the_same_after_folding(drawn: tuple[Logs, frozenset[str]]) -> None:
    check(drawn)


@pytest.mark.slow
@settings(max_examples=2_000, deadline=None)
@given(logs())
def test_every_answer_is_the_same_after_folding_many_logs(
    drawn: tuple[Logs, frozenset[str]],
) -> None:
    check(drawn)


# -- what becomes of each ------------------------------------------------------------------------

SHARD = "answers/i1/0-0123456789abcdef.jsonl.gz"
SENT = (ev.intent("i1"), ev.submitted("i1"), asked("i1", 0, "t1"))
OLD = -40


def old(*events: AnyEvent) -> Logs:
    """As if all of it had been written forty days ago."""
    then = [e.model_copy(update={"at": e.at + timedelta(days=OLD)}) for e in events]
    return log(*then)


def kinds(logs: Logs) -> list[str]:
    return sorted(event.type for file in logs.values() for event in file.events)


def test_a_finished_request_is_one_row() -> None:
    files = old(*SENT, ev.answered("i1"), ev.status("i1", "ended"), ev.status("i1", "collected"))
    done = folded(files)
    assert [path.split("-")[:2] for path in done] == [["snap/2026", "10"]]
    assert kinds(done) == ["intent", "settled", "submitted"]


def test_a_question_that_the_api_called_invalid_stays_failed() -> None:
    """A row does not say whether an error would pass, so none stands for this one."""
    invalid = ev.failed("i1", outcome=Outcome.ERRORED, retriable=False)
    done = folded(old(*SENT, invalid, ev.status("i1", "collected")))
    assert kinds(done) == ["answer", "intent", "request", "submitted"]
    assert view_of(done).task_status(TaskId("t1")) is TaskStatus.FAILED


def test_each_month_has_one_snapshot() -> None:
    files = old(ev.plan("p1"), ev.plan("p2", -20 * DAY, pr=8), ev.plan("p3", 1, pr=9))
    assert sorted(path[:12] for path in folded(files)) == ["snap/2026-09", "snap/2026-10"]


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"error": "overloaded", "outcome": Outcome.ERRORED}, "the error is shown"),
        ({"outcome": Outcome.REFUSED}, "asking again does not help"),
        ({"usd": None}, "it counts as the most that it may cost"),
        ({"model": None}, "the model that was asked counts"),
        ({"batch": None}, "its sending says a batch"),
        ({"findings": 1, "shard": SHARD}, "its findings can be placed"),
    ],
)
def test_a_request_with_more_to_say_stays_as_it_is(more: dict[str, object], why: str) -> None:
    files = old(*SENT, ev.answered("i1", **more))
    assert kinds(folded(files, {SHARD})) == ["answer", "intent", "request", "submitted"], why


LATER = {"later": {"a": ["0.10"]}}  # a key of a newer version


@pytest.mark.parametrize("newer", ["request", "estimate", "answer"])
def test_a_request_with_keys_of_a_newer_version_stays_as_it_is(newer: str) -> None:
    request, answer = SENT[2], ev.answered("i1")
    assert isinstance(request, RequestRecorded)
    if newer == "request":
        request = RequestRecorded(**{**dict(request), **LATER})
    if newer == "estimate":
        estimate = Estimate(**{**dict(request.estimate), **LATER})
        request = request.model_copy(update={"estimate": estimate})
    if newer == "answer":
        answer = AnswerRecorded(**{**dict(answer), **LATER})
    done = folded(old(*SENT[:2], request, answer))
    assert kinds(done) == ["answer", "intent", "request", "submitted"]
    assert sum(b"later" in to_line(event) for log in done.values() for event in log.events) == 1


def test_usage_of_a_newer_version_is_folded_along() -> None:
    answer = ev.answered("i1", usage=Usage(input=100, output=40, later=7))
    [row] = events(folded(old(*SENT, answer)), FoldedRequest)
    assert row.usage.model_extra == {"later": 7}


def test_what_people_and_newer_versions_recorded_stays() -> None:
    said = ev.head(0)
    unknown = UnknownEvent(**said, type="from_the_future", **LATER)
    kept = (
        *(Held(**said, target="all", on=True, by="octocat"), unknown),
        *(JobChanged(**said, id="p1", action="cancelled"), Installed(**said, heads={7: "c" * 40})),
    )
    done = folded(old(*kept))
    assert {path[:5] for path in done} == {"snap/"}
    assert view_of(done) == view_of(old(*kept))
    assert view_of(done).unknown == [unknown.model_copy(update={"at": ev.at(OLD * DAY)})]
    assert kinds(done) == ["from_the_future", "held", "installed", "job"]


def test_the_reasons_of_a_plan_go_with_it() -> None:
    plans = [ev.plan("p1"), ev.plan("p2", 5).model_copy(update={"head": "d" * 40})]
    unsent = [
        Unsent(**ev.head(9), plan=plan, reason="budget", problem="no money")
        for plan in ("p1", "p2")
    ]
    seen = [
        PullRequestSeen(**ev.head(n), pr=7, head="c" * 40, base_ref="main", updated_at=ev.at(n))
        for n in (0, 5)
    ]
    files = old(*plans, *unsent, *seen, PullRequestClosed(**ev.head(9), pr=7, merged=True))
    done = folded(files)
    assert {e.id for e in events(done, Plan)} == {e.plan for e in events(done, Unsent)} == {"p2"}
    assert kinds(done).count("seen") == 1
    assert view_of(done).seen == view_of(files).seen


def test_without_its_shard_it_says_no_more() -> None:
    files = old(*SENT, ev.answered("i1", findings=1, shard=SHARD))
    assert kinds(folded(files, {SHARD})) == ["answer", "intent", "request", "submitted"]
    assert kinds(folded(folded(files, {SHARD}))) == ["intent", "settled", "submitted"]


def test_what_is_young_or_open_stays_as_it_is() -> None:
    young = old(*SENT) | log(ev.answered("i1", minute=-DAY))
    assert kinds(folded(young)) == ["answer", "intent", "request", "submitted"]
    half = old(*SENT, asked("i1", 1, "t2"), ev.answered("i1"))
    assert kinds(folded(half)) == ["answer", "intent", "request", "request", "submitted"]


def test_what_was_asked_at_another_time_than_its_intent_stays_as_it_is() -> None:
    files = old(*SENT[:2], asked("i1", 0, "t1", minute=1), ev.answered("i1"))
    assert "request" in kinds(folded(files))


def test_a_file_of_a_day_that_is_not_over_is_not_touched() -> None:
    files = log(ev.plan("p1", -30 * DAY), ev.plan("p2", -31 * DAY), ev.plan("p3"))
    assert sorted(folded(files))[:2] == [sorted(files)[1], sorted(files)[2]]


def test_a_file_that_could_not_be_read_in_full_is_not_touched() -> None:
    files = old(*SENT, ev.answered("i1"))
    path = next(path for path, file in files.items() if file.events[0].type == "answer")
    broken = {**files, path: replace(files[path], damaged=(f"{path}: line 2: what?",))}
    done = folded(broken)
    assert done[path] == broken[path]
    assert view_of(done).spent(BEFORE - timedelta(days=30)) == Decimal("0.02")


def test_what_estimates_draw_on_stays_as_it_is() -> None:
    """The newest hundred of each question; a view without the older ones estimates alike."""
    found: list[AnyEvent] = []
    for number in range(130):
        name = f"i{number}"
        found += [ev.intent(name, number), ev.submitted(name, number)]
        found += [ev.asked(name, 0, "t1", minute=number), ev.answered(name, minute=number + 5)]
    files = old(*found)
    done = folded(files)
    assert len(events(done, AnswerRecorded)) == 100
    assert len(events(done, FoldedRequest)) == 30
    assert (
        UsageHistory.from_state(view_of(done))
        == UsageHistory.from_state(view_of(files))
        != UsageHistory()
    )


def test_of_a_closed_pull_request_the_latest_plan_stays() -> None:
    pushes = [ev.plan(f"p{n}", n).model_copy(update={"head": f"{n}" * 40}) for n in range(4)]
    reusing = pushes[1].model_copy(update={"reused": 1})
    files = old(pushes[0], reusing, *pushes[2:])
    assert len(events(folded(files), Plan)) == 4, "open"
    closed = {**files, **old(PullRequestClosed(**ev.head(9), pr=7, merged=True))}
    assert {e.id for e in events(folded(closed), Plan)} == {"p1", "p3"}, "receipts count the reuse"
    again = {**closed, **log(ev.plan("p9", -DAY))}
    assert len(events(folded(again), Plan)) == 5, "open again"


def test_the_first_of_equal_submissions_stays_with_a_later_one() -> None:
    """Without the first the second one's reuse would count."""
    first, second = ev.plan("p1"), ev.plan("p2", 5).model_copy(update={"reused": 1})
    files = old(first, second, PullRequestClosed(**ev.head(9), pr=7, merged=True))
    assert {e.id for e in events(folded(files), Plan)} == {"p1", "p2"}


def test_what_something_later_has_replaced_goes() -> None:
    lease = [Lease(**ev.head(n), scope="publish:7", owner="a", until=ev.at(n)) for n in (0, 5)]
    files = old(*lease, PullRequestClosed(**ev.head(0), pr=7, merged=False))
    reopened = {**files, **log(PullRequestClosed(**ev.head(0), pr=7, merged=True))}
    assert kinds(folded(reopened)) == ["closed", "lease"]


# -- when ----------------------------------------------------------------------------------------


def sizes(count: int, size: int, day: int = -40) -> dict[str, int]:
    at = f"{NOW + timedelta(days=day):%Y/%m/%d}"
    return {f"log/{at}/{n:06}-run-1-plan-{n:016}.jsonl": size for n in range(count)}


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ({}, False),
        (sizes(MAX_FILES, 100), False),
        (sizes(MAX_FILES + 1, 100), True),
        (sizes(MAX_FILES + 1, 100, day=-30), False),
        (sizes(10, MAX_BYTES // 10), False),
        (sizes(10, MAX_BYTES // 10 + 1), True),
        (sizes(10, MAX_BYTES), False),
        ({"snap/2026-01-0123456789abcdef.jsonl": 2 * MAX_BYTES}, False),
    ],
    ids=[
        "empty",
        "a few",
        "many",
        "many young ones",
        "small",
        "large",
        "left as they are",
        "folded already",
    ],
)
def test_folding_is_due_for_many_or_large_old_files(logs: dict[str, int], expected: bool) -> None:
    assert needs_compaction(logs, BEFORE) is expected


@pytest.mark.parametrize(("raw", "stands"), [(10, 20), (30, 30)])
def test_of_a_raw_and_a_folded_answer_the_later_one_stands(raw: int, stands: int) -> None:
    """Two answers to one request may lie in files that are folded at different times."""
    rows = [ev.intent("i1"), ev.asked("i1", 0, "t1"), ev.settled("i1", 0, "t1", minute=20)]
    view = LedgerState.from_events([*rows, ev.answered("i1", 0, minute=raw)])
    assert view.batch_records[IntentId("i1")].answers[0].at == ev.at(stands)
