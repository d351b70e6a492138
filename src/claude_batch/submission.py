"""From tasks to what is sent: minus known, packed, priced, within budget, claimed in the ledger."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import TypedDict

from claude_batch import budget, house_rules, ladder, prefix, request, routing
from claude_batch.body import Held, Keep
from claude_batch.config import RISKY_ONLY, Config, Lane
from claude_batch.context import NOTHING_BESIDE, Head, Material, pick
from claude_batch.diff import Comparison, LeftOut
from claude_batch.errors import BadConfig, BudgetExceeded
from claude_batch.estimate import estimate, input_tokens, max_tokens
from claude_batch.event import (
    Asked,
    Estimate,
    IntentId,
    Plan,
    SkippedFile,
)
from claude_batch.history import Basis, History, InputBasis, Pair
from claude_batch.ledger import View, Write
from claude_batch.parcel import (
    FOLLOWS_A_PRIMER,
    Draft,
    Expected,
    Parcel,
    Sent,
    parcel_of,
    parts,
)
from claude_batch.planning import planned, said_already
from claude_batch.prefix import Mark, Terms
from claude_batch.price import Prices
from claude_batch.prompt import Beside, Kind
from claude_batch.request import Pack, Request
from claude_batch.resubmission import Again
from claude_batch.risk import ranked
from claude_batch.task import Task, TaskId, unique


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
    elsewhere: frozenset[TaskId] = frozenset()  # known to another ledger that this place can read
    again: Again | None = None  # asks these only, of a plan that stands in the ledger


@dataclass(frozen=True)
class Claim:
    plan: Plan
    parcels: tuple[Parcel, ...]
    refused: BudgetExceeded | None = None
    repeated: bool = False  # the ledger's plans already say all of this
    steps: tuple[str, ...] = ()  # of the ladder that were taken, for people

    @property
    def write(self) -> Write:
        """The plan is recorded even when nothing is sent: publish joins it with the answers."""
        asked = (draft.asked for parcel in self.parcels for draft in parcel.drafts)
        plan = () if self.repeated else (self.plan,)
        return Write((*plan, *(parcel.intent for parcel in self.parcels), *asked))

    @property
    def estimates(self) -> list[Estimate]:
        return [draft.estimate for draft in self.drafts()]

    @property
    def basis(self) -> Basis:
        """History where every request's estimate rests on it."""
        found = [draft.expected for draft in self.drafts()]
        known = found and all(one and one.basis == "history" for one in found)
        return "history" if known else "defaults"

    @property
    def input_basis(self) -> InputBasis:
        """The weakest that any request's tokens in rest on."""
        found = {draft.expected.input_basis for draft in self.drafts() if draft.expected}
        weakest: tuple[InputBasis, ...] = ("length", "counted")
        return next((basis for basis in weakest if basis in found), "history")

    def drafts(self) -> Iterator[Draft]:
        return (draft for parcel in self.parcels for draft in parcel.drafts)


@dataclass(frozen=True)
class Submission:
    """What a submit did; without `sent`, what it would do."""

    claim: Claim
    lane: Lane
    sent: tuple[Sent, ...] = ()


class Spent(TypedDict):
    """Dollars, as `budget.check` wants them."""

    spent_pr: Decimal | None
    spent_day: Decimal
    spent_month: Decimal


@dataclass(frozen=True)
class Work:
    """A subject as the ledger stands to it."""

    subject: Subject
    new: tuple[Task, ...]
    known: tuple[Task, ...]
    apart: frozenset[TaskId]  # each of these goes alone
    history: History
    hits: Decimal  # the share of marked prefixes that is read from the cache

    @classmethod
    def of(
        cls,
        view: View,
        subject: Subject,
        counted: Mapping[str, Pair] | None = None,
        hits: Decimal = prefix.ASSUMED_HITS,
    ) -> "Work":
        tasks = unique(subject.tasks)
        known = view.known(task.id for task in tasks) | subject.elsewhere
        wanted = subject.again.tasks if subject.again else {task.id for task in tasks}
        fresh = wanted - known
        new = tuple(task for task in tasks if task.id in fresh)
        return cls(
            subject,
            new,
            tuple(task for task in tasks if task.id in known),
            frozenset(view.cut_short(task.id for task in new)),
            replace(History.of(view), counted=counted or {}),
            hits,
        )

    def files(self) -> dict[str, list[Task]]:
        """What is new, by path."""
        found: dict[str, list[Task]] = {}
        for task in self.new:
            found.setdefault(task.path, []).append(task)
        return found


