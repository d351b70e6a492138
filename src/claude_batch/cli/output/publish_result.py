"""The JSON and the text of `publish`."""

from collections import Counter
from collections.abc import Sequence

from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.receipt import receipt_document
from claude_batch.pull_requests.publish import PublishResult

COUNTS = ("posted", "updated", "unchanged", "waiting")


def publish_document(results: Sequence[PublishResult]) -> Json:
    """The totals, then each pull request."""
    return {
        "pull_request": results[0].pull_request if len(results) == 1 else None,
        **{name: sum(getattr(result, name) for result in results) for name in COUNTS},
        "dropped": _dropped(results),
        "pull_requests": [
            {
                **select(result, "pull_request", *COUNTS, "note"),
                "dropped": _dropped([result]),
                "receipt": receipt_document(result.receipt),
            }
            for result in results
        ],
    }


def _dropped(results: Sequence[PublishResult]) -> list[Json]:
    reasons = Counter(drop.reason for result in results for drop in result.dropped)
    return [{"reason": reason, "count": number} for reason, number in sorted(reasons.items())]


def publish_text(results: Sequence[PublishResult]) -> str:
    return "\n".join(map(_pull_request_text, results)) or "nothing new to post"


def _pull_request_text(result: PublishResult) -> str:
    reasons = Counter(drop.reason for drop in result.dropped)
    dropped = ", ".join(f"{number} {reason}" for reason, number in reasons.items())
    lines = [
        f"pull request {result.pull_request}: {result.posted} posted, {result.updated} updated, "
        f"{result.unchanged} unchanged"
        + (f"; not posted: {dropped}" if dropped else "")
        + (f"; waiting for a second look: {result.waiting}" if result.waiting else "")
    ]
    lines += [f"  {result.note}"] if result.note else []
    if result.preview:
        comments = [new_comment.comment for new_comment in result.preview.create]
        lines += [f"  would post on {comment.path}:{comment.line}" for comment in comments]
    return "\n".join(lines)
