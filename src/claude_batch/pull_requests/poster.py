"""Says on GitHub what was planned, and keeps a fact of each thing that stands."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

from claude_batch.errors import CannotPublish, ReviewRefused, ThreadsRefused
from claude_batch.github_api.models import DraftCheck, DraftComment, Pull, RemoteComment
from claude_batch.ledger.events import FeedbackRecorded, Post
from claude_batch.pull_requests import marker
from claude_batch.pull_requests import review_plan as publication
from claude_batch.pull_requests.feedback import Feedback, FeedbackKind, FixedThread
from claude_batch.pull_requests.review_plan import NewComment, ReviewPlan

MARGIN = timedelta(minutes=1)  # for a call that is under way


class Forge(Protocol):
    """The part of GitHub that one speaks to."""

    def post_review(
        self, number: int, head: str, body: str, comments: Sequence[DraftComment]
    ) -> list[RemoteComment]: ...
    def post_comment(self, number: int, body: str) -> RemoteComment: ...
    def edit_comment(self, comment_id: int, body: str) -> None: ...
    def edit_review_comment(self, comment_id: int, body: str) -> None: ...
    def check_run(self, check: DraftCheck) -> int: ...
    def resolve(self, thread_id: str) -> None: ...


@dataclass(frozen=True)
class PostEvents:
    """Facts about a pull request, dated and signed."""

    run: str
    repo: str
    pull: Pull
    now: Callable[[], datetime]

    def post(
        self,
        what: Literal["comment", "summary", "check"],
        key: str,
        remote_id: int,
        body: str | DraftCheck,
        state: Literal["posted", "resolved"] = "posted",
    ) -> Post:
        return Post(
            at=self.now(),
            run=self.run,
            repo=self.repo,
            pr=self.pull.number,
            what=what,
            key=key,
            remote_id=remote_id,
            sha=publication.sha_of(body),
            head=self.pull.head_sha,
            state=state,
        )

    def signal(self, fingerprint: str, what: FeedbackKind) -> FeedbackRecorded:
        return FeedbackRecorded(
            at=self.now(),
            run=self.run,
            repo=self.repo,
            pr=self.pull.number,
            fingerprint=fingerprint,
            what=what,
        )


@dataclass(frozen=True)
class ReviewPoster:
    """`facts` grows with each thing that stands, so that a failure forgets none.

    Nothing is said when the lease on the pull request is about to end at `until`: another run may
    be looking at what stands, and would say the same.
    """

    forge: Forge
    scribe: PostEvents
    events: list[Post | FeedbackRecorded]
    until: datetime

    def record_feedback(self, opinions: Sequence[Feedback]) -> None:
        self.events.extend(self.scribe.signal(one.fingerprint, one.what) for one in opinions)

    def post(self, fresh: Sequence[NewComment]) -> list[NewComment]:
        """Reviews of at most thirty comments. A refused one is halved until the fault is alone;
        returns those at fault."""
        refused: list[NewComment] = []
        waiting = list(publication.reviews(fresh))
        while waiting:
            part = waiting.pop(0)
            try:
                self.events.extend(self._review(part))
            except ReviewRefused:
                half = len(part) // 2
                waiting[:0] = [part[:half], part[half:]] if half else []
                refused += [] if half else part
        return refused

    def _review(self, part: Sequence[NewComment]) -> Iterator[Post]:
        pull = self.scribe.pull
        drafts = [fresh.comment for fresh in part]
        self._check_lease()
        stands = self.forge.post_review(pull.number, pull.head_sha, "", drafts)
        ids = {marker.read(one.body): one.id for one in stands}
        for fresh in part:
            if fresh.fingerprint in ids:
                remote_id = ids[fresh.fingerprint]
                yield self.scribe.post("comment", fresh.fingerprint, remote_id, fresh.comment.body)

    def update(self, final: ReviewPlan) -> None:
        """Comments that say something else now, the summary and the check."""
        self.events.extend(self._edit(final))
        self.events.extend(self._summarise(final))

    def _edit(self, final: ReviewPlan) -> Iterator[Post]:
        for known in final.edit:
            self._check_lease()
            self.forge.edit_review_comment(known.id, known.body)
        for known in dict.fromkeys([*final.edit, *final.found]):
            yield self.scribe.post("comment", known.fingerprint, known.id, known.body)

    def _summarise(self, final: ReviewPlan) -> Iterator[Post]:
        if final.summary is not None and final.summary_due:
            remote_id = final.summary_id
            self._check_lease()
            if remote_id is None:
                remote_id = self.forge.post_comment(self.scribe.pull.number, final.summary).id
            else:
                self.forge.edit_comment(remote_id, final.summary)
            yield self.scribe.post("summary", marker.SUMMARY, remote_id, final.summary)
        if final.check_due:
            self._check_lease()
            remote_id = self.forge.check_run(final.check)
            yield self.scribe.post("check", "check", remote_id, final.check)

    def resolve(self, endings: Sequence[FixedThread]) -> str:
        """What GitHub has against it, if it refuses; then the rest is not tried."""
        for ending in endings:
            if ending.thread is not None:
                self._check_lease()
                try:
                    self.forge.resolve(ending.thread)
                except ThreadsRefused as refusal:
                    return refusal.problem
            comment = ending.comment
            self.events.append(
                self.scribe.post(
                    "comment", ending.fingerprint, comment.id, comment.body, "resolved"
                )
            )
            if ending.applied:
                self.events.append(self.scribe.signal(ending.fingerprint, "applied"))
        return ""

    def _check_lease(self) -> None:
        if self.scribe.now() > self.until - MARGIN:
            raise CannotPublish(
                "publishing took longer than the ten minutes that one run has for it",
                "run the command again; what is posted already is recognised and not repeated",
            )
