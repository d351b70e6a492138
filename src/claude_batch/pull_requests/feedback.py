"""The life of a comment: what people answered to it, and when it has done its work."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from claude_batch.diff.model import Diff
from claude_batch.findings.finding import Finding
from claude_batch.findings.placement import Dropped, Placed
from claude_batch.github_api.models import Reaction, RemoteComment, Thread
from claude_batch.ledger.events import FeedbackRecorded, Post
from claude_batch.ledger.view import LedgerState, TaskStatus
from claude_batch.tasks.task import Task, TaskId

FeedbackKind = Literal["thumbs_up", "thumbs_down", "resolved", "wontfix", "applied"]
SILENCING: frozenset[FeedbackKind] = frozenset({"thumbs_down", "resolved", "wontfix"})
THUMBS: Mapping[str, FeedbackKind] = {"+1": "thumbs_up", "-1": "thumbs_down"}
WONTFIX = "wontfix"
BOT = "[bot]"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What somebody answered to a comment of ours; whether they count is not known yet."""

    fingerprint: str
    what: FeedbackKind
    login: str


@dataclass(frozen=True, slots=True)
class FixedThread:
    """A comment whose finding is fixed. `thread` is to be resolved; None: it is, by us."""

    fingerprint: str
    comment: RemoteComment
    thread: str | None
    applied: bool  # its suggestion stands in the code now


@dataclass(frozen=True)
class Conversation:
    """What stands around our review comments. Without threads there is nothing to resolve."""

    ours: Mapping[int, str]  # fingerprint by comment
    comments: Sequence[RemoteComment] = ()
    reactions: Sequence[Reaction] = ()
    threads: Sequence[Thread] = ()
    posts: Mapping[str, Post] = field(default_factory=dict)  # of the ledger, by fingerprint
    login: str | None = None

    def opinions(self, fixed: Collection[str]) -> Iterator[Feedback]:
        """A reaction, a reply that begins with `wontfix`, a thread resolved by somebody."""
        for reaction in self.reactions:
            word = THUMBS.get(reaction.content)
            if word and reaction.comment in self.ours:
                yield Feedback(self.ours[reaction.comment], word, reaction.login)
        for reply in self.comments:
            begins = reply.body.lstrip().lower().startswith(WONTFIX)
            key = self.ours.get(reply.in_reply_to or 0)
            if key and begins:
                yield Feedback(key, "wontfix", reply.login)
        for thread in self.threads:
            if thread.resolver and thread.comment in self.ours and not self._did(thread, fixed):
                yield Feedback(self.ours[thread.comment], "resolved", thread.resolver)

    def endings(
        self, fixed: Mapping[str, Finding], read_head: Callable[[str], bytes | None]
    ) -> Iterator[FixedThread]:
        """Where a person has replied, the thread is theirs."""
        comments = {one.id: one for one in self.comments}
        answered = {one.in_reply_to for one in self.comments if not one.login.endswith(BOT)}
        for thread in self.threads:
            key = self.ours.get(thread.comment, "")
            if key not in fixed or thread.comment in answered or self._recorded(thread):
                continue
            if not thread.resolved or self._did(thread, fixed):
                comment = comments[thread.comment]
                text = read_head(comment.path or fixed[key].path)
                applied = is_applied(fixed[key], comment.body, text)
                yield FixedThread(key, comment, None if thread.resolved else thread.id, applied)

    def _recorded(self, thread: Thread) -> bool:
        post = self.posts.get(self.ours[thread.comment])
        return bool(post and post.state == "resolved" and post.remote_id == thread.comment)

    def _did(self, thread: Thread, fixed: Collection[str]) -> bool:
        """Whether it was us who resolved it. On a laptop we are a person too: then only a thread
        that we had a reason to resolve is ours."""
        if self.login is None or thread.resolver is None:
            return False
        if thread.resolver.removesuffix(BOT) != self.login.removesuffix(BOT):
            return False
        due = self._recorded(thread) or self.ours[thread.comment] in fixed
        return self.login.endswith(BOT) or due


