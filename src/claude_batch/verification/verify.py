"""What follows a collect: second looks at fresh findings, in a batch of their own."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.batches.batching import PlannedBatch, SentBatch
from claude_batch.batches.collect_result import Followed
from claude_batch.batches.record_answers import load_findings
from claude_batch.config.model import Config
from claude_batch.costs.prices import Prices, UnknownModel
from claude_batch.errors import CannotCollect, CannotFetch, CannotSubmit
from claude_batch.findings.finding import Finding
from claude_batch.git.repository import Repository
from claude_batch.ledger.events import AnswerRecorded, Plan, RequestRecorded
from claude_batch.ledger.store import Ledger
from claude_batch.ledger.view import LedgerState
from claude_batch.submission.send import BatchSender
from claude_batch.tasks.plan import PlannedFile, PlannedTask
from claude_batch.tasks.task import TaskId
from claude_batch.verification.evidence import build_excerpt
from claude_batch.verification.outcomes import due_findings, is_postable
from claude_batch.verification.planner import VerificationPlan, VerificationPlanner
from claude_batch.verification.requests import Claim

TaskLocation = tuple[Plan, PlannedFile, PlannedTask]


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

    def send(self) -> Followed:
        """Claim, send, record, as `submit` does. What cannot be sent is a note: the answers that
        it is about have been collected all the same."""
        if self.config.verify is None:
            return Followed()
        view = self.ledger.view()
        sender = BatchSender(self.ledger, self.anthropic, self.prices, self.now)
        planner = VerificationPlanner(self.config, self.prices, self.run, self.now(), self.new_id)
        try:
            cases = list(self._load_claims(view))
            steps = (
                sender.claim(lambda view: planner.plan(view, cases))
                if cases
                else VerificationPlan()
            )
        except (CannotCollect, CannotSubmit, UnknownModel) as refusal:
            return Followed(notes=(f"no second look: {refusal.problem}",))
        notes = [f"no second look: {refusal.problem}" for refusal in steps.refused]
        sent: list[SentBatch] = []
        try:
            for one in sender.send(steps.batches):
                sent.append(one)
        except CannotSubmit as refusal:
            notes.append(f"a second look could not be sent: {refusal.problem}")
        return Followed(tuple(sent), tuple(self._immediate_answers(steps.batches)), tuple(notes))

    def _immediate_answers(self, parcels: Iterable[PlannedBatch]) -> Iterator[AnswerRecorded]:
        now = [parcel.intent.id for parcel in parcels if parcel.intent.lane == "now"]
        view = self.ledger.view() if now else None
        for intent in now:
            yield from view.batch_records[intent].answers.values() if view else ()

    def _load_claims(self, view: LedgerState) -> Iterator[Claim]:
        """Findings with their evidence; one whose code cannot be had stays unverified."""
        wanted = due_findings(view, self.now())
        answers = {(one.intent, one.n): one for _, one in wanted.values()}
        findings = load_findings(
            self.ledger, view, list(answers.values()), self.anthropic.stream_results
        )
        fresh = [one for one in findings if one.id in wanted and is_postable(one)]
        places = _task_locations(view)
        stands = [places[one.task] for one in fresh if one.task in places]
        content = self._read_blobs(stands)
        for finding in fresh:
            found = places.get(finding.task) if finding.task else None
            if found:
                yield from _build_claims(view, finding, wanted[finding.id][0], found, content)

    def _read_blobs(self, stands: list[TaskLocation]) -> dict[str, bytes]:
        """Blobs by id. A pull request's commits are fetched where they are not here yet."""
        blobs = {oid for _, file, _ in stands for oid in (file.old_blob, file.new_blob)}
        wanted = {oid for oid in blobs if oid.strip("0")}
        found = self.repository.read(wanted)
        plans = [plan for plan, file, _ in stands if {file.old_blob, file.new_blob} - found.keys()]
        for head in dict.fromkeys((plan.base, plan.head) for plan in plans):
            try:
                self.repository.bring([oid for oid in head if oid])
            except CannotFetch:
                continue  # a force push may have taken the commit away, and the code with it
        return found | self.repository.read(wanted - found.keys())


def _task_locations(view: LedgerState) -> dict[TaskId, TaskLocation]:
    """Where each task stood in the latest plan that has it."""
    return {
        task.id: (plan, file, task)
        for plan in view.plans
        for file in plan.files
        for task in file.tasks
    }


def _build_claims(
    view: LedgerState,
    finding: Finding,
    origin: RequestRecorded,
    stands: TaskLocation,
    content: dict[str, bytes],
) -> Iterator[Claim]:
    _, file, planned = stands
    sides = [content.get(oid) if oid.strip("0") else b"" for oid in (file.old_blob, file.new_blob)]
    old, new = sides
    if old is None or new is None or not (file.old_blob or file.new_blob):
        return
    for task in origin.tasks:
        if task.id == finding.task:
            code = build_excerpt(task, planned, old, new)
            lane = view.batch_records[origin.intent].intent.lane
            if code and finding.last < len(code.hunk.lines):
                yield Claim(finding, origin, lane, task, code)
