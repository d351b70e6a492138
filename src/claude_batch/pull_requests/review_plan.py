"""What to post, what to update and what to leave. Computed whole, before anything is sent."""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from claude_batch.costs.receipts import Receipt
from claude_batch.diff.commentable import Commentable
from claude_batch.diff.model import Diff
from claude_batch.findings.finding import Severity
from claude_batch.findings.placement import Dropped, Placed
from claude_batch.github_api.models import DraftCheck, DraftComment, RemoteComment
from claude_batch.ledger.events import Post
from claude_batch.pull_requests import comment, marker, summary
from claude_batch.pull_requests.selection import Selection
from claude_batch.pull_requests.summary import FindingOutcome, ReviewCoverage

PER_REVIEW = 30  # above, reviews were refused as "submitted too quickly" (reviewdog#355)
CHECK = "claude-batch"


@dataclass(frozen=True, slots=True)
class NewComment:
    """A comment to be posted."""

    fingerprint: str
    comment: DraftComment


@dataclass(frozen=True, slots=True)
class ExistingComment:
    """A comment of ours that stands on the pull request, with the body that it is to have."""

    fingerprint: str
    id: int
    body: str


@dataclass(frozen=True)
class ExistingComments:
    """What stands on a pull request. `posts`: those of the ledger for it, by key."""

    comments: Sequence[RemoteComment]  # all, of the review and of the conversation
    posts: Mapping[str, Post]
    login: str | None  # ours; None: not known, then only the ledger tells
    refused: Collection[str] = ()  # fingerprints of comments that were not taken


@dataclass(frozen=True)
class ReviewPlan:
    create: tuple[NewComment, ...]
    edit: tuple[ExistingComment, ...]
    found: tuple[
        ExistingComment, ...
    ]  # stand already and the ledger does not know: to be recorded only
    unchanged: int
    dropped: tuple[Dropped, ...]
    summary: str | None  # what the summary comment is to say; None: there is none and needs none
    summary_id: int | None  # where it stands already
    summary_due: bool
    check: DraftCheck
    check_due: bool


def plan_review(
    chosen: Selection,
    remote: ExistingComments,
    diff: Diff,
    coverage: ReviewCoverage,
    receipt: Receipt,
    *,
    fail_on: Severity | None = None,
    unverified: Collection[str] = (),
) -> ReviewPlan:
    """`chosen.dropped` holds whatever was dropped before; `unverified` are finding ids."""
    ours = _standing(remote)
    deleted = _deleted(remote, ours)
    comments = _comments(chosen, remote, ours, deleted, Commentable(diff), unverified)
    told = FindingOutcome(
        len(comments.known) + len(comments.create), comments.folded, comments.dropped, unverified
    )
    stands = ours.get(marker.SUMMARY)
    wanted = (told.standing or stands) and marker.SUMMARY not in deleted
    text = summary.summary(told, coverage, receipt) if wanted else None
    check = DraftCheck(
        name=CHECK,
        head_sha=coverage.head,
        conclusion="failure" if _failing(chosen, deleted, fail_on) else "neutral",
        title=summary.check_title(told, coverage),
        summary=summary.check_summary(told, coverage, receipt, whole=text is None),
    )
    edit = tuple(
        one for one in comments.known if _edit_due(one.fingerprint, one.body, ours, remote)
    )
    return ReviewPlan(
        create=comments.create,
        edit=edit,
        found=tuple(one for one in comments.known if not _is_recorded(one, remote)),
        unchanged=len(comments.known) - len(edit),
        dropped=comments.dropped,
        summary=text,
        summary_id=stands.id if stands else None,
        summary_due=text is not None
        and (stands is None or _edit_due(marker.SUMMARY, text, ours, remote)),
        check=check,
        check_due=_check_due(check, remote),
    )


def reviews(comments: Sequence[NewComment]) -> Iterator[tuple[NewComment, ...]]:
    for at in range(0, len(comments), PER_REVIEW):
        yield tuple(comments[at : at + PER_REVIEW])


def check(comments: Iterable[DraftComment], diff: Diff) -> list[str]:
    """What GitHub would refuse. One bad comment takes its whole review with it."""
    lines = Commentable(diff)
    faults = ((one, comment_fault(one, lines)) for one in comments)
    return [f"{one.path}:{one.line}: {fault}" for one, fault in faults if fault]


def comment_fault(draft: DraftComment, lines: Commentable) -> str | None:
    """The reason why GitHub would refuse a comment, or None."""
    fault = lines.fault(draft.path, draft.side, draft.first_line, draft.line)
    if fault:
        return fault
    if len(draft.body) > marker.LIMIT:
        return "the body is too long"
    return None if marker.read(draft.body) else "the body has no marker"