@dataclass(frozen=True)
class CurrentFindings:
    """What the ledger and today's diff say of the findings of a pull request."""

    view: LedgerState
    pr: int
    diff: Diff
    tasks: Sequence[Task]
    placed: Sequence[Placed]
    dropped: Sequence[Dropped]  # of placing, not of choosing

    def fixed(self, keys: Iterable[str]) -> Iterator[Finding]:
        """Of these fingerprints those whose lines changed, and whose replacing tasks have been
        answered without them."""
        standing = {one.finding.fingerprint for one in self.placed}
        gone: dict[str, Finding] = {}
        for one in self.dropped:
            if one.reason == "changed_meanwhile":
                gone[one.finding.fingerprint] = one.finding
            else:
                standing.add(one.finding.fingerprint)
        for key in sorted(set(keys) & (gone.keys() - standing)):
            if self._answered_without(gone[key]):
                yield gone[key]

    def _answered_without(self, finding: Finding) -> bool:
        names = self._names(finding)
        if names & {one.path for one in self.diff.skipped}:
            return False
        here = [task for task in self.tasks if task.path in names] or self.tasks
        asked = {task.id for task in here if task.kind == finding.kind}
        if here and not asked:
            return False  # this kind of question is not asked any more
        new = asked - self._asked_together(finding)
        again = (one.finding for one in self.placed if one.finding.task in new)
        return all(self.view.task_status(task) is TaskStatus.ANSWERED for task in new) and all(
            one.category != finding.category for one in again
        )

    def _names(self, finding: Finding) -> set[str]:
        renamed = {file.path for file in self.diff.files if file.old_path == finding.path}
        return renamed | {finding.path}

    def _asked_together(self, finding: Finding) -> set[TaskId]:
        """The tasks of the plans that held its own: they stand for other lines."""
        plans = [
            {task.id for file in plan.files for task in file.tasks}
            for plan in self.view.plans
            if plan.pr == self.pr
        ]
        return {task for plan in plans if finding.task in plan for task in plan}


def is_applied(finding: Finding, body: str, text: bytes | None) -> bool:
    """Whether the suggestion that `body` shows stands in a file of the head."""
    if not finding.replacement or "suggestion\n" not in body or text is None:
        return False
    wanted = [row.strip() for row in finding.replacement.splitlines()]
    rows = [row.strip() for row in text.decode("utf-8", "replace").splitlines()]
    spans = range(len(rows) - len(wanted) + 1)
    return any(wanted) and any(rows[at : at + len(wanted)] == wanted for at in spans)


def new_feedback(
    opinions: Iterable[Feedback], view: LedgerState, pr: int, may_write: Callable[[str], bool]
) -> list[Feedback]:
    """Those of people with write access that the ledger does not hold, one of each word."""
    known = {(one.fingerprint, one.what) for one in view.signals if one.pr == pr}
    fresh: dict[tuple[str, FeedbackKind], Feedback] = {}
    for one in opinions:
        key = one.fingerprint, one.what
        is_new = key not in known and key not in fresh and not one.login.endswith(BOT)
        if is_new and may_write(one.login):
            fresh[key] = one
    return list(fresh.values())


def prefer_current_diff(placed: Iterable[Placed]) -> list[Placed]:
    """A finding carried from an earlier head gives way to the same one said of today's."""
    rows = list(placed)
    today = {one.finding.fingerprint for one in rows if one.how == "task"}
    return [one for one in rows if one.how == "task" or one.finding.fingerprint not in today]


def silenced_fingerprints(
    signals: Iterable[FeedbackRecorded], opinions: Iterable[Feedback]
) -> set[str]:
    said: Sequence[FeedbackRecorded | Feedback] = [*signals, *opinions]
    return {one.fingerprint for one in said if one.what in SILENCING}
