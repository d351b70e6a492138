"""Plan what to post and to edit on a pull request, before anything is sent."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from claude_batch.costs.receipts import Receipt
from claude_batch.diff.commentable import Commentable
from claude_batch.diff.model import Diff
from claude_batch.findings.finding import Severity
from claude_batch.findings.placement import DroppedFinding
from claude_batch.github_api.models import DraftCheck, DraftComment, RemoteComment
from claude_batch.ledger.events import Post
from claude_batch.pull_requests import summary
from claude_batch.pull_requests.check_run import ReviewCoverage, decide_check
from claude_batch.pull_requests.comment import MAX_BODY, SUMMARY, read_marker, render_comment
from claude_batch.pull_requests.selection import Selection
from claude_batch.pull_requests.summary import FindingOutcome

CHECK = "claude-batch"  # the name of the check run


@dataclass(frozen=True, slots=True)
class NewComment:
    """A comment to be posted."""

    fingerprint: str
    comment: DraftComment


@dataclass(frozen=True, slots=True)
class ExistingComment:
    """A posted comment of ours, with the body that it should have now."""

    fingerprint: str
    id: int
    body: str


@dataclass(frozen=True)
class ExistingComments:
    """The comments on a pull request, and the ledger's record of ours."""

    comments: Sequence[RemoteComment]  # review comments, and those of the conversation
    posts: Mapping[str, Post]  # by key
    login: str | None  # ours; None if unknown: then only the ledger tells which are ours
    refused: Collection[str] = ()  # fingerprints of comments that GitHub refused


@dataclass(frozen=True)
class ReviewPlan:
    create: tuple[NewComment, ...]
    edit: tuple[ExistingComment, ...]
    unrecorded: tuple[ExistingComment, ...]  # posted, but not in the ledger
    unchanged: int
    dropped: tuple[DroppedFinding, ...]
    summary: str | None  # the body of the summary comment; None if none is needed
    summary_id: int | None  # of the summary comment that exists
    summary_due: bool
    check: DraftCheck
    check_due: bool
    failing: bool = False  # a finding stands at or above `fail_on`


def plan_review(
    selection: Selection,
    existing: ExistingComments,
    diff: Diff,
    coverage: ReviewCoverage,
    receipt: Receipt,
    *,
    fail_on: Severity | None = None,
    unverified: Collection[str] = (),
) -> ReviewPlan:
    """`selection.dropped` includes the unplaced findings; `unverified` are finding ids."""
    ours = _present_comments(existing)
    deleted = _deleted(existing, ours)
    lines = Commentable(diff)
    create, known, outcome = _sort_findings(selection, existing, ours, deleted, lines, unverified)
    summary_comment = ours.get(SUMMARY)
    wanted = (outcome.shown or summary_comment) and SUMMARY not in deleted
    text = summary.render_summary(outcome, coverage, receipt) if wanted else None
    failing = _has_failing_finding(selection, deleted, fail_on)
    state = decide_check(coverage, outcome.shown, fails=failing, may_fail=fail_on is not None)
    check = DraftCheck(
        name=CHECK,
        head_sha=coverage.head,
        status=state.status,
        conclusion=state.conclusion,
        title=state.title,
        summary=summary.render_check_summary(outcome, coverage, receipt, whole=text is None),
    )
    edit = tuple(
        comment
        for comment in known
        if _is_edit_due(comment.fingerprint, comment.body, ours, existing)
    )
    return ReviewPlan(
        create=tuple(create),
        edit=edit,
        unrecorded=tuple(comment for comment in known if not _is_recorded(comment, existing)),
        unchanged=len(known) - len(edit),
        dropped=outcome.dropped,
        summary=text,
        summary_id=summary_comment.id if summary_comment else None,
        summary_due=text is not None
        and (summary_comment is None or _is_edit_due(SUMMARY, text, ours, existing)),
        check=check,
        failing=failing,
        check_due=_is_check_due(check, existing),
    )


def comment_fault(draft: DraftComment, lines: Commentable) -> str | None:
    """The reason why GitHub would refuse a comment and its whole review, or None."""
    fault = lines.find_problem(draft.path, draft.side, draft.first_line, draft.line)
    if fault:
        return fault
    if len(draft.body) > MAX_BODY:
        return "the body is too long"
    return None if read_marker(draft.body) else "the body has no marker"


def body_digest(body: str | DraftCheck) -> str:
    """The SHA-256 of a body or a check run, as the ledger records it."""
    if isinstance(body, DraftCheck):
        state = body.conclusion or body.status
        body = "\0".join([body.name, state, body.title, body.summary])
    return hashlib.sha256(_normalize(body).encode()).hexdigest()


