"""Post a review plan to GitHub, and collect an event for everything that was posted."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from claude_batch.errors import CannotPublish, ReviewRefused, ThreadsRefused
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import DraftCheck, PullRequest
from claude_batch.ledger.events import FeedbackRecorded, Post, Stamp
from claude_batch.pull_requests.comment import SUMMARY, read_marker
from claude_batch.pull_requests.feedback import Feedback, FeedbackKind, FixedThread
from claude_batch.pull_requests.review_plan import (
    NewComment,
    ReviewPlan,
    body_digest,
)

COMMENTS_PER_REVIEW = 30  # above, reviews were refused as "submitted too quickly" (reviewdog#355)
MARGIN = timedelta(minutes=1)  # for the GitHub call in flight when the lease ends


def split_into_reviews(comments: Sequence[NewComment]) -> list[Sequence[NewComment]]:
    starts = range(0, len(comments), COMMENTS_PER_REVIEW)
    return [comments[start : start + COMMENTS_PER_REVIEW] for start in starts]


@dataclass(frozen=True)
class PostEvents:
    """The events of one pull request."""

    stamp: Stamp
    pull: PullRequest

    def post(
        self,
        what: Literal["comment", "summary", "check"],
        key: str,
        remote_id: int,
        body: str | DraftCheck,
        state: Literal["posted", "resolved"] = "posted",
    ) -> Post:
        return self.stamp.event(
            Post,
            pr=self.pull.number,
            what=what,
            key=key,
            remote_id=remote_id,
            sha=body_digest(body),
            head=self.pull.head_sha,
            state=state,
        )

    def feedback(self, fingerprint: str, what: FeedbackKind) -> FeedbackRecorded:
        return self.stamp.event(
            FeedbackRecorded, pr=self.pull.number, fingerprint=fingerprint, what=what
        )


@dataclass(frozen=True)
class ReviewPoster:
    """Posts to one pull request until its lease ends at `until`."""

    github: GitHubClient
    post_events: PostEvents
    events: list[Post | FeedbackRecorded]  # grows with each post, so that a failure loses none
    until: datetime

    def record_feedback(self, feedback: Sequence[Feedback]) -> None:
        self.events.extend(
            self.post_events.feedback(item.fingerprint, item.what) for item in feedback
        )

    def post(self, comments: Sequence[NewComment]) -> list[NewComment]:
        """Post comments as reviews of at most thirty. Return the comments that GitHub refused.

        A refused review is halved until each faulty comment is alone.
        """
        refused: list[NewComment] = []
        waiting = split_into_reviews(comments)
        while waiting:
            batch = waiting.pop(0)
            try:
                self.events.extend(self._review(batch))
            except ReviewRefused:
                half = len(batch) // 2
                waiting[:0] = [batch[:half], batch[half:]] if half else []
                refused += [] if half else batch
        return refused

    def _review(self, batch: Sequence[NewComment]) -> Iterator[Post]:
        pull = self.post_events.pull
        drafts = [new_comment.comment for new_comment in batch]
        self._check_lease()
        posted = self.github.post_review(pull.number, pull.head_sha, "", drafts)
        ids = {read_marker(comment.body): comment.id for comment in posted}
        for new_comment in batch:
            if new_comment.fingerprint in ids:
                remote_id = ids[new_comment.fingerprint]
                yield self.post_events.post(
                    "comment", new_comment.fingerprint, remote_id, new_comment.comment.body
                )

    def update(self, plan: ReviewPlan) -> None:
        """Edit outdated comments, then post the summary comment and the check run if changed."""
        self.events.extend(self._edit_comments(plan))
        self.events.extend(self._post_summary_and_check(plan))

    def _edit_comments(self, plan: ReviewPlan) -> Iterator[Post]:
        for existing in plan.edit:
            self._check_lease()
            self.github.edit_review_comment(existing.id, existing.body)
        for existing in dict.fromkeys([*plan.edit, *plan.unrecorded]):
            yield self.post_events.post("comment", existing.fingerprint, existing.id, existing.body)

    def _post_summary_and_check(self, plan: ReviewPlan) -> Iterator[Post]:
        if plan.summary is not None and plan.summary_due:
            remote_id = plan.summary_id
            self._check_lease()
            if remote_id is None:
                remote_id = self.github.post_comment(self.post_events.pull.number, plan.summary).id
            else:
                self.github.edit_comment(remote_id, plan.summary)
            yield self.post_events.post("summary", SUMMARY, remote_id, plan.summary)
        if plan.check_due:
            self._check_lease()
            remote_id = self.github.write_check_run(plan.check)
            yield self.post_events.post("check", "check", remote_id, plan.check)

    def resolve(self, fixed_threads: Sequence[FixedThread]) -> str:
        """Resolve the threads of fixed findings. Return the problem if GitHub refuses one."""
        for fixed in fixed_threads:
            if fixed.thread is not None:
                self._check_lease()
                try:
                    self.github.resolve_thread(fixed.thread)
                except ThreadsRefused as refusal:  # then the others would be refused too
                    return refusal.problem
            comment = fixed.comment
            self.events.append(
                self.post_events.post(
                    "comment", fixed.fingerprint, comment.id, comment.body, "resolved"
                )
            )
            if fixed.applied:
                self.events.append(self.post_events.feedback(fixed.fingerprint, "applied"))
        return ""

    def _check_lease(self) -> None:
        # After the lease another run may have read the pull request, and would post the same.
        if self.post_events.stamp.now() > self.until - MARGIN:
            raise CannotPublish(
                "publishing took longer than the ten minutes of the lease",
                "run the command again; comments that are posted already are not repeated",
            )
