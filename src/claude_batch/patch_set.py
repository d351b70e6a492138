"""Edits of the refactor kind that belong to no pull request, as one set of changed files.

Each edit is carried from the file that the model saw to the file as it is today and proved there;
what cannot be carried or proved is reported and never forced.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from claude_batch.event import Plan
from claude_batch.finding import Finding
from claude_batch.ledger import View
from claude_batch.origin import Past, stands
from claude_batch.patch import combine, make_patches
from claude_batch.quoting import quote_line
from claude_batch.suggestion import Rejected, Suggestion, prove

KIND = "refactor"
GONE = "the code has changed since, or is gone"


@dataclass(frozen=True)
class PatchSet:
    """`files`: path → (today, changed). Today is the head that the set was made against."""

    plan: Plan
    files: Mapping[str, tuple[bytes, bytes]]
    accepted: tuple[Finding, ...]
    refused: tuple[tuple[Finding, str], ...]

    @property
    def branch(self) -> str:
        """Named for its edits, those that were refused included: whoever comes back after a crash,
        or with a newer plan, finds what stands already."""
        found = [*self.accepted, *(finding for finding, _ in self.refused)]
        names = "\0".join(sorted(finding.fingerprint for finding in found))
        return f"claude-batch/refactor-{hashlib.sha256(names.encode()).hexdigest()[:12]}"

    @property
    def patch(self) -> bytes:
        return make_patches(self.files)

    @property
    def title(self) -> str:
        return f"Refactor {self.plan.label.removeprefix('files ')}"[:200]

    @property
    def body(self) -> str:
        """Markdown of the draft pull request."""
        edits = [f"* `{one.path}`: {quote_line(one.title)}" for one in self.accepted]
        refused = [f"* `{one.path}`: {quote_line(one.title)}: {why}" for one, why in self.refused]
        parts = [
            "Each edit below keeps behaviour by the word of the model and was proved to apply and "
            "to parse. Nothing was run: let your tests judge.",
            "\n".join(edits),
        ]
        if refused:
            parts.append("Left out:\n\n" + "\n".join(refused))
        return "\n\n".join(parts)[:60_000]


def due(view: View) -> list[tuple[Plan, frozenset[str]]]:
    """Plans of refactorings outside of pull requests, with the tasks that each of them asked.

    The latest plan that asked a task speaks for it.
    """
    speaker: dict[str, Plan] = {}
    for plan in view.plans:
        if plan.pr is None and plan.head:
            speaker |= {
                task.id: plan for file in plan.files for task in file.tasks if task.kind == KIND
            }
    grouped: dict[str, set[str]] = {}
    for task, plan in speaker.items():
        grouped.setdefault(plan.id, set()).add(task)
    return [(plan, frozenset(grouped[plan.id])) for plan in view.plans if plan.id in grouped]


def patch_set(
    plan: Plan,
    findings: Iterable[Finding],
    past: Past,
    read_head: Callable[[str], bytes | None],
) -> PatchSet:
    """`findings` with a replacement, of the plan's tasks."""
    proved: dict[str, dict[Suggestion, Finding]] = {}
    refused: list[tuple[Finding, str]] = []
    for finding in findings:
        found = _proved(finding, past, read_head)
        if isinstance(found, Rejected):
            refused.append((finding, found.reason))
        else:
            proved.setdefault(found.path, {})[found] = finding
    files: dict[str, tuple[bytes, bytes]] = {}
    accepted: list[Finding] = []
    for path, good in sorted(proved.items()):
        today = read_head(path) or b""
        combined = combine(today, good)
        accepted += [good[one] for one in combined.accepted]
        refused += [(good[one], why) for one, why in combined.rejected]
        files[path] = (today, combined.after)
    return PatchSet(plan, files, tuple(accepted), tuple(refused))


def _proved(
    finding: Finding, past: Past, read_head: Callable[[str], bytes | None]
) -> Suggestion | Rejected:
    now = stands(finding, past, read_head)
    today = read_head(now.path) if now else None
    if now is None or now.seen is None or today is None:
        return Rejected(GONE)
    return prove(today, now.first, now.last, now.seen, finding.replacement or "", now.path)
