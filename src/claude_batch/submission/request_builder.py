"""Tasks become requests, each with what it is expected to cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from claude_batch.anthropic_api.request_body import Held, Keep
from claude_batch.batches import custom_ids as batches_custom_ids
from claude_batch.batches.batching import Draft, Expected
from claude_batch.config import rules as routing
from claude_batch.config.model import Config
from claude_batch.costs import prompt_cache as prefix
from claude_batch.costs.estimates import estimate, input_tokens, max_tokens
from claude_batch.costs.prices import Prices
from claude_batch.costs.prompt_cache import Mark, Terms
from claude_batch.ledger.events import Asked, IntentId
from claude_batch.ledger.usage_history import History
from claude_batch.prompts import repository_rules as house_rules
from claude_batch.prompts.context import Head, pick
from claude_batch.prompts.rendering import Beside
from claude_batch.submission import requests as request
from claude_batch.submission.requests import Pack, Request
from claude_batch.submission.scope import Subject, Work
from claude_batch.tasks.task import Kind, Task, TaskId


@dataclass
class Last:
    """The requests that were made last, and of what. Who claims decides at least twice about the
    same: to count tokens, in the ledger, and again whenever somebody else was first."""

    of: tuple[object, ...] = ()
    made: tuple[Request, ...] = ()


@dataclass(frozen=True)
class Drafter:
    """How one process asks."""

    config: Config
    kinds: tuple[Kind, ...]
    prices: Prices
    now: datetime
    keep: Keep = Held  # where bodies wait until they are sent
    goes_on: bool = False  # it is still there when a primer has ended, and sends what follows
    last: Last = field(default_factory=Last, compare=False)

    def requests(self, new: Sequence[Task], work: Work) -> tuple[Request, ...]:
        marked_by = (work.history, work.hits) if self.goes_on else ()
        of = (self.config, self.kinds, tuple(new), work.known, work.apart, work.subject, marked_by)
        if self.last.of != of:
            self.last.of, self.last.made = of, tuple(self._made(new, work))
        return self.last.made

    def _made(self, new: Sequence[Task], work: Work) -> list[Request]:
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

    def expected(self, made: Request, history: History) -> Expected:
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
        return Draft(batches_custom_ids.custom_id(intent, n, asked.sha), made.body, asked, expected)
