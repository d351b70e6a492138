"""Tasks become requests, each with what it is expected to cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from claude_batch.anthropic_api.request_body import InMemoryBody, StoreBody
from claude_batch.batches.batching import PreparedRequest, RequestEstimate
from claude_batch.config import rules as routing
from claude_batch.config.model import Config
from claude_batch.costs import prompt_cache as prefix
from claude_batch.costs.estimates import estimate_input_tokens, estimate_request, max_tokens
from claude_batch.costs.prices import Prices
from claude_batch.costs.prompt_cache import CachedPrefix, CachePricing
from claude_batch.ledger.events import IntentId, RequestRecorded, Stamp
from claude_batch.ledger.usage_history import History
from claude_batch.prompts import repository_rules as house_rules
from claude_batch.prompts.context import ReviewedFiles, select_snippets
from claude_batch.prompts.rendering import PromptContext
from claude_batch.submission import requests as request
from claude_batch.submission.requests import Request, RequestTasks
from claude_batch.submission.scope import PendingWork, ReviewScope
from claude_batch.tasks.task import Kind, Task, TaskId


@dataclass
class RequestCache:
    """The requests that were made last, and of what. Who claims decides at least twice about the
    same: to count tokens, in the ledger, and again whenever somebody else was first."""

    key: tuple[object, ...] = ()
    requests: tuple[Request, ...] = ()


@dataclass(frozen=True)
class RequestBuilder:
    """How one process asks."""

    config: Config
    kinds: tuple[Kind, ...]
    prices: Prices
    now: datetime
    store_body: StoreBody = InMemoryBody  # where bodies wait until they are sent
    waits_for_primers: bool = (
        False  # it is still there when a primer has ended, and sends what follows
    )
    cache: RequestCache = field(default_factory=RequestCache, compare=False)

    def requests(self, new: Sequence[Task], work: PendingWork) -> tuple[Request, ...]:
        marked_by = (work.history, work.cache_hit_rate) if self.waits_for_primers else ()
        of = (
            self.config,
            self.kinds,
            tuple(new),
            work.known,
            work.solo_task_ids,
            work.scope,
            marked_by,
        )
        if self.cache.key != of:
            self.cache.key, self.cache.requests = of, tuple(self._made(new, work))
        return self.cache.requests

    def _made(self, new: Sequence[Task], work: PendingWork) -> list[Request]:
        packs = self._packs(new, work)
        if not self.waits_for_primers or self.config.lane == "now":
            return [self._build(*each) for each in packs]
        known = list(packs)
        starts = (
            (config.model, request.shared_prefix(kind, part, config))
            for kind, config, part in known
        )
        marks = prefix.plan_cached_prefixes(starts, lambda model: self._terms(model, work))
        return [self._build(*each, mark) for each, mark in zip(known, marks, strict=True)]

    def _terms(self, model: str, work: PendingWork) -> CachePricing:
        rates = self.prices.rates(model, at=self.now.date(), prompt_tokens=0)
        return CachePricing(
            rates,
            self.prices.cache_minimum(model),
            work.cache_hit_rate,
            lambda text: work.history.input_tokens(estimate_input_tokens(len(text), model), model),
        )

    def _packs(
        self, new: Sequence[Task], work: PendingWork
    ) -> Iterator[tuple[Kind, Config, RequestTasks]]:
        """Context is read by object id: the same claim has the same bytes whenever it runs."""
        kinds, material = {kind.name: kind for kind in self.kinds}, work.scope.context_source
        known, apart = work.known, work.solo_task_ids
        head, papers = (
            ReviewedFiles.from_tasks(new, known, material.read_blobs),
            material.read_rule_files(),
        )
        for name in dict.fromkeys(task.kind for task in new):
            asked = [task for task in new if task.kind == name]
            beside = [task for task in known if task.kind == name]
            for model, part in self._split(asked, beside, apart):
                along = PromptContext(
                    select_snippets(part.asked, (*part.asked, *part.context), head),
                    house_rules.select_rules(papers, {task.path for task in part.asked}),
                    material.title,
                    material.description,
                )
                for_model = self.config.model_copy(update={"model": model})
                yield kinds[name], for_model, replace(part, prompt_context=along)

    def _split(
        self, asked: Sequence[Task], beside: Sequence[Task], apart: frozenset[TaskId]
    ) -> Iterator[tuple[str, RequestTasks]]:
        for model, tasks in routing.group_by_model(self.config, asked).items():
            for part in request.group_tasks(tasks, beside, apart):
                yield model, part

    def _build(
        self, kind: Kind, config: Config, part: RequestTasks, mark: CachedPrefix | None = None
    ) -> Request:
        chars = sum(len(task.hunk.body) for task in (*part.asked, *part.context))
        limit = max_tokens(chars, len(part.asked), config.effort)
        return request.build_request(kind, part, config, limit, self.store_body, mark)

    def estimate(self, made: Request, history: History) -> RequestEstimate:
        config, tasks, chars = self.config, len(made.tasks), made.body.size
        by_length = estimate_input_tokens(chars, made.model)
        output = history.output_tokens(made.kind.name, made.model, config.effort, tasks)
        return RequestEstimate(
            estimate_request(
                self.prices,
                made.model,
                config.effort,
                chars=chars,
                tasks=tasks,
                at=self.now.date(),
                batch=config.lane == "batch",
                output_limit=made.max_tokens,
                expected_output=output,
                expected_input=history.input_tokens(by_length, made.model),
                cached_prefix=made.cached_prefix,
            ),
            "defaults" if output is None else "history",
            history.input_basis(made.model),
            by_length,
        )

    def prepare(
        self,
        made: Request,
        expected: RequestEstimate,
        n: int,
        intent: IntentId,
        subject: ReviewScope,
    ) -> PreparedRequest:
        asked = Stamp(subject.run, subject.repo, lambda: self.now).event(
            RequestRecorded,
            intent=intent,
            n=n,
            sha=made.body.sha,
            pr=subject.pr,
            kind=made.kind.name,
            model=made.model,
            effort=self.config.effort,
            purpose=made.purpose,
            tasks=made.tasks,
            estimate=expected.recorded,
        )
        return PreparedRequest(made.body, asked, expected)