@dataclass(frozen=True)
class Claimant:
    """How one process claims: its settings, its clock's reading and its source of fresh ids."""

    config: Config
    kinds: tuple[Kind, ...]
    prices: Prices
    now: datetime
    new_id: Callable[[], str]  # 16 random hex digits
    keep: Keep = Held  # where bodies wait until they are sent
    counted: Mapping[str, Pair] = field(default_factory=dict)  # counting.ratios
    goes_on: bool = False  # it is still there when a primer has ended, and sends what follows

    def claim(self, view: View, subject: Subject) -> Claim:
        """Pure in its arguments but for fresh ids; runs again on every new tip of the ledger."""
        self._check_settings()
        hits = prefix.hit_rate(view, self.now) if self.goes_on else prefix.ASSUMED_HITS
        work = Work.of(view, subject, self.counted, hits)
        spent = self._spent(view, subject.pr)
        offer, steps = self._descend(work, spent)
        if offer.refused:
            unsent = self._plan(work, (), sent=0)
            refusal = ladder.exhausted(offer.refused, steps)
            repeated = bool(subject.again) or said_already(view, unsent)
            return Claim(unsent, (), refusal, repeated, steps)
        plan = self._plan(work, offer.tasks, sent=len(offer.tasks))
        parcels = tuple(offer.parcels(subject))
        repeated = bool(subject.again) or (not parcels and said_already(view, plan))
        return Claim(plan, parcels, repeated=repeated, steps=steps)

    def _check_settings(self) -> None:
        if self.config.lane == "now" and self.config.retention == "ids":
            raise BadConfig(
                'an answer of the lane now cannot be fetched again, and retention = "ids" does '
                "not keep it",
                'use the lane batch, or set `retention` to "answers"',
            )
        named = (*ladder.models(self.config.ladder), *routing.models(self.config.rules))
        for model in named:  # raises for one without a price
            self.prices.rates(model, at=self.now.date(), prompt_tokens=0)

    def _descend(self, work: Work, spent: Spent) -> "tuple[Offer, tuple[str, ...]]":
        """The first step of the ladder that the budget holds, else the last one, refused; with
        all steps down to it. A model or effort that makes nothing cheaper is passed over."""
        offer = self._offer(work, work.new, spent)
        steps: list[str] = []
        narrow = False
        for step in self.config.ladder:
            if not offer.refused:
                break
            lower = offer.claimant
            if step == RISKY_ONLY:
                narrow = True
            else:
                lower = replace(lower, config=ladder.lowered(lower.config, step))
            tried = lower._riskiest(work, spent) if narrow else lower._offer(work, work.new, spent)
            if step == RISKY_ONLY or tried.most < offer.most:
                steps.append(ladder.said(offer.claimant.config, step))
                offer = tried
        return offer, tuple(steps)

    def _offer(self, work: Work, tasks: Sequence[Task], spent: Spent) -> "Offer":
        """Where a budget does not hold what primed requests reserve, all goes at once."""
        offer = self._made(work, tasks, spent)
        if offer.refused and offer.is_primed:
            return replace(self, goes_on=False)._made(work, tasks, spent)
        return offer

    def _made(self, work: Work, tasks: Sequence[Task], spent: Spent) -> "Offer":
        made = self._requests(tasks, work) if tasks else []
        expected = [self._expected(one, work.history) for one in made]
        most = sum((one.estimate.usd_max for one in expected), Decimal(0))
        refused = None
        try:
            budget.check(self.config.budget, wanted=most, **spent)
        except BudgetExceeded as refusal:
            refused = refusal
        return Offer(self, tuple(tasks), tuple(zip(made, expected, strict=True)), most, refused)

    def _riskiest(self, work: Work, spent: Spent) -> "Offer":
        """As many whole files as the budget holds, the riskiest first. A file that is too dear by
        itself is passed over; where nothing fits, all of it is refused."""
        files = work.files()
        order = ranked({path: _size(tasks) for path, tasks in files.items()})
        fitting = [path for path in order if not self._offer(work, files[path], spent).refused]
        best: Offer | None = None
        low, high = 0, len(fitting)  # so many fit; more than so many do not
        while low < high:
            middle = (low + high + 1) // 2
            chosen = set(fitting[:middle])
            tried = self._offer(work, [one for one in work.new if one.path in chosen], spent)
            if tried.refused:
                high = middle - 1
            else:
                low, best = middle, tried
        return best or self._offer(work, work.new, spent)

    def _requests(self, new: Sequence[Task], work: Work) -> list[Request]:
        packs = self._packs(new, work)
        if not self.goes_on or self.config.lane == "now":
            return [self._build(*each) for each in packs]
        known = list(packs)
        starts = (
            (config.model, request.prefix(kind, part, config)) for kind, config, part in known
        )
        marks = prefix.marks(starts, lambda model: self._terms(model, work))
        return [self._build(*each, mark) for each, mark in zip(known, marks, strict=True)]

    def _terms(self, model: str, work: Work) -> Terms:
        rates = self.prices.rates(model, at=self.now.date(), prompt_tokens=0)
        return Terms(
            rates,
            self.prices.cache_minimum(model),
            work.hits,
            lambda text: work.history.input_tokens(input_tokens(len(text), model), model),
        )

    def _packs(self, new: Sequence[Task], work: Work) -> Iterator[tuple[Kind, Config, Pack]]:
        """Context is read by object id: the same claim has the same bytes whenever it runs."""
        kinds, material = {kind.name: kind for kind in self.kinds}, work.subject.material
        known, apart = work.known, work.apart
        head, papers = Head.of(new, known, material.blobs), material.papers()
        for name in dict.fromkeys(task.kind for task in new):
            asked = [task for task in new if task.kind == name]
            beside = [task for task in known if task.kind == name]
            for model, part in self._split(asked, beside, apart):
                along = Beside(
                    pick(part.asked, (*part.asked, *part.context), head),
                    house_rules.choose(papers, {task.path for task in part.asked}),
                    material.title,
                    material.description,
                )
                for_model = self.config.model_copy(update={"model": model})
                yield kinds[name], for_model, replace(part, beside=along)

    def _split(
        self, asked: Sequence[Task], beside: Sequence[Task], apart: frozenset[TaskId]
    ) -> Iterator[tuple[str, Pack]]:
        for model, tasks in routing.by_model(self.config, asked).items():
            for part in request.pack(tasks, beside, apart):
                yield model, part

    def _build(self, kind: Kind, config: Config, part: Pack, mark: Mark | None = None) -> Request:
        chars = sum(len(task.hunk.body) for task in (*part.asked, *part.context))
        limit = max_tokens(chars, len(part.asked), config.effort)
        return request.build(kind, part, config, limit, self.keep, mark)

    def _expected(self, made: Request, history: History) -> Expected:
        config, tasks, chars = self.config, len(made.shown), made.body.size
        by_length = input_tokens(chars, made.model)
        output = history.output_tokens(made.kind.name, made.model, config.effort, tasks)
        return Expected(
            estimate(
                self.prices,
                made.model,
                config.effort,
                chars=chars,
                tasks=tasks,
                at=self.now.date(),
                batch=config.lane == "batch",
                limit=made.max_tokens,
                output=output,
                prompt=history.input_tokens(by_length, made.model),
                mark=made.mark,
            ),
            "defaults" if output is None else "history",
            history.input_basis(made.model),
            by_length,
        )

    def draft(
        self, made: Request, expected: Expected, n: int, intent: IntentId, subject: Subject
    ) -> Draft:
        asked = Asked(
            at=self.now,
            run=subject.run,
            repo=subject.repo,
            intent=intent,
            n=n,
            sha=made.body.sha,
            pr=subject.pr,
            kind=made.kind.name,
            model=made.model,
            effort=self.config.effort,
            purpose=made.purpose,
            tasks=made.asked,
            estimate=expected.kept,
        )
        return Draft(request.custom_id(intent, n, asked.sha), made.body, asked, expected)

    def _spent(self, view: View, pr: int | None) -> Spent:
        day, month = budget.periods(self.now)
        ever = datetime.min.replace(tzinfo=self.now.tzinfo)
        return Spent(
            spent_pr=view.spent(ever, pr) if pr else None,
            spent_day=view.spent(day),
            spent_month=view.spent(month),
        )

    def _plan(self, work: Work, tasks: Sequence[Task], *, sent: int) -> Plan:
        """`tasks` are sent; files of which the ladder left something out are named as left out."""
        subject, comparison = work.subject, work.subject.comparison
        left_out = [SkippedFile(path=one.path, reason=one.reason) for one in subject.left_out]
        if sent:
            ids = {task.id for task in tasks}
            unsent = dict.fromkeys(task.path for task in work.new if task.id not in ids)
            left_out += [SkippedFile(path=path, reason=ladder.OVER) for path in unsent]
        return Plan(
            at=self.now,
            run=subject.run,
            repo=subject.repo,
            id=self.new_id(),
            pr=subject.pr,
            label=comparison.label,
            base=comparison.base,
            head=comparison.head,
            files=tuple(planned(subject.tasks)),
            left_out=tuple(left_out),
            new=sent,
            reused=len(work.known),
        )


