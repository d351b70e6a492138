"""`bench`: replay pull requests with known findings against recorded or new answers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.results import BatchResult, Outcome, Usage
from claude_batch.batches.batching import PreparedRequest
from claude_batch.benchmark.cases import BenchmarkCase, ReplayedCase
from claude_batch.benchmark.recorded_answers import AnswerFile
from claude_batch.errors import ClaudeBatchError
from claude_batch.findings.parsing import parse_review
from claude_batch.findings.placement import place_findings
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.selection import select_findings
from claude_batch.submission.flush import Submission, plan_flush
from claude_batch.submission.planner import SubmissionPlanner
from claude_batch.submission.scope import ReviewScope

POLL_SECONDS = 20.0


@dataclass(frozen=True)
class OpenedCase:
    """A case's pull request, read from its repository."""

    case: BenchmarkCase
    scope: ReviewScope
    read_head: Callable[[str], bytes | None]


@dataclass
class BenchmarkRunner:
    # Raises ClaudeBatchError if a repository or a commit is missing.
    open_case: Callable[[BenchmarkCase], OpenedCase]
    planner: SubmissionPlanner
    answers: AnswerFile
    skipped: dict[str, str] = field(default_factory=dict)  # reason by URL

    def replay(self, cases: Iterable[BenchmarkCase]) -> list[ReplayedCase]:
        return [self._replay(opened) for opened in self._opened(cases)]

    def request_answers(
        self,
        cases: Iterable[BenchmarkCase],
        client: AnthropicClient,
        sleep: Callable[[float], None],
    ) -> int:
        """Request all missing answers as one batch. Returns the number of requests."""
        recorded = self.answers.load()
        missing = {
            answer_id(request): request.body
            for opened in self._opened(cases)
            for request in self._requests(opened)
            if answer_id(request) not in recorded
        }
        if not missing:
            return 0
        batch = client.create_batch(missing.items())
        while client.retrieve_batch(batch.id).status != "ended":
            sleep(POLL_SECONDS)
        self.answers.append(client.stream_results(batch.id))
        return len(missing)

    def _opened(self, cases: Iterable[BenchmarkCase]) -> Iterator[OpenedCase]:
        for case in cases:
            try:
                yield self.open_case(case)
            except ClaudeBatchError as error:  # the other cases are still replayed
                self.skipped[case.url] = error.problem

    def _requests(self, opened: OpenedCase) -> Sequence[PreparedRequest]:
        """Return the requests that the first push of the pull request would send."""
        plan = plan_flush(LedgerState(), [Submission(self.planner, opened.scope)])
        return [request for batch in plan.batches for request in batch.requests]

    def _replay(self, opened: OpenedCase) -> ReplayedCase:
        recorded, requests = self.answers.load(), self._requests(opened)
        pairs = [
            (request, recorded[answer_id(request)])
            for request in requests
            if answer_id(request) in recorded
        ]
        findings = [
            finding
            for request, result in pairs
            if result.outcome is Outcome.SUCCEEDED
            for finding in parse_review(
                result.text or "", request.custom_id, request.event.tasks, request.event.kind
            )
        ]
        placed, _ = place_findings(findings, opened.scope.tasks, opened.read_head)
        selection = select_findings(
            placed, max_comments=self.planner.config.comment_limits.open, silenced=()
        )
        return ReplayedCase(
            opened.case,
            len(findings),
            tuple(placed),
            tuple(selection.inline),
            _sum_usage(result.usage for _, result in pairs),
            self._price(result for _, result in pairs),
            len(requests) - len(pairs),
        )

    def _price(self, results: Iterable[BatchResult]) -> Decimal:
        prices, day = self.planner.prices, self.planner.now.date()
        model = self.planner.config.model
        return sum(
            (
                prices.cost(result.model or model, result.usage, at=day, batch=True).usd
                for result in results
                if result.usage
            ),
            Decimal(0),
        )


def answer_id(request: PreparedRequest) -> str:
    """Return an id that equal requests of all runs have in common."""
    return f"bench-{request.event.sha[:32]}"


def _sum_usage(usages: Iterable[Usage | None]) -> Usage:
    known = [usage for usage in usages if usage]
    counts = [name for name, field in Usage.model_fields.items() if field.default == 0]
    return Usage(**{name: sum(getattr(usage, name) for usage in known) for name in counts})
