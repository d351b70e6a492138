"""`apply`: puts suggestions into the work tree, each proved against the file as it is now."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from claude_batch.diff.model import Side
from claude_batch.errors import BadUsage
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import Finding
from claude_batch.findings.relocation import relocate
from claude_batch.findings.suggestions import Rejected, Suggestion, combine
from claude_batch.git.patch import make_patch
from claude_batch.git.work_tree import WorkTree
from claude_batch.ledger.store import Ledger
from claude_batch.verification.outcomes import VerificationStatus, status_by_finding


@dataclass(frozen=True)
class ApplyResult:
    findings: tuple[Finding, ...]
    rejected: tuple[tuple[Finding, str], ...]  # and why
    patch: bytes


def apply_suggestions(
    ledgers: Sequence[Ledger], work_tree: WorkTree, id_prefix: str | None, *, write: bool
) -> ApplyResult:
    """All suggestions that fit and were not refuted, or the one whose finding's id starts with
    `prefix`."""
    wanted = [
        (finding, task)
        for ledger in ledgers
        for finding, task in _suggestions(ledger, named=id_prefix is not None)
    ]
    if id_prefix is not None:
        wanted = [(finding, task) for finding, task in wanted if finding.id.startswith(id_prefix)]
        if not wanted:
            raise BadUsage(
                f"no suggestion is called {id_prefix!r}", "see `claude-batch findings` for the ids"
            )
    by_path: dict[str, list[tuple[Finding, AnchoredTask]]] = {}
    for finding, task in wanted:
        by_path.setdefault(finding.path, []).append((finding, task))
    parts = [_file(work_tree, path, group, write=write) for path, group in by_path.items()]
    return ApplyResult(
        tuple(finding for part in parts for finding in part.findings),
        tuple(pair for part in parts for pair in part.rejected),
        b"".join(part.patch for part in parts),
    )


def _suggestions(ledger: Ledger, *, named: bool) -> Iterator[tuple[Finding, AnchoredTask]]:
    view = ledger.view()
    judged, tasks = status_by_finding(view), view.anchored_tasks()
    for finding in ledger.findings(answered for _, answered in view.answers()):
        wanted = named or judged.get(finding.id) is not VerificationStatus.REFUTED
        applies = finding.replacement is not None and finding.side is Side.RIGHT
        if finding.task in tasks and wanted and applies:
            yield finding, tasks[finding.task]


def _file(
    work_tree: WorkTree, path: str, group: Sequence[tuple[Finding, AnchoredTask]], *, write: bool
) -> ApplyResult:
    before = work_tree.read_bytes(path)
    if before is None:
        return ApplyResult((), tuple((finding, "the file is gone") for finding, _ in group), b"")
    proofs = [(finding, _proved(before, finding, task)) for finding, task in group]
    good = dict.fromkeys(proof for _, proof in proofs if isinstance(proof, Suggestion))
    combined = combine(before, good)
    if write and combined.after != before:
        work_tree.write_bytes(path, combined.after)
    refused = [(finding, proof.reason) for finding, proof in proofs if isinstance(proof, Rejected)]
    reasons = dict(combined.rejected)
    refused += [(finding, reasons[proof]) for finding, proof in proofs if proof in reasons]
    return ApplyResult(
        tuple(finding for finding, proof in proofs if proof in combined.accepted),
        tuple(refused),
        make_patch(path, before, combined.after),
    )


def _proved(before: bytes, finding: Finding, task: AnchoredTask) -> Suggestion | Rejected:
    here = relocate(finding, task, before)
    gone = Rejected("the code is no longer there, or stands there more than once")
    return here.proof if here else gone