def _normalize(body: str) -> str:
    return body.replace("\r\n", "\n").strip()


def _sort_findings(
    selection: Selection,
    existing: ExistingComments,
    ours: Mapping[str, RemoteComment],
    deleted: Collection[str],
    lines: Commentable,
    unverified: Collection[str],
) -> tuple[list[NewComment], list[ExistingComment], FindingOutcome]:
    """The selected findings as new, existing and no comments. An inline comment stays inline."""
    create, known, summarized = [], [], []
    dropped = list(selection.dropped)
    inline = {placed.finding.fingerprint for placed in selection.inline}
    for placed in [*selection.inline, *selection.summarized]:
        key = placed.finding.fingerprint
        body = render_comment(placed, unverified=placed.finding.id in unverified)
        draft = DraftComment(placed.path, placed.side, placed.first_line, placed.line, body)
        if key in ours:
            known.append(ExistingComment(key, ours[key].id, body))
        elif key in deleted:
            dropped.append(DroppedFinding(placed.finding, "silenced"))
        elif key not in inline:
            summarized.append(placed)
            dropped.append(DroppedFinding(placed.finding, "over_limit"))
        elif key in existing.refused or comment_fault(draft, lines):
            dropped.append(DroppedFinding(placed.finding, "outside_diff"))
        else:
            create.append(NewComment(key, draft))
    inline_count = len(known) + len(create)
    outcome = FindingOutcome(inline_count, tuple(summarized), tuple(dropped), unverified)
    return create, known, outcome


def our_review_comments(existing: ExistingComments) -> dict[int, str]:
    """Our review comments, resolved ones too: their fingerprints by id."""
    return {
        comment.id: key
        for comment, key in _our_comments(existing)
        if key != SUMMARY and comment.path is not None
    }


def _our_comments(existing: ExistingComments) -> Iterator[tuple[RemoteComment, str]]:
    """Our comments with their keys: those in the ledger, then those with our marker and login."""
    recorded = {
        (post.what == "summary", post.remote_id): key
        for key, post in existing.posts.items()
        if post.what in ("comment", "summary")
    }
    later = []
    for comment in sorted(existing.comments, key=lambda comment: comment.id):
        in_conversation = comment.path is None
        known = recorded.get((in_conversation, comment.id))
        is_ours = existing.login is not None and comment.login == existing.login
        key = known or (read_marker(comment.body) if is_ours else None)
        if key and (key == SUMMARY) == in_conversation and comment.in_reply_to is None:
            if known:
                yield comment, key
            else:
                later.append((comment, key))
    yield from later


def _present_comments(existing: ExistingComments) -> dict[str, RemoteComment]:
    """Our comments by key, without those that we resolved: such a finding is posted anew."""
    present: dict[str, RemoteComment] = {}
    for comment, key in _our_comments(existing):
        post = existing.posts.get(key)
        resolved = post and post.state == "resolved" and post.remote_id == comment.id
        if not resolved:
            present.setdefault(key, comment)
    return present


def _deleted(existing: ExistingComments, present: Collection[str]) -> set[str]:
    """The keys of comments that a person deleted. They are not posted again."""
    return {
        key
        for key, post in existing.posts.items()
        if key not in present and post.state != "resolved"
    }


def _is_recorded(known: ExistingComment, existing: ExistingComments) -> bool:
    post = existing.posts.get(known.fingerprint)
    return post is not None and post.remote_id == known.id


def _is_edit_due(
    key: str, body: str, ours: Mapping[str, RemoteComment], existing: ExistingComments
) -> bool:
    current, post = ours[key], existing.posts.get(key)
    # A body without our marker was rewritten by a person, and stays as it is.
    if read_marker(current.body) is None or (post and post.sha == body_digest(body)):
        return False
    return _normalize(current.body) != _normalize(body)


def _has_failing_finding(
    selection: Selection, deleted: Collection[str], fail_on: Severity | None
) -> bool:
    findings = (placed.finding for placed in [*selection.inline, *selection.summarized])
    return fail_on is not None and any(
        finding.severity.rank <= fail_on.rank and finding.fingerprint not in deleted
        for finding in findings
    )


def _is_check_due(check: DraftCheck, existing: ExistingComments) -> bool:
    # Only an app, such as the one behind a workflow's token, may write check runs.
    if existing.login is not None and not existing.login.endswith("[bot]"):
        return False
    post = existing.posts.get("check")
    return post is None or (post.head, post.sha) != (check.head_sha, body_digest(check))
