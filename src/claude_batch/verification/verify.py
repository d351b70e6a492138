"""Send second looks at new findings after a collect, in batches of their own."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.batching import PlannedBatch, SentBatch
from claude_batch.batches.collect_result import CollectResult, merge_results
from claude_batch.batches.record_answers import load_findings
from claude_batch.config.model import Config
from claude_batch.costs.prices import Prices, UnknownModel
from claude_batch.costs.receipts import sum_lost_reservations
from claude_batch.errors import CannotCollect, CannotFetch, CannotSubmit, LedgerDamaged
from claude_batch.findings.finding import Finding
from claude_batch.git.repository import Repository
from claude_batch.ledger.events import AnswerRecorded, Plan, RequestRecorded
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import LedgerState
from claude_batch.submission.send import BatchSender
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.verification.evidence import build_excerpt
from claude_batch.verification.immediate import ImmediateSender
from claude_batch.verification.outcomes import due_findings, is_postable
from claude_batch.verification.planner import VerificationPlan, VerificationPlanner
from claude_batch.verification.requests import Claim

TaskLocation = tuple[Plan, PlannedFile, PlannedTask]


class _Round(NamedTuple):
    collection: CollectResult
    is_interrupted: bool = False  # not all that was to be sent in lane now was sent


@dataclass
class Verifier:
    ledger: Ledger
    anthropic: AnthropicClient
    repository: Repository
    config: Config
    prices: Prices
    run: str
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    despite_damage: bool = False

    def send(self) -> CollectResult:
        """Record and send the second looks that are due. A failure is a note of the result."""
        if self.config.verify is None:
            return CollectResult()
        sender = BatchSender(
            self.ledger,
            self.anthropic,
            self.prices,
            self.now,
            despite_damage=self.despite_damage,
        )
        results = [self._send_due(sender, at_once=True)]
        if results[0].is_interrupted:
            results.append(self._send_due(sender, at_once=False))
        return merge_results(result.collection for result in results)

    def _send_due(self, sender: BatchSender, *, at_once: bool) -> "_Round":
        try:
            plan = self._plan(sender, at_once=at_once)
        except (CannotCollect, CannotSubmit, LedgerDamaged, UnknownModel) as error:
            return _Round(CollectResult(notes=(f"no second look: {error.problem}",)))
        notes = [f"no second look: {refusal.problem}" for refusal in plan.refused]
        immediate = [batch for batch in plan.batches if batch.intent.lane == "now"]
        sent: list[SentBatch] = []
        is_interrupted = False
        try:
            for batch in sender.send([item for item in plan.batches if item not in immediate]):
                sent.append(batch)
            if immediate:
                immediate_sender = ImmediateSender(
                    self.ledger, self.anthropic, self.prices, self.now
                )
                is_interrupted = immediate_sender.send(immediate)
        except CannotSubmit as error:
            notes.append(f"a second look could not be sent: {error.problem}")
        pairs = list(self._immediate_pairs(immediate))
        if pairs:
            tasks = sum(len(request.tasks) for request, _ in pairs)
            sent.append(SentBatch(None, len(pairs), tasks, follows="verify"))
        answers = tuple(answer for _, answer in pairs)
        lost_usd = sum_lost_reservations(pairs)
        collection = CollectResult((), answers, tuple(notes), tuple(sent), lost_usd)
        return _Round(collection, is_interrupted)

    def _plan(self, sender: BatchSender, *, at_once: bool) -> VerificationPlan:
        claims = list(self._load_claims(self.ledger.view()))
        if not claims:
            return VerificationPlan()
        planner = VerificationPlanner(
            *(self.config, self.prices, self.run, self.now(), self.new_id),
            key_scope=self.anthropic.key_scope,
        )
        return sender.claim(lambda state: planner.plan(state, claims, at_once=at_once))

    def _immediate_pairs(
        self, batches: Sequence[PlannedBatch]
    ) -> Iterator[tuple[RequestRecorded, AnswerRecorded]]:
        """The answers of lane now, which are recorded while it sends, with their requests."""
        records = self.ledger.view().batch_records if batches else {}
        for batch in batches:
            record = records[batch.intent.id]
            yield from ((record.requests[n], answer) for n, answer in record.answers.items())

    def _load_claims(self, state: LedgerState) -> Iterator[Claim]:
        """The due findings with their evidence. One whose code is missing stays unverified."""
        due = due_findings(state, self.now())
        answers = {(answer.intent, answer.n): answer for _, answer in due.values()}
        findings = load_findings(
            self.ledger, state, list(answers.values()), self.anthropic.stream_results
        )
        locations = _task_locations(state)
        located = [
            (finding, locations[finding.task])
            for finding in findings
            if finding.id in due and is_postable(finding) and finding.task in locations
        ]
        blobs = self._read_blobs([location for _, location in located])
        for finding, location in located:
            yield from _build_claims(state, finding, due[finding.id][0], location, blobs)

    def _read_blobs(self, locations: Sequence[TaskLocation]) -> dict[str, bytes]:
        """Read blobs by id, after fetching the commits of plans whose blobs are missing here."""
        oids = {oid for _, file, _ in locations for oid in (file.old_blob, file.new_blob)}
        wanted = {oid for oid in oids if oid.strip("0")}
        blobs = self.repository.read(wanted)
        plans = [
            plan for plan, file, _ in locations if {file.old_blob, file.new_blob} - blobs.keys()
        ]
        for commits in dict.fromkeys((plan.base, plan.head) for plan in plans):
            try:
                self.repository.fetch_missing([oid for oid in commits if oid])
            except CannotFetch:
                continue  # a force push may have removed the commit, and the code with it
        return blobs | self.repository.read(wanted - blobs.keys())


def _task_locations(state: LedgerState) -> dict[TaskId, TaskLocation]:
    """The place of each task in the latest plan that has it."""
    return {
        task.id: (plan, file, task)
        for plan in state.plans
        for file in plan.files
        for task in file.tasks
    }


def _build_claims(
    state: LedgerState,
    finding: Finding,
    request: RequestRecorded,
    location: TaskLocation,
    blobs: dict[str, bytes],
) -> Iterator[Claim]:
    _, file, planned = location
    old, new = (blobs.get(oid) if oid.strip("0") else b"" for oid in (file.old_blob, file.new_blob))
    if old is None or new is None or not (file.old_blob or file.new_blob):
        return
    for task in request.tasks:
        if task.id == finding.task:
            code = build_excerpt(task, planned, old, new)
            lane = state.batch_records[request.intent].intent.lane
            if code and finding.last < len(code.hunk.lines):
                yield Claim(finding, request, lane, task, code)
