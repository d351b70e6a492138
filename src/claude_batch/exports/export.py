"""`export`: the recorded findings whose code stands in the work tree, for other tools."""

from collections.abc import Iterator, Sequence
from functools import cache

from claude_batch.exports.formats import DocumentFormat
from claude_batch.exports.formats import render_findings as render
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import Finding
from claude_batch.findings.placement import Dropped, Placed
from claude_batch.findings.relocation import relocate
from claude_batch.findings.suggestions import Suggestion
from claude_batch.git.work_tree import WorkTree
from claude_batch.ledger.store import Ledger
from claude_batch.verification.outcomes import VerificationStatus, status_by_finding


def export_findings(ledgers: Sequence[Ledger], work_tree: WorkTree, document_format: DocumentFormat) -> str:
    placed: list[Placed] = []
    unplaced: list[Dropped] = []
    read = cache(work_tree.read_bytes)
    for finding, task in (pair for ledger in ledgers for pair in _findings(ledger)):
        content = read(finding.path)
        found = _place(finding, task, content) if task and content is not None else None
        if found:
            placed.append(found)
        else:
            unplaced.append(Dropped(finding, "changed_meanwhile" if task else "unplaced"))
    return render(document_format, placed, unplaced)


def _findings(ledger: Ledger) -> Iterator[tuple[Finding, AnchoredTask | None]]:
    view = ledger.view()
    judged, tasks = status_by_finding(view), view.anchored_tasks()
    for finding in ledger.findings(answered for _, answered in view.answers()):
        if not finding.is_malformed and judged.get(finding.id) is not VerificationStatus.REFUTED:
            yield finding, tasks.get(finding.task) if finding.task else None


def _place(finding: Finding, task: AnchoredTask, content: bytes) -> Placed | None:
    here = relocate(finding, task, content)
    if here is None:
        return None
    suggestion = here.proof.text if isinstance(here.proof, Suggestion) else None
    return Placed(finding, finding.path, finding.side, here.first, here.last, suggestion)
