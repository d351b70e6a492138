"""Build the requests for tasks, estimate their cost, and plan batches of them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from claude_batch.anthropic_api.request_body import Body, InMemoryBody, StoreBody
from claude_batch.batches.batching import PreparedRequest, RequestEstimate
from claude_batch.config import rules
from claude_batch.config.model import Config
from claude_batch.costs import prompt_cache
from claude_batch.costs.estimates import (
    estimate_input_tokens,
    estimate_output_tokens,
    estimate_request,
    max_tokens,
)
from claude_batch.costs.prices import Prices
from claude_batch.costs.prompt_cache import CachedPrefix, CachePricing
from claude_batch.ledger.events import IntentId, RequestRecorded
from claude_batch.ledger.usage_history import UsageHistory
from claude_batch.prompts import repository_rules
from claude_batch.prompts.context import select_snippets
from claude_batch.prompts.rendering import PromptContext
from claude_batch.submission.requests import (
    Request,
    RequestTasks,
    build_request,
    group_tasks,
    shared_prefix,
    total_size,
)
from claude_batch.submission.scope import PendingWork, ReviewScope
from claude_batch.tasks.task import Kind, Task


@dataclass
class RequestCache:
    """Cache of the last built requests: every retry of a ledger write plans them again."""

    key: tuple[object, ...] = ()
    requests: tuple[Request, ...] = ()


@dataclass(frozen=True, slots=True)
class PricedRequest:
    request: Request
    expected: RequestEstimate

    @property
    def body(self) -> Body:
        return self.request.body


@dataclass(frozen=True)
class RequestBuilder:
    """The settings, the time and the source of ids with which one process builds requests."""

    config: Config
    kinds: tuple[Kind, ...]
    prices: Prices
    now: datetime
    new_id: Callable[[], str]  # 16 random hex digits
    store_body: StoreBody = InMemoryBody  # keeps bodies until they are sent
    # True if this process waits for the primer and sends the remaining requests.
    waits_for_primers: bool = False
    cache: RequestCache = field(default_factory=RequestCache, compare=False)

    def build(self, new: Sequence[Task], work: PendingWork) -> tuple[PricedRequest, ...]:
        """Build the requests for these tasks of `work`, with their estimates."""
        if not new:
            return ()
        cached_by = (work.history, work.cache_hit_rate) if self.waits_for_primers else ()
        key = (
            self.config,
            self.kinds,
            tuple(new),
            work.known,
            work.readings,
            work.scope,
            cached_by,
        )
        if self.cache.key != key:
            self.cache.key, self.cache.requests = key, tuple(self._build_all(new, work))
        return tuple(
            PricedRequest(request, self._estimate(request, work.history))
            for request in self.cache.requests
        )

    def _build_all(self, new: Sequence[Task], work: PendingWork) -> Iterator[Request]:
        groups = self._group(new, work)
        if not self.waits_for_primers or self.config.batch_lane == "now":
            yield from (self._build(*group, work) for group in groups)
            return
        known = list(groups)
        starts = (
            (config.model, shared_prefix(kind, tasks, config)) for kind, config, tasks in known
        )
        prefixes = prompt_cache.plan_cached_prefixes(
            starts, lambda model: self._cache_pricing(model, work)
        )
        for group, prefix in zip(known, prefixes, strict=True):
            yield self._build(*group, work, prefix)

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
        kinds, source = {kind.name: kind for kind in self.kinds}, work.scope.context_source
        # Read by object id, so that the same plan has the same bytes whenever it is made.
        head = work.scope.files
        rule_files = source.read_rule_files()
        for name in dict.fromkeys(task.kind for task in new):
            asked = [task for task in new if task.kind == name]
            known = [task for task in work.known if task.kind == name]
            groups = (
                (model, group)
                for model, tasks in rules.group_by_model(self.config, asked).items()
                for group in group_tasks(tasks, known, work.solo_task_ids, self.config.effort)
            )
            for model, group in groups:
                prompt_context = PromptContext(
                    select_snippets(group.asked, (*group.asked, *group.context), head),
                    repository_rules.select_rules(rule_files, {task.path for task in group.asked}),
                    source.title,
                    source.description,
                )
                for_model = self.config.model_copy(update={"model": model})
                yield kinds[name], for_model, replace(group, prompt_context=prompt_context)

    def _build(
        self,
        kind: Kind,
        config: Config,
        tasks: RequestTasks,
        work: PendingWork,
        cached_prefix: CachedPrefix | None = None,
    ) -> Request:
        size, number = total_size(tasks.asked), len(tasks.asked)
        limit = max_tokens(size, number, config.effort, work.limit_factor(tasks.asked))
        return build_request(
            kind, tasks, config, limit, work.definitions, self.store_body, cached_prefix
        )

    def _estimate(self, request: Request, history: UsageHistory) -> RequestEstimate:
        config, tasks, chars = self.config, len(request.tasks), request.body.size
        by_length = estimate_input_tokens(chars, request.model)
        by_size = estimate_output_tokens(request.size, tasks, config.effort)
        output = history.output_tokens(request.kind.name, request.model, config.effort, by_size)
        return RequestEstimate(
            estimate_request(
                self.prices,
                request.model,
                config.effort,
                chars=chars,
                tasks=tasks,
                at=self.now.date(),
                batch=config.batch_lane == "batch",
                output_limit=request.max_tokens,
                expected_output=by_size if output is None else output,
                expected_input=history.input_tokens(by_length, request.model),
                cached_prefix=request.cached_prefix,
            ),
            "defaults" if output is None else "history",
            history.input_basis(request.model),
            by_length,
            by_size,
        )

    def prepare(
        self, row: PricedRequest, n: int, intent: IntentId, scope: ReviewScope
    ) -> PreparedRequest:
        """The request as number `n` of an intent, with the event that records it."""
        request = row.request
        event = RequestRecorded(
            at=self.now,
            run=scope.run,
            repo=scope.repo,
            intent=intent,
            n=n,
            sha=request.body.sha,
            pr=scope.pr,
            kind=request.kind.name,
            model=request.model,
            effort=self.config.effort,
            purpose=request.purpose,
            tasks=request.tasks,
            estimate=row.expected.recorded,
        )
        return PreparedRequest(request.body, event, row.expected)
