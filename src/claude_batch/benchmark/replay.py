"""`bench`: replays pull requests with known findings against recorded or new answers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.results import BatchResult, Outcome, Usage
from claude_batch.batches.batching import PreparedRequest
from claude_batch.benchmark.cases import BenchmarkCase, ReplayedCase
from claude_batch.benchmark.recorded_answers import AnswerFile
from claude_batch.errors import ClaudeBatchError
from claude_batch.findings.parsing import read_findings
from claude_batch.findings.placement import place
from claude_batch.ledger.view import LedgerState
from claude_batch.pull_requests.selection import select_findings
from claude_batch.submission.planner import SubmissionPlanner
from claude_batch.submission.scope import ReviewScope

POLL = 20.0  # seconds


@dataclass(frozen=True)
class Opened:
    """A case's pull request, read from its repository."""

    case: BenchmarkCase
    subject: ReviewScope
    read_head: Callable[[str], bytes | None]


@dataclass
class Bench:
    """`open_case` raises ClaudeBatchError where a repository or a commit is missing."""

    open_case: Callable[[BenchmarkCase], Opened]
    claimant: SubmissionPlanner
    answers: AnswerFile
    skipped: dict[str, str] = field(default_factory=dict)  # url -> why

    def replay(self, cases: Iterable[BenchmarkCase]) -> list[ReplayedCase]:
        return [self._replay(opened) for opened in self._opened(cases)]

    def produce(
        self, cases: Iterable[BenchmarkCase], claude: AnthropicClient, sleep: Callable[[float], None]
    ) -> int:
        """Asks for every answer that is not in the file, as one batch; how many were asked."""
        wanted = {
            name(draft): draft.body
            for opened in self._opened(cases)
            for draft in self._drafts(opened)
            if name(draft) not in self.answers.known()
        }
        if not wanted:
            return 0
        batch = claude.create_batch(wanted.items())
        while claude.retrieve_batch(batch.id).status != "ended":
            sleep(POLL)
        self.answers.add(claude.stream_results(batch.id))
        return len(wanted)

    def _opened(self, cases: Iterable[BenchmarkCase]) -> Iterator[Opened]:
        """One case that cannot be read does not keep the others from being replayed."""
        for case in cases:
            try:
                yield self.open_case(case)
            except ClaudeBatchError as error:
                self.skipped[case.url] = error.problem

    def _drafts(self, opened: Opened) -> Sequence[PreparedRequest]:
        """With nothing known: what a first push would send."""
        claim = self.claimant.plan(LedgerState(), opened.subject)
        return [draft for parcel in claim.batches for draft in parcel.requests]

    def _replay(self, opened: Opened) -> ReplayedCase:
        known, drafts = self.answers.known(), self._drafts(opened)
        pairs = [(draft, known[name(draft)]) for draft in drafts if name(draft) in known]
        findings = [
            finding
            for draft, raw in pairs
            if raw.outcome is Outcome.SUCCEEDED
            for finding in read_findings(
                raw.text or "", draft.custom_id, draft.event.tasks, draft.event.kind
            )
        ]
        placed, _ = place(findings, opened.subject.tasks, opened.read_head)
        chosen = select_findings(
            placed, max_comments=self.claimant.config.max_comments, silenced=()
        )
        return ReplayedCase(
            opened.case,
            len(findings),
            tuple(placed),
            tuple(chosen.inline),
            _sum(raw.usage for _, raw in pairs),
            self._usd(raw for _, raw in pairs),
            len(drafts) - len(pairs),
        )

    def _usd(self, raws: Iterable[BatchResult]) -> Decimal:
        prices, at = self.claimant.prices, self.claimant.now.date()
        model = self.claimant.config.model
        return sum(
            (
                prices.cost(raw.model or model, raw.usage, at=at, batch=True).usd
                for raw in raws
                if raw.usage
            ),
            Decimal(0),
        )


def name(draft: PreparedRequest) -> str:
    """The same for the same request, whenever it is made."""
    return f"bench-{draft.event.sha[:32]}"


def _sum(usages: Iterable[Usage | None]) -> Usage:
    rows = [usage for usage in usages if usage]
    return Usage(**{key: sum(getattr(row, key) for row in rows) for key in Usage.model_fields})
