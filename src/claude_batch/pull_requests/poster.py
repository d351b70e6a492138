"""Post a review plan to GitHub, and collect an event for everything that was posted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from claude_batch.errors import CannotPublish, ReviewRefused, ThreadsRefused
from claude_batch.github_api.client import GitHubClient
from claude_batch.github_api.models import DraftCheck, PullRequest
from claude_batch.ledger.events import FeedbackRecorded, Post, PullRequestSeen, Stamp
from claude_batch.pull_requests.comment import SUMMARY, read_marker
from claude_batch.pull_requests.feedback import FeedbackKind, FixedThread
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
class ReviewPoster:
    """Posts to one pull request until its lease ends at `until`."""

    github: GitHubClient
    pull: PullRequest
    stamp: Stamp
    # It grows with each post, so that a failure loses none.
    events: list[Post | FeedbackRecorded | PullRequestSeen]
    until: datetime

    def record_feedback(self, fingerprint: str, what: FeedbackKind) -> None:
        event = self.stamp.event(
            FeedbackRecorded, pr=self.pull.number, fingerprint=fingerprint, what=what
        )
        self.events.append(event)

    def _record_post(
        self,
        what: Literal["comment", "summary", "check"],
        key: str,
        remote_id: int,
        body: str | DraftCheck,
        state: Literal["posted", "resolved"] = "posted",
    ) -> None:
        event = self.stamp.event(
            Post,
            pr=self.pull.number,
            what=what,
            key=key,
            remote_id=remote_id,
            sha=body_digest(body),
            head=self.pull.head_sha,
            state=state,
        )
        self.events.append(event)

    def post_once(self, key: str, body: str) -> None:
        """Post a comment in the conversation, unless one with its marker stands there already."""
        number, login = self.pull.number, self.github.get_login()
        standing = [
            comment
            for comment in self.github.list_comments(number)
            if comment.login == login and read_marker(comment.body) == key
        ]
        self._check_lease()
        comment = standing[0] if standing else self.github.post_comment(number, body)
        self._record_post("summary", key, comment.id, body)

    def post(self, comments: Sequence[NewComment]) -> list[NewComment]:
        """Post comments as reviews of at most thirty. Return the comments that GitHub refused.

        A refused review is halved until each faulty comment is alone.
        """
        refused: list[NewComment] = []
        waiting = split_into_reviews(comments)
        while waiting:
            review = waiting.pop(0)
            try:
                self._post_review(review)
            except ReviewRefused:
                half = len(review) // 2
                waiting[:0] = [review[:half], review[half:]] if half else []
                refused += [] if half else review
        return refused

    def _post_review(self, comments: Sequence[NewComment]) -> None:
        drafts = [new_comment.comment for new_comment in comments]
        self._check_lease()
        posted = self.github.post_review(self.pull.number, self.pull.head_sha, "", drafts)
        ids = {read_marker(comment.body): comment.id for comment in posted}
        for new_comment in comments:
            if remote_id := ids.get(new_comment.fingerprint):
                self._record_post(
                    "comment", new_comment.fingerprint, remote_id, new_comment.comment.body
                )

    def update(self, plan: ReviewPlan) -> None:
        """Edit outdated comments, then post the summary comment and the check run if changed."""
        for existing in plan.edit:
            self._check_lease()
            self.github.edit_review_comment(existing.id, existing.body)
        for existing in dict.fromkeys([*plan.edit, *plan.unrecorded]):
            self._record_post("comment", existing.fingerprint, existing.id, existing.body)
        if plan.summary is not None and plan.summary_due:
            remote_id = plan.summary_id
            self._check_lease()
            if remote_id is None:
                remote_id = self.github.post_comment(self.pull.number, plan.summary).id
            else:
                self.github.edit_comment(remote_id, plan.summary)
            self._record_post("summary", SUMMARY, remote_id, plan.summary)
        if plan.check_due:
            self._check_lease()
            self._record_post("check", "check", self.github.write_check_run(plan.check), plan.check)

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
            self._record_post("comment", fixed.fingerprint, comment.id, comment.body, "resolved")
            if fixed.applied:
                self.record_feedback(fixed.fingerprint, "applied")
        return ""

    def _check_lease(self) -> None:
        # After the lease another run may have read the pull request, and would post the same.
        if self.stamp.now() > self.until - MARGIN:
            raise CannotPublish(
                "publishing took longer than the ten minutes of the lease",
                "run the command again; comments that are posted already are not repeated",
            )
