"""Build the requests for tasks, and estimate their cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from claude_batch.anthropic_api.request_body import InMemoryBody, StoreBody
from claude_batch.batches.batching import PreparedRequest, RequestEstimate
from claude_batch.config import rules
from claude_batch.config.model import Config
from claude_batch.costs import prompt_cache
from claude_batch.costs.estimates import estimate_input_tokens, estimate_request, max_tokens
from claude_batch.costs.prices import Prices
from claude_batch.costs.prompt_cache import CachedPrefix, CachePricing
from claude_batch.ledger.events import IntentId, RequestRecorded, Stamp
from claude_batch.ledger.usage_history import UsageHistory
from claude_batch.prompts import repository_rules
from claude_batch.prompts.context import select_snippets
from claude_batch.prompts.rendering import PromptContext
from claude_batch.prompts.reviewed_files import ReviewedFiles
from claude_batch.submission.requests import (
    Request,
    RequestTasks,
    build_request,
    group_tasks,
    shared_prefix,
)
from claude_batch.submission.scope import PendingWork, ReviewScope
from claude_batch.tasks.task import Kind, Task, TaskId


@dataclass
class RequestCache:
    """Cache of the last built requests: every retry of a ledger write plans them again."""

    key: tuple[object, ...] = ()
    requests: tuple[Request, ...] = ()


@dataclass(frozen=True)
class RequestBuilder:
    """The settings with which one process builds requests."""

    config: Config
    kinds: tuple[Kind, ...]
    prices: Prices
    now: datetime
    store_body: StoreBody = InMemoryBody  # keeps bodies until they are sent
    waits_for_primers: bool = False  # see SubmissionPlanner
    cache: RequestCache = field(default_factory=RequestCache, compare=False)

    def requests(self, new: Sequence[Task], work: PendingWork) -> tuple[Request, ...]:
        cached_by = (work.history, work.cache_hit_rate) if self.waits_for_primers else ()
        key = (
            self.config,
            self.kinds,
            tuple(new),
            work.known,
            work.solo_task_ids,
            work.scope,
            cached_by,
        )
        if self.cache.key != key:
            self.cache.key, self.cache.requests = key, tuple(self._build_all(new, work))
        return self.cache.requests

    def _build_all(self, new: Sequence[Task], work: PendingWork) -> list[Request]:
        groups = self._group(new, work)
        if not self.waits_for_primers or self.config.lane == "now":
            return [self._build(*each) for each in groups]
        known = list(groups)
        starts = (
            (config.model, shared_prefix(kind, tasks, config)) for kind, config, tasks in known
        )
        cached_prefixes = prompt_cache.plan_cached_prefixes(
            starts, lambda model: self._cache_pricing(model, work)
        )
        return [
            self._build(*each, cached_prefix)
            for each, cached_prefix in zip(known, cached_prefixes, strict=True)
        ]

    def _cache_pricing(self, model: str, work: PendingWork) -> CachePricing:
        rates = self.prices.rates(model, at=self.now.date(), prompt_tokens=0)
        return CachePricing(
            rates,
            self.prices.cache_minimum(model),
            work.cache_hit_rate,
            lambda text: work.history.input_tokens(estimate_input_tokens(len(text), model), model),
        )

    def _group(
        self, new: Sequence[Task], work: PendingWork
    ) -> Iterator[tuple[Kind, Config, RequestTasks]]:
        """Context is read by object id: the same claim has the same bytes whenever it runs."""
        kinds, source = {kind.name: kind for kind in self.kinds}, work.scope.context_source
        known, solo_task_ids = work.known, work.solo_task_ids
        head, rule_files = (
            ReviewedFiles.from_tasks(new, known, source.read_blobs),
            source.read_rule_files(),
        )
        for name in dict.fromkeys(task.kind for task in new):
            asked = [task for task in new if task.kind == name]
            context = [task for task in known if task.kind == name]
            for model, tasks in self._split(asked, context, solo_task_ids):
                prompt_context = PromptContext(
                    select_snippets(tasks.asked, (*tasks.asked, *tasks.context), head),
                    repository_rules.select_rules(rule_files, {task.path for task in tasks.asked}),
                    source.title,
                    source.description,
                )
                for_model = self.config.model_copy(update={"model": model})
                yield kinds[name], for_model, replace(tasks, prompt_context=prompt_context)

    def _split(
        self, asked: Sequence[Task], context: Sequence[Task], solo_task_ids: frozenset[TaskId]
    ) -> Iterator[tuple[str, RequestTasks]]:
        for model, tasks in rules.group_by_model(self.config, asked).items():
            for group in group_tasks(tasks, context, solo_task_ids):
                yield model, group

    def _build(
        self,
        kind: Kind,
        config: Config,
        tasks: RequestTasks,
        cached_prefix: CachedPrefix | None = None,
    ) -> Request:
        chars = sum(len(task.hunk.body) for task in (*tasks.asked, *tasks.context))
        limit = max_tokens(chars, len(tasks.asked), config.effort)
        return build_request(kind, tasks, config, limit, self.store_body, cached_prefix)

    def estimate(self, request: Request, history: UsageHistory) -> RequestEstimate:
        config, tasks, chars = self.config, len(request.tasks), request.body.size
        by_length = estimate_input_tokens(chars, request.model)
        output = history.output_tokens(request.kind.name, request.model, config.effort, tasks)
        return RequestEstimate(
            estimate_request(
                self.prices,
                request.model,
                config.effort,
                chars=chars,
                tasks=tasks,
                at=self.now.date(),
                batch=config.lane == "batch",
                output_limit=request.max_tokens,
                expected_output=output,
                expected_input=history.input_tokens(by_length, request.model),
                cached_prefix=request.cached_prefix,
            ),
            "defaults" if output is None else "history",
            history.input_basis(request.model),
            by_length,
        )

    def prepare(
        self,
        request: Request,
        expected: RequestEstimate,
        n: int,
        intent: IntentId,
        scope: ReviewScope,
    ) -> PreparedRequest:
        event = Stamp(scope.run, scope.repo, lambda: self.now).event(
            RequestRecorded,
            intent=intent,
            n=n,
            sha=request.body.sha,
            pr=scope.pr,
            kind=request.kind.name,
            model=request.model,
            effort=self.config.effort,
            purpose=request.purpose,
            tasks=request.tasks,
            estimate=expected.recorded,
        )
        return PreparedRequest(request.body, event, expected)
