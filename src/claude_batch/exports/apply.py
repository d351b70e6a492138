"""`apply`: write suggestions into the work tree, each validated against the current file."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from claude_batch.diff.model import Side
from claude_batch.errors import BadUsage
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import Finding
from claude_batch.findings.relocation import relocate
from claude_batch.findings.suggestions import RejectedSuggestion, Suggestion, combine_suggestions
from claude_batch.git.patch import make_patch
from claude_batch.git.work_tree import WorkTree
from claude_batch.ledger.store import Ledger
from claude_batch.verification.outcomes import VerificationStatus, status_by_finding


@dataclass(frozen=True)
class ApplyResult:
    findings: tuple[Finding, ...]
    rejected: tuple[tuple[Finding, str], ...]  # with the reason
    patch: bytes


def apply_suggestions(
    ledgers: Sequence[Ledger], work_tree: WorkTree, id_prefix: str | None, *, write: bool
) -> ApplyResult:
    """Apply all suggestions that fit and were not refuted, or those of the ids with `id_prefix`.

    Raises BadUsage if no finding with a suggestion has the prefix.
    """
    pairs = {
        finding.id: (finding, task)
        for ledger in ledgers
        for finding, task in _suggestions(ledger, include_refuted=id_prefix is not None)
    }
    suggestions = list(pairs.values())
    if id_prefix is not None:
        suggestions = [pair for pair in suggestions if pair[0].id.startswith(id_prefix)]
        if not suggestions:
            raise BadUsage(
                f"no suggestion is called {id_prefix!r}", "see `claude-batch findings` for the ids"
            )
    by_path: dict[str, list[tuple[Finding, AnchoredTask]]] = {}
    for finding, task in suggestions:
        by_path.setdefault(finding.path, []).append((finding, task))
    results = [
        _apply_to_file(work_tree, path, group, write=write) for path, group in by_path.items()
    ]
    return ApplyResult(
        tuple(finding for result in results for finding in result.findings),
        tuple(pair for result in results for pair in result.rejected),
        b"".join(result.patch for result in results),
    )


def _suggestions(
    ledger: Ledger, *, include_refuted: bool
) -> Iterator[tuple[Finding, AnchoredTask]]:
    state = ledger.view()
    statuses, tasks = status_by_finding(state), state.anchored_tasks()
    for finding in ledger.findings(answer for _, answer in state.answers()):
        is_refuted = statuses.get(finding.id) is VerificationStatus.REFUTED
        is_applicable = finding.replacement is not None and finding.side is Side.RIGHT
        if finding.task in tasks and is_applicable and (include_refuted or not is_refuted):
            yield finding, tasks[finding.task]


def _apply_to_file(
    work_tree: WorkTree, path: str, group: Sequence[tuple[Finding, AnchoredTask]], *, write: bool
) -> ApplyResult:
    before = work_tree.read_bytes(path)
    if before is None:
        return ApplyResult((), tuple((finding, "the file is gone") for finding, _ in group), b"")
    pairs = [(finding, _validate(before, finding, task)) for finding, task in group]
    valid = dict.fromkeys(result for _, result in pairs if isinstance(result, Suggestion))
    combined = combine_suggestions(before, valid)
    if write and combined.after != before:
        work_tree.write_bytes(path, combined.after)
    rejected = [
        (finding, result.reason)
        for finding, result in pairs
        if isinstance(result, RejectedSuggestion)
    ]
    reasons = dict(combined.rejected)
    rejected += [(finding, reasons[result]) for finding, result in pairs if result in reasons]
    return ApplyResult(
        tuple(finding for finding, result in pairs if result in combined.accepted),
        tuple(rejected),
        make_patch(path, before, combined.after),
    )


def _validate(
    content: bytes, finding: Finding, task: AnchoredTask
) -> Suggestion | RejectedSuggestion:
    relocated = relocate(finding, task, content)
    if relocated is None:
        return RejectedSuggestion("the code is no longer in the file, or is there more than once")
    return relocated.suggestion
