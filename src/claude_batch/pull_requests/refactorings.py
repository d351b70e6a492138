"""Edits of the refactor kind that belong to no pull request, as one set of changed files.

Each edit is carried from the file that the model saw to the file as it is today and proved there;
what cannot be carried or proved is reported and never forced.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from claude_batch.diff.model import Comparison, Diff
from claude_batch.errors import CannotPublish
from claude_batch.findings.finding import Finding
from claude_batch.findings.placement import Dropped
from claude_batch.findings.relocation import PreviousPlans, locate
from claude_batch.findings.suggestions import Rejected, Suggestion, combine, validate_suggestion
from claude_batch.git.branches import Branches
from claude_batch.git.earlier_commits import Readers
from claude_batch.git.patch import PatchFolder, make_patches
from claude_batch.github_api.client import GitHubClient
from claude_batch.ledger.events import Plan, Post
from claude_batch.ledger.store import Ledger, Write
from claude_batch.ledger.view import LedgerState, due
from claude_batch.markdown import escape_line
from claude_batch.pull_requests.publish import PublishResult

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
        edits = [f"* `{one.path}`: {escape_line(one.title)}" for one in self.accepted]
        refused = [f"* `{one.path}`: {escape_line(one.title)}: {why}" for one, why in self.refused]
        parts = [
            "Each edit below keeps behaviour by the word of the model and was proved to apply and "
            "to parse. Nothing was run: let your tests judge.",
            "\n".join(edits),
        ]
        if refused:
            parts.append("Left out:\n\n" + "\n".join(refused))
        return "\n\n".join(parts)[:60_000]


def patch_set(
    plan: Plan,
    findings: Iterable[Finding],
    past: PreviousPlans,
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
    finding: Finding, past: PreviousPlans, read_head: Callable[[str], bytes | None]
) -> Suggestion | Rejected:
    now = locate(finding, past, read_head)
    today = read_head(now.path) if now else None
    if now is None or now.seen is None or today is None:
        return Rejected(GONE)
    return validate_suggestion(
        today, now.first, now.last, now.seen, finding.replacement or "", now.path
    )


@dataclass(frozen=True)
class Target:
    """Where patch sets go: the branch that they are made against, as it is today."""

    branch: str
    head: str
    read_head: Callable[[str], bytes | None]
    readers: Readers


@dataclass
class Refactorer:
    ledger: Ledger
    forge: GitHubClient
    branches: Branches
    folder: PatchFolder
    run: str
    repo: str
    now: Callable[[], datetime]

    def publish(self, target: Target, *, dry_run: bool = False) -> list[PublishResult]:
        """One row per patch set with something new in it."""
        view = self.ledger.view()
        done = []
        for plan, tasks in due(view):
            findings = self._unposted(view, tasks)
            if findings:
                made = patch_set(plan, findings, _past(view, plan, target), target.read_head)
                done.append(self._publish(made, target, dry_run=dry_run))
        return done

    def _unposted(self, view: LedgerState, tasks: frozenset[str]) -> list[Finding]:
        answers = [
            answered
            for asked, answered in view.answers()
            if answered.findings and any(task.id in tasks for task in asked.tasks)
        ]
        refuted = {name for _, answered in view.answers() for name in answered.refuted}
        posted = {key for (_, key), post in view.posts.items() if post.what == "pull_request"}
        found = [
            finding
            for finding in self.ledger.findings(answers)
            if finding.task in tasks
            and finding.replacement is not None
            and finding.id not in refuted
            and finding.fingerprint not in posted
        ]
        return list({finding.fingerprint: finding for finding in found}.values())

    def _publish(self, made: PatchSet, target: Target, *, dry_run: bool) -> PublishResult:
        dropped = tuple(Dropped(finding, "changed_meanwhile") for finding, _ in made.refused)
        edits = f"{len(made.accepted)} edits in {len(made.files)} files"
        if not made.accepted:
            return PublishResult(0, dropped=dropped, note=f"{made.title}: nothing applies any more")
        if dry_run:
            return PublishResult(0, dropped=dropped, note=f"{made.title}: would propose {edits}")
        try:
            number = self._propose(made, target)
        except CannotPublish as refusal:
            path = self.folder.keep(made.branch.replace("/", "-"), made.patch)
            note = f"{made.title}: {edits} kept as {path}, because {refusal.problem}"
            return PublishResult(0, dropped=dropped, note=note)
        self.ledger.transact(lambda view: Write(tuple(self._facts(made, target, number))))
        note = f"{made.title}: draft pull request {number} with {edits}"
        return PublishResult(number, posted=1, dropped=dropped, note=note)

    def _propose(self, made: PatchSet, target: Target) -> int:
        """Looks first: after a crash the branch, or the pull request, may stand already; and once
        more when it is refused, because another run may have been quicker."""
        standing = self._standing(made)
        if standing is not None:
            return standing
        if not self.branches.has(made.branch):
            files = {path: after for path, (before, after) in made.files.items() if after != before}
            self.branches.push(made.branch, target.head, files, f"{made.title}\n")
        try:
            opened = self.forge.open_pull(
                made.title, made.branch, target.branch, made.body, draft=True
            )
        except CannotPublish:
            standing = self._standing(made)
            if standing is None:
                raise
            return standing
        return opened.number

    def _standing(self, made: PatchSet) -> int | None:
        """Its pull request, also when a person has closed it meanwhile."""
        found = self.forge.pulls_of_branch(made.branch, state="all")
        return found[0].number if found else None

    def _facts(self, made: PatchSet, target: Target, number: int) -> list[Post]:
        return [
            Post(
                at=self.now(),
                run=self.run,
                repo=self.repo,
                pr=number,
                what="pull_request",
                key=finding.fingerprint,
                remote_id=number,
                sha="",
                head=target.head,
            )
            for finding in made.accepted
        ]


def _past(view: LedgerState, plan: Plan, target: Target) -> PreviousPlans:
    nothing = Diff(Comparison(target.head, target.head, "", "", ""), ())
    return PreviousPlans([plan], view.anchored_tasks(), nothing, target.readers)
