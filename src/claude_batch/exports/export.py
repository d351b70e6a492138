"""`export`: write the recorded findings for other tools, placed in the work tree."""

from collections.abc import Iterator, Sequence
from functools import cache

from claude_batch.exports.formats import DocumentFormat, render_findings
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import Finding
from claude_batch.findings.placement import DroppedFinding, PlacedFinding
from claude_batch.findings.relocation import relocate
from claude_batch.findings.suggestions import Suggestion
from claude_batch.git.work_tree import WorkTree
from claude_batch.ledger.store import Ledger
from claude_batch.verification.outcomes import VerificationStatus, status_by_finding


def export_findings(
    ledgers: Sequence[Ledger], work_tree: WorkTree, document_format: DocumentFormat
) -> str:
    placed: list[PlacedFinding] = []
    unplaced: list[DroppedFinding] = []
    read = cache(work_tree.read_bytes)
    pairs = {pair[0].id: pair for ledger in ledgers for pair in _findings(ledger)}
    for finding, task in pairs.values():
        content = read(finding.path)
        location = _place(finding, task, content) if task and content is not None else None
        if location:
            placed.append(location)
        else:
            unplaced.append(DroppedFinding(finding, "changed_meanwhile" if task else "unplaced"))
    return render_findings(document_format, placed, unplaced)


def _findings(ledger: Ledger) -> Iterator[tuple[Finding, AnchoredTask | None]]:
    state = ledger.view()
    statuses, tasks = status_by_finding(state), state.anchored_tasks()
    for finding in ledger.findings(answer for _, answer in state.answers()):
        is_refuted = statuses.get(finding.id) is VerificationStatus.REFUTED
        if not finding.is_malformed and not is_refuted:
            yield finding, tasks.get(finding.task) if finding.task else None


def _place(finding: Finding, task: AnchoredTask, content: bytes) -> PlacedFinding | None:
    relocated = relocate(finding, task, content)
    if relocated is None:
        return None
    proposal = relocated.suggestion
    suggestion = proposal.text if isinstance(proposal, Suggestion) else None
    return PlacedFinding(
        finding, finding.path, finding.side, relocated.first, relocated.last, suggestion
    )
