"""`publish`, for refactorings outside of pull requests: a draft pull request per patch set.

Where the job may not open one, a patch file in its folder for artifacts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from claude_batch.diff import Comparison, Diff
from claude_batch.edges.branch import Branches
from claude_batch.edges.forge import Forge
from claude_batch.edges.patch_folder import PatchFolder
from claude_batch.errors import CannotPublish
from claude_batch.event import Plan, Post
from claude_batch.finding import Finding
from claude_batch.ledger import Ledger, View, Write
from claude_batch.origin import Past, Readers
from claude_batch.patch_set import PatchSet, due, patch_set
from claude_batch.placement import Dropped
from claude_batch.published import Published


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
    forge: Forge
    branches: Branches
    folder: PatchFolder
    run: str
    repo: str
    now: Callable[[], datetime]

    def publish(self, target: Target, *, dry_run: bool = False) -> list[Published]:
        """One row per patch set with something new in it."""
        view = self.ledger.view()
        done = []
        for plan, tasks in due(view):
            findings = self._unposted(view, tasks)
            if findings:
                made = patch_set(plan, findings, _past(view, plan, target), target.read_head)
                done.append(self._publish(made, target, dry_run=dry_run))
        return done

    def _unposted(self, view: View, tasks: frozenset[str]) -> list[Finding]:
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

    def _publish(self, made: PatchSet, target: Target, *, dry_run: bool) -> Published:
        dropped = tuple(Dropped(finding, "changed_meanwhile") for finding, _ in made.refused)
        edits = f"{len(made.accepted)} edits in {len(made.files)} files"
        if not made.accepted:
            return Published(0, dropped=dropped, note=f"{made.title}: nothing applies any more")
        if dry_run:
            return Published(0, dropped=dropped, note=f"{made.title}: would propose {edits}")
        try:
            number = self._propose(made, target)
        except CannotPublish as refusal:
            path = self.folder.keep(made.branch.replace("/", "-"), made.patch)
            note = f"{made.title}: {edits} kept as {path}, because {refusal.problem}"
            return Published(0, dropped=dropped, note=note)
        self.ledger.transact(lambda view: Write(tuple(self._facts(made, target, number))))
        note = f"{made.title}: draft pull request {number} with {edits}"
        return Published(number, posted=1, dropped=dropped, note=note)

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


def _past(view: View, plan: Plan, target: Target) -> Past:
    nothing = Diff(Comparison(target.head, target.head, "", "", ""), ())
    return Past([plan], view.shown(), nothing, target.readers)
