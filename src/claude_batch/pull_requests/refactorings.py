"""Refactorings that were requested by path: propose the edits as draft pull requests.

Each edit is located in the file as it is now and validated there. Edits that cannot be located or
validated are reported and left out.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from claude_batch.diff.model import Comparison, Diff
from claude_batch.errors import CannotPublish
from claude_batch.findings.finding import Finding
from claude_batch.findings.placement import DroppedFinding
from claude_batch.findings.relocation import PreviousPlans, locate
from claude_batch.findings.suggestions import (
    RejectedSuggestion,
    Suggestion,
    combine_suggestions,
    validate_suggestion,
)
from claude_batch.git.branches import Branches
from claude_batch.git.earlier_commits import HistoryReaders
from claude_batch.git.patch import PatchFolder, make_patches
from claude_batch.git.repository import Repository
from claude_batch.github_api.client import GitHubClient
from claude_batch.ledger.events import Plan, Post, Stamp
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState, refactoring_plans
from claude_batch.markdown import escape_line
from claude_batch.pull_requests.publish import PublishResult
from claude_batch.tasks.discovery import ChangeFinder


@dataclass(frozen=True)
class PatchSet:
    """The edits of one plan. `files`: path → (text at the branch's head, changed text)."""

    plan: Plan
    files: Mapping[str, tuple[bytes, bytes]]
    accepted: tuple[Finding, ...]
    rejected: tuple[tuple[Finding, str], ...]

    @property
    def branch(self) -> str:
        # Named for its edits, rejected ones too: a run after a crash, or with a newer plan, finds
        # the branch that exists.
        findings = [*self.accepted, *(finding for finding, _ in self.rejected)]
        names = "\0".join(sorted(finding.fingerprint for finding in findings))
        return f"claude-batch/refactor-{hashlib.sha256(names.encode()).hexdigest()[:12]}"

    @property
    def title(self) -> str:
        return f"Refactor {self.plan.label.removeprefix('files ')}"[:200]

    @property
    def body(self) -> str:
        """Markdown of the draft pull request."""
        edits = [f"* `{edit.path}`: {escape_line(edit.title)}" for edit in self.accepted]
        rejected = [
            f"* `{edit.path}`: {escape_line(edit.title)}: {why}" for edit, why in self.rejected
        ]
        parts = [
            "According to the model, each edit below keeps the behaviour. It was checked that each "
            "one applies and parses. Nothing was run: run your tests.",
            "\n".join(edits),
        ]
        if rejected:
            parts.append("Left out:\n\n" + "\n".join(rejected))
        return "\n\n".join(parts)[:60_000]


def build_patch_set(
    plan: Plan,
    findings: Iterable[Finding],
    previous: PreviousPlans,
    read_head: Callable[[str], bytes | None],
) -> PatchSet:
    """`findings` have a replacement and belong to the plan's tasks."""
    valid: dict[str, dict[Suggestion, Finding]] = {}
    rejected: list[tuple[Finding, str]] = []
    for finding in findings:
        suggestion = _validate(finding, previous, read_head)
        if isinstance(suggestion, RejectedSuggestion):
            rejected.append((finding, suggestion.reason))
        else:
            valid.setdefault(suggestion.path, {})[suggestion] = finding
    files: dict[str, tuple[bytes, bytes]] = {}
    accepted: list[Finding] = []
    for path, by_suggestion in sorted(valid.items()):
        before = read_head(path) or b""
        combined = combine_suggestions(before, by_suggestion)
        accepted += [by_suggestion[suggestion] for suggestion in combined.accepted]
        rejected += [(by_suggestion[suggestion], why) for suggestion, why in combined.rejected]
        files[path] = (before, combined.after)
    return PatchSet(plan, files, tuple(accepted), tuple(rejected))


def _validate(
    finding: Finding, previous: PreviousPlans, read_head: Callable[[str], bytes | None]
) -> Suggestion | RejectedSuggestion:
    location = locate(finding, previous, read_head)
    text = read_head(location.path) if location else None
    if location is None or location.replaceable is None or text is None:
        return RejectedSuggestion("the code has changed since, or is gone")
    return validate_suggestion(
        text,
        location.first,
        location.last,
        location.replaceable,
        finding.replacement or "",
        location.path,
    )


@dataclass(frozen=True)
class PatchTarget:
    """The branch that patch sets are proposed for, at its current head."""

    branch: str
    head: str
    read_head: Callable[[str], bytes | None]
    readers: HistoryReaders


def load_patch_target(repository: Repository, remote: str) -> PatchTarget:
    """The default branch of a remote, else the current branch."""
    finder = ChangeFinder(repository, remote)
    default = repository.default_branch(remote)
    head = repository.resolve(default or "HEAD")
    branch = (default or repository.current_branch() or "main").removeprefix(f"{remote}/")
    return PatchTarget(branch, head, finder.file_reader(head), finder.earlier_readers(head))


@dataclass
class RefactoringPublisher:
    ledger: Ledger
    github: GitHubClient
    branches: Branches
    folder: PatchFolder
    run: str
    repo: str
    now: Callable[[], datetime]

    def publish(self, target: PatchTarget, *, dry_run: bool = False) -> list[PublishResult]:
        """One result for each plan with edits that were not proposed yet."""
        state = self.ledger.view()
        no_changes = Diff(Comparison(target.head, target.head, "", "", ""), ())
        results = []
        for plan, tasks in refactoring_plans(state):
            if findings := self._unposted(state, tasks):
                previous = PreviousPlans([plan], state.anchored_tasks(), no_changes, target.readers)
                patch_set = build_patch_set(plan, findings, previous, target.read_head)
                results.append(self._publish(patch_set, target, dry_run=dry_run))
        return results

    def _unposted(self, state: LedgerState, tasks: frozenset[str]) -> list[Finding]:
        answers = [
            answer
            for request, answer in state.answers()
            if answer.findings and any(task.id in tasks for task in request.tasks)
        ]
        refuted = {finding for _, answer in state.answers() for finding in answer.refuted}
        posted = {key for (_, key), post in state.posts.items() if post.what == "pull_request"}
        findings = [
            finding
            for finding in self.ledger.findings(answers)
            if finding.task in tasks
            and finding.replacement is not None
            and finding.id not in refuted
            and finding.fingerprint not in posted
        ]
        return list({finding.fingerprint: finding for finding in findings}.values())

    def _publish(self, patch_set: PatchSet, target: PatchTarget, *, dry_run: bool) -> PublishResult:
        number = 0
        edits = f"{len(patch_set.accepted)} edits in {len(patch_set.files)} files"
        if not patch_set.accepted:
            outcome = "no edit applies any more"
        elif dry_run:
            outcome = f"would propose {edits}"
        else:
            try:
                number = self._propose(patch_set, target)
            except CannotPublish as refusal:
                path = self.folder.write(
                    patch_set.branch.replace("/", "-"), make_patches(patch_set.files)
                )
                outcome = f"{edits} kept as {path}, because {refusal.problem}"
            else:
                posts = self._post_events(patch_set, target, number)
                self.ledger.transact(lambda state: Write(posts))
                outcome = f"draft pull request {number} with {edits}"
        return PublishResult(
            number,
            posted=int(number > 0),
            dropped=tuple(
                DroppedFinding(finding, "changed_meanwhile") for finding, _ in patch_set.rejected
            ),
            note=f"{patch_set.title}: {outcome}",
        )

    def _propose(self, patch_set: PatchSet, target: PatchTarget) -> int:
        """Open a draft pull request unless there is one. Return its number."""
        # After a crash the branch or the pull request may exist.
        if existing := self._existing_pull(patch_set):
            return existing
        if not self.branches.has(patch_set.branch):
            files = {
                path: after for path, (before, after) in patch_set.files.items() if after != before
            }
            self.branches.push(patch_set.branch, target.head, files, f"{patch_set.title}\n")
        try:
            opened = self.github.create_pull_request(
                patch_set.title, patch_set.branch, target.branch, patch_set.body, draft=True
            )
        except CannotPublish:  # another run may have opened it in the meantime
            if existing := self._existing_pull(patch_set):
                return existing
            raise
        return opened.number

    def _existing_pull(self, patch_set: PatchSet) -> int | None:
        """The number of its pull request, open or closed."""
        pulls = self.github.list_pull_requests_of_branch(patch_set.branch, state="all")
        return pulls[0].number if pulls else None

    def _post_events(
        self, patch_set: PatchSet, target: PatchTarget, number: int
    ) -> tuple[Post, ...]:
        stamp = Stamp(self.run, self.repo, self.now)
        return tuple(
            stamp.event(
                Post,
                pr=number,
                what="pull_request",
                key=finding.fingerprint,
                remote_id=number,
                sha="",
                head=target.head,
            )
            for finding in patch_set.accepted
        )
