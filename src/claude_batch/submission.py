"""From tasks to what is sent: minus known, packed, priced, within budget, claimed in the ledger."""

import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol, TypeVar

from claude_batch import budget, house_rules, request
from claude_batch.config import Config, Lane
from claude_batch.context import NOTHING_BESIDE, Head, Material, pick
from claude_batch.diff import Comparison, LeftOut
from claude_batch.errors import BadConfig, BudgetExceeded
from claude_batch.estimate import estimate, max_tokens
from claude_batch.event import (
    Asked,
    BatchId,
    Estimate,
    Intent,
    IntentId,
    Plan,
    PlannedFile,
    PlannedTask,
    SkippedFile,
)
from claude_batch.ledger import View, Write
from claude_batch.price import Prices
from claude_batch.prompt import Beside, Kind
from claude_batch.request import Pack, Request
from claude_batch.task import Changed, Named, Task, TaskId, unique

LEASE = timedelta(minutes=30)
# The API's limits as of 2026-11-22, with room for the envelope around each request.
BATCH_REQUESTS = 100_000
BATCH_BYTES = 250_000_000


@dataclass(frozen=True)
class Subject:
    """What one submit looks at."""

    repo: str
    run: str
    pr: int | None
    comparison: Comparison
    tasks: tuple[Task, ...]
    left_out: tuple[LeftOut, ...]
    material: Material = NOTHING_BESIDE


@dataclass(frozen=True)
class Draft:
    """A request on its way, with what the ledger will know of it."""

    custom_id: str
    params: bytes
    asked: Asked


@dataclass(frozen=True)
class Parcel:
    """One batch to be: an intent and its requests."""

    intent: Intent
    drafts: tuple[Draft, ...]


@dataclass(frozen=True)
class Claim:
    plan: Plan
    parcels: tuple[Parcel, ...]
    refused: BudgetExceeded | None = None
    repeated: bool = False  # the ledger's latest plan already says all of this

    @property
    def write(self) -> Write:
        """The plan is recorded even when nothing is sent: publish joins it with the answers."""
        if self.repeated:
            return Write()
        asked = (draft.asked for parcel in self.parcels for draft in parcel.drafts)
        return Write((self.plan, *(parcel.intent for parcel in self.parcels), *asked))

    @property
    def estimates(self) -> list[Estimate]:
        return [draft.asked.estimate for parcel in self.parcels for draft in parcel.drafts]


@dataclass(frozen=True)
class Sent:
    batch: BatchId | None  # None: lane now
    requests: int
    tasks: int
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Submission:
    """What a submit did; without `sent`, what it would do."""

    claim: Claim
    lane: Lane
    sent: tuple[Sent, ...] = ()


