"""Feedback on our comments (reactions, replies, resolved threads), and findings that are fixed."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from claude_batch.diff.model import Diff
from claude_batch.findings.finding import Finding
from claude_batch.findings.placement import DroppedFinding, PlacedFinding
from claude_batch.github_api.models import Reaction, RemoteComment, ReviewThread
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
    """Feedback of one person on one comment of ours. Write access is not checked yet."""

    fingerprint: str
    what: FeedbackKind
    login: str


@dataclass(frozen=True, slots=True)
class FixedThread:
    """A comment whose finding is fixed."""

    fingerprint: str
    comment: RemoteComment
    thread: str | None  # to be resolved; None if we have resolved it already
    applied: bool  # the head contains its suggestion


@dataclass(frozen=True)
class Conversation:
    """The comments, reactions and threads around our review comments."""

    ours: Mapping[int, str]  # fingerprint by comment
    comments: Sequence[RemoteComment] = ()
    reactions: Sequence[Reaction] = ()
    threads: Sequence[ReviewThread] = ()
    posts: Mapping[str, Post] = field(default_factory=dict)  # of the ledger, by fingerprint
    login: str | None = None

    def feedback(self, fixed: Collection[str]) -> Iterator[Feedback]:
        """Reactions, replies that begin with `wontfix`, and threads that a person resolved."""
        for reaction in self.reactions:
            kind = THUMBS.get(reaction.content)
            if kind and reaction.comment_id in self.ours:
                yield Feedback(self.ours[reaction.comment_id], kind, reaction.login)
        for reply in self.comments:
            begins = reply.body.lstrip().lower().startswith(WONTFIX)
            key = self.ours.get(reply.in_reply_to or 0)
            if key and begins:
                yield Feedback(key, "wontfix", reply.login)
        for thread in self.threads:
            if (
                thread.resolver
                and thread.first_comment_id in self.ours
                and not self._was_resolved_by_us(thread, fixed)
            ):
                yield Feedback(self.ours[thread.first_comment_id], "resolved", thread.resolver)

    def fixed_threads(
        self, fixed: Mapping[str, Finding], read_head: Callable[[str], bytes | None]
    ) -> Iterator[FixedThread]:
        """The comments of fixed findings. A thread in which a person replied is left alone."""
        comments = {comment.id: comment for comment in self.comments}
        answered = {
            comment.in_reply_to for comment in self.comments if not comment.login.endswith(BOT)
        }
        for thread in self.threads:
            key = self.ours.get(thread.first_comment_id, "")
            if (
                key not in fixed
                or thread.first_comment_id in answered
                or self._is_recorded_resolved(thread)
            ):
                continue
            if not thread.resolved or self._was_resolved_by_us(thread, fixed):
                comment = comments[thread.first_comment_id]
                text = read_head(comment.path or fixed[key].path)
                applied = is_applied(fixed[key], comment.body, text)
                yield FixedThread(key, comment, None if thread.resolved else thread.id, applied)

    def _is_recorded_resolved(self, thread: ReviewThread) -> bool:
        post = self.posts.get(self.ours[thread.first_comment_id])
        return bool(post and post.state == "resolved" and post.remote_id == thread.first_comment_id)

    def _was_resolved_by_us(self, thread: ReviewThread, fixed: Collection[str]) -> bool:
        """True if this program resolved the thread."""
        if self.login is None or thread.resolver is None:
            return False
        if thread.resolver.removesuffix(BOT) != self.login.removesuffix(BOT):
            return False
        # On a laptop the login is a person's, who may have resolved the thread by hand.
        has_reason = (
            self._is_recorded_resolved(thread) or self.ours[thread.first_comment_id] in fixed
        )
        return self.login.endswith(BOT) or has_reason


@dataclass(frozen=True)
class CurrentFindings:
    """The findings of a pull request, placed in its current diff."""

    state: LedgerState
    pr: int
    diff: Diff
    tasks: Sequence[Task]
    placed: Sequence[PlacedFinding]
    dropped: Sequence[DroppedFinding]  # of placing, not of choosing

    def fixed_findings(self, keys: Iterable[str]) -> dict[str, Finding]:
        """The findings of `keys` whose lines changed and that no new answer repeats."""
        present = {placed.finding.fingerprint for placed in self.placed}
        changed: dict[str, Finding] = {}
        for dropped in self.dropped:
            if dropped.reason == "changed_meanwhile":
                changed[dropped.finding.fingerprint] = dropped.finding
            else:
                present.add(dropped.finding.fingerprint)
        gone = sorted(set(keys) & (changed.keys() - present))
        return {key: changed[key] for key in gone if self._is_fixed(changed[key])}

    def _is_fixed(self, finding: Finding) -> bool:
        renamed = {file.path for file in self.diff.files if file.old_path == finding.path}
        paths = renamed | {finding.path}
        if paths & {skipped.path for skipped in self.diff.skipped}:
            return False
        tasks = [task for task in self.tasks if task.path in paths] or self.tasks
        same_kind = {task.id for task in tasks if task.kind == finding.kind}
        if tasks and not same_kind:
            return False  # no task of this kind is planned any more
        new = same_kind - self._planned_together(finding)
        new_findings = (placed.finding for placed in self.placed if placed.finding.task in new)
        return all(self.state.task_status(task) is TaskStatus.ANSWERED for task in new) and all(
            other.category != finding.category for other in new_findings
        )

    def _planned_together(self, finding: Finding) -> set[TaskId]:
        """The tasks of the plans that contain the finding's task: they are about other lines."""
        plans = [plan.task_ids for plan in self.state.plans if plan.pr == self.pr]
        return {task for plan in plans if finding.task in plan for task in plan}


def is_applied(finding: Finding, body: str, text: bytes | None) -> bool:
    """True if `text`, a file of the head, contains the suggestion that `body` shows."""
    if not finding.replacement or "suggestion\n" not in body or text is None:
        return False
    wanted = [line.strip() for line in finding.replacement.splitlines()]
    lines = [line.strip() for line in text.decode("utf-8", "replace").splitlines()]
    starts = range(len(lines) - len(wanted) + 1)
    return any(wanted) and any(lines[start : start + len(wanted)] == wanted for start in starts)


def new_feedback(
    feedback: Iterable[Feedback], state: LedgerState, pr: int, may_write: Callable[[str], bool]
) -> list[Feedback]:
    """The feedback of people with write access that is not recorded, one per finding and kind."""
    known = {(signal.fingerprint, signal.what) for signal in state.feedback if signal.pr == pr}
    fresh: dict[tuple[str, FeedbackKind], Feedback] = {}
    for item in feedback:
        key = item.fingerprint, item.what
        is_new = key not in known and key not in fresh and not item.login.endswith(BOT)
        if is_new and may_write(item.login):
            fresh[key] = item
    return list(fresh.values())


def prefer_current_diff(placed: Iterable[PlacedFinding]) -> list[PlacedFinding]:
    """Drop findings of earlier heads that the current diff repeats."""
    findings = list(placed)
    current = {
        candidate.finding.fingerprint for candidate in findings if candidate.method == "task"
    }
    return [
        candidate
        for candidate in findings
        if candidate.method == "task" or candidate.finding.fingerprint not in current
    ]


def silenced_fingerprints(
    recorded: Iterable[FeedbackRecorded], feedback: Iterable[Feedback]
) -> set[str]:
    signals: Sequence[FeedbackRecorded | Feedback] = [*recorded, *feedback]
    return {signal.fingerprint for signal in signals if signal.what in SILENCING}