@dataclass(frozen=True)
class Offer:
    """What one step of the ladder would send."""

    claimant: Claimant
    tasks: tuple[Task, ...]
    requests: tuple[tuple[Request, Expected], ...]
    most: Decimal
    refused: BudgetExceeded | None

    @property
    def is_primed(self) -> bool:
        return any(made.mark for made, _ in self.requests)

    def parcels(self, subject: Subject) -> Iterator[Parcel]:
        """With fresh ids. Primers are first, each alone; last is what waits for them."""
        expected = {id(made): one for made, one in self.requests}

        def parcel(part: Sequence[Request], follows: str | None) -> Parcel:
            intent = IntentId(self.claimant.new_id())
            drafts = [
                self.claimant.draft(made, expected[id(made)], n, intent, subject)
                for n, made in enumerate(part)
            ]
            return parcel_of(drafts, self.claimant.config.lane, follows)

        requests = [made for made, _ in self.requests]
        again = subject.again.follows if subject.again else None
        yield from (parcel([made], again) for made in requests if made.purpose == "primer")
        plain = [made for made in requests if not made.mark]
        yield from (parcel(part, again) for part in parts(plain))
        rest = [made for made in requests if made.mark and made.purpose == "ask"]
        yield from (parcel(part, FOLLOWS_A_PRIMER) for part in parts(rest))


def _size(tasks: Sequence[Task]) -> int:
    return sum(len(task.hunk.body) for task in tasks)