@dataclass(frozen=True)
class Claimant:
    """How one process claims: its settings, its clock's reading and its source of fresh ids."""

    config: Config
    kinds: tuple[Kind, ...]
    prices: Prices
    now: datetime
    new_id: Callable[[], str]  # 16 random hex digits

    def claim(self, view: View, subject: Subject) -> Claim:
        """Pure in its arguments but for fresh ids; runs again on every new tip of the ledger."""
        if self.config.lane == "now" and self.config.retention == "ids":
            raise BadConfig(
                'an answer of the lane now cannot be fetched again, and retention = "ids" does '
                "not keep it",
                'use the lane batch, or set `retention` to "answers"',
            )
        tasks = unique(subject.tasks)
        known = view.known(task.id for task in tasks)
        new = [task for task in tasks if task.id not in known]
        plan = self._plan(subject, len(new), len(tasks) - len(new))
        already = [task for task in tasks if task.id in known]
        apart = view.cut_short(task.id for task in new)
        requests = self._requests(new, already, apart, subject.material) if new else []
        parcels = tuple(self._parcel(part, subject) for part in parts(requests))
        claim = Claim(plan, parcels)
        try:
            self._check_budget(view, subject.pr, claim.estimates)
        except BudgetExceeded as refusal:
            unsent = self._plan(subject, 0, len(tasks) - len(new))
            return Claim(unsent, (), refusal, _said_already(view, unsent))
        return replace(claim, repeated=not parcels and _said_already(view, plan))

    def _requests(
        self,
        new: Sequence[Task],
        known: Sequence[Task],
        apart: Collection[TaskId],
        material: Material,
    ) -> list[Request]:
        """Context is read by object id: the same claim has the same bytes whenever it runs."""
        kinds = {kind.name: kind for kind in self.kinds}
        head, papers = Head.of(new, known, material.blobs), material.papers()
        made = []
        for name in dict.fromkeys(task.kind for task in new):
            asked = [task for task in new if task.kind == name]
            beside = [task for task in known if task.kind == name]
            for part in request.pack(asked, beside, apart):
                along = Beside(
                    pick(part.asked, (*part.asked, *part.context), head),
                    house_rules.choose(papers, {task.path for task in part.asked}),
                    material.title,
                    material.description,
                )
                made.append(self._build(kinds[name], replace(part, beside=along)))
        return made

    def _build(self, kind: Kind, part: Pack) -> Request:
        chars = sum(len(task.hunk.body) for task in (*part.asked, *part.context))
        limit = max_tokens(chars, len(part.asked), self.config.effort)
        return request.build(kind, part, self.config, limit)

    def _parcel(self, requests: Sequence[Request], subject: Subject) -> Parcel:
        intent = IntentId(self.new_id())
        drafts = [self._draft(made, n, intent, subject) for n, made in enumerate(requests)]
        return parcel_of(drafts, self.config.lane)

    def _draft(self, made: Request, n: int, intent: IntentId, subject: Subject) -> Draft:
        asked = Asked(
            at=self.now,
            run=subject.run,
            repo=subject.repo,
            intent=intent,
            n=n,
            sha=made.sha,
            pr=subject.pr,
            kind=made.kind.name,
            model=self.config.model,
            effort=self.config.effort,
            tasks=request.asked_tasks(made.pack),
            estimate=estimate(
                self.prices,
                self.config.model,
                self.config.effort,
                chars=len(made.params),
                tasks=len(made.pack.asked),
                at=self.now.date(),
                batch=self.config.lane == "batch",
                limit=made.max_tokens,
            ),
        )
        return Draft(request.custom_id(intent, n, made.sha), made.params, asked)

    def _check_budget(self, view: View, pr: int | None, wanted: Sequence[Estimate]) -> None:
        day, month = budget.periods(self.now)
        budget.check(
            self.config.budget,
            wanted=sum((item.usd_max for item in wanted), Decimal(0)),
            spent_pr=view.spent(datetime.min.replace(tzinfo=self.now.tzinfo), pr) if pr else None,
            spent_day=view.spent(day),
            spent_month=view.spent(month),
        )

    def _plan(self, subject: Subject, new: int, reused: int) -> Plan:
        comparison = subject.comparison
        return Plan(
            at=self.now,
            run=subject.run,
            repo=subject.repo,
            id=self.new_id(),
            pr=subject.pr,
            label=comparison.label,
            base=comparison.base,
            head=comparison.head,
            files=tuple(_planned(subject.tasks)),
            left_out=tuple(
                SkippedFile(path=item.path, reason=item.reason) for item in subject.left_out
            ),
            new=new,
            reused=reused,
        )


def _said_already(view: View, plan: Plan) -> bool:
    """Whether the latest plan about the same thing has the same content."""

    def content(one: Plan) -> object:
        return one.base, one.head, one.files, one.left_out

    same = [one for one in view.plans if (one.pr, one.label) == (plan.pr, plan.label)]
    return bool(same) and content(max(same, key=lambda one: one.at)) == content(plan)


def _planned(tasks: Sequence[Task]) -> Iterator[PlannedFile]:
    grouped: dict[str, list[Task]] = {}
    for task in tasks:
        grouped.setdefault(task.path, []).append(task)
    for path, group in grouped.items():
        old_path, old_blob, new_blob = _blobs(group[0])
        yield PlannedFile(
            path=path,
            old_path=old_path,
            old_blob=old_blob,
            new_blob=new_blob,
            tasks=tuple(
                PlannedTask(
                    id=task.id,
                    kind=task.kind,
                    old_start=task.hunk.old_start,
                    new_start=task.hunk.new_start,
                )
                for task in group
            ),
        )


def _blobs(task: Task) -> tuple[str, str, str]:
    match task.source:
        case Changed(old_path, old_blob, new_blob):
            return old_path, old_blob, new_blob
        case Named(blob):
            return task.path, blob, blob
        case _:
            return task.path, "", ""


def parcel_of(drafts: Sequence[Draft], lane: Lane, follows: str | None = None) -> Parcel:
    """At least one draft. The intent's owner is at it from now on, for LEASE."""
    first, digest = drafts[0].asked, hashlib.sha256()
    for draft in drafts:
        digest.update(draft.params)
    return Parcel(
        Intent(
            at=first.at,
            run=first.run,
            repo=first.repo,
            id=first.intent,
            lease_until=first.at + LEASE,
            lane=lane,
            requests=len(drafts),
            sha256=digest.hexdigest(),
            follows=follows,
        ),
        tuple(drafts),
    )


class Sendable(Protocol):
    @property
    def params(self) -> bytes: ...


Made = TypeVar("Made", bound=Sendable)


def parts(requests: Sequence[Made]) -> Iterator[list[Made]]:
    """Batches within the API's limits, in order."""
    part: list[Made] = []
    size = 0
    for made in requests:
        length = len(made.params) + 100  # the envelope with its custom_id
        if part and (len(part) == BATCH_REQUESTS or size + length > BATCH_BYTES):
            yield part
            part, size = [], 0
        part.append(made)
        size += length
    if part:
        yield part