def sha_of(what: str | DraftCheck) -> str:
    """As a Post keeps it."""
    if isinstance(what, DraftCheck):
        what = "\0".join([what.name, what.conclusion, what.title, what.summary])
    return hashlib.sha256(_normal(what).encode()).hexdigest()


def _normal(body: str) -> str:
    return body.replace("\r\n", "\n").strip()


@dataclass(frozen=True, slots=True)
class _Comments:
    create: tuple[NewComment, ...]
    known: tuple[ExistingComment, ...]
    folded: tuple[Placed, ...]
    dropped: tuple[Dropped, ...]


def _comments(
    chosen: Selection,
    remote: ExistingComments,
    ours: Mapping[str, RemoteComment],
    deleted: Collection[str],
    lines: Commentable,
    unverified: Collection[str],
) -> _Comments:
    """Each chosen finding goes one way; one that stands at its line is not folded any more."""
    create, known, folded = [], [], []
    dropped = list(chosen.dropped)
    inline = {one.finding.fingerprint for one in chosen.inline}
    for one in [*chosen.inline, *chosen.summarized]:
        key = one.finding.fingerprint
        body = comment.body(one, unverified=one.finding.id in unverified)
        draft = DraftComment(one.path, one.side, one.first_line, one.line, body)
        if key in ours:
            known.append(ExistingComment(key, ours[key].id, body))
        elif key in deleted:
            dropped.append(Dropped(one.finding, "silenced"))
        elif key not in inline:
            folded.append(one)
            dropped.append(Dropped(one.finding, "over_limit"))
        elif key in remote.refused or comment_fault(draft, lines):
            dropped.append(Dropped(one.finding, "outside_diff"))
        else:
            create.append(NewComment(key, draft))
    return _Comments(tuple(create), tuple(known), tuple(folded), tuple(dropped))


def ours(remote: ExistingComments) -> dict[int, str]:
    """The review comments of ours with their fingerprints, also those whose thread is resolved."""
    return {
        one.id: key
        for one, key in _marked(remote)
        if key != marker.SUMMARY and one.path is not None
    }


def _marked(remote: ExistingComments) -> Iterator[tuple[RemoteComment, str]]:
    """What the ledger has by its id, then what has our marker and our login, oldest first."""
    recorded = {
        (post.what == "summary", post.remote_id): key
        for key, post in remote.posts.items()
        if post.what in ("comment", "summary")
    }
    later = []
    for one in sorted(remote.comments, key=lambda one: one.id):
        in_conversation = one.path is None
        known = recorded.get((in_conversation, one.id))
        is_ours = remote.login is not None and one.login == remote.login
        key = known or (marker.read(one.body) if is_ours else None)
        if key and (key == marker.SUMMARY) == in_conversation and one.in_reply_to is None:
            if known:
                yield one, key
            else:
                later.append((one, key))
    yield from later


def _standing(remote: ExistingComments) -> dict[str, RemoteComment]:
    """By key, without those whose thread we have resolved: what comes back is said anew."""
    standing: dict[str, RemoteComment] = {}
    for one, key in _marked(remote):
        post = remote.posts.get(key)
        resolved = post and post.state == "resolved" and post.remote_id == one.id
        if not resolved:
            standing.setdefault(key, one)
    return standing


def _deleted(remote: ExistingComments, standing: Collection[str]) -> set[str]:
    """What a person has deleted stays deleted."""
    return {
        key
        for key, post in remote.posts.items()
        if key not in standing and post.state != "resolved"
    }


def _is_recorded(known: ExistingComment, remote: ExistingComments) -> bool:
    post = remote.posts.get(known.fingerprint)
    return post is not None and post.remote_id == known.id


def _edit_due(
    key: str, body: str, ours: Mapping[str, RemoteComment], remote: ExistingComments
) -> bool:
    """A body that lost our marker was rewritten by a person, and is left to them."""
    stands, post = ours[key], remote.posts.get(key)
    if marker.read(stands.body) is None or (post and post.sha == sha_of(body)):
        return False
    return _normal(stands.body) != _normal(body)


def _failing(chosen: Selection, deleted: Collection[str], fail_on: Severity | None) -> bool:
    findings = (one.finding for one in [*chosen.inline, *chosen.summarized])
    return fail_on is not None and any(
        one.severity.rank <= fail_on.rank and one.fingerprint not in deleted for one in findings
    )


def _check_due(check: DraftCheck, remote: ExistingComments) -> bool:
    """Only an app, such as the one behind a workflow's token, may write checks."""
    if remote.login is not None and not remote.login.endswith("[bot]"):
        return False
    post = remote.posts.get("check")
    return post is None or (post.head, post.sha) != (check.head_sha, sha_of(check))
