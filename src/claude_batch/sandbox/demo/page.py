"""The HTML page of a pull request's conversation: one file, no script, nothing fetched."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby

from claude_batch.costs.pages.page_templates import build_environment
from claude_batch.markdown import strip_hidden
from claude_batch.sandbox.demo import page_diff
from claude_batch.sandbox.demo.conversation import ConversationItem
from claude_batch.sandbox.demo.page_markdown import render_markdown

# The word for a check's conclusion, and its class in demo.css.
CONCLUSIONS = {
    "success": ("passed", "good"),
    "failure": ("failed", "bad"),
    "timed_out": ("timed out", "bad"),
    "action_required": ("action required", "bad"),
    "neutral": ("neutral", "neutral"),
    "cancelled": ("cancelled", "neutral"),
    "skipped": ("skipped", "neutral"),
    None: ("in progress", "neutral"),
}

Thread = Sequence[ConversationItem]  # a review comment, then the replies to it


def render_page(
    title: str, author: str, base: str, head: str, items: Sequence[ConversationItem], *, note: str
) -> str:
    """Return the page. `note` stands above everything and names the author of the comments."""
    environment = build_environment("claude_batch.sandbox.demo")
    environment.filters |= {
        "by_file": _group_by_file,
        "location": _describe_location,
        "markdown": render_markdown,
        "parse_time": _parse_time,
        "quoted_hunk": page_diff.parse_quoted_hunk,
        "render_hunk": page_diff.render_hunk,
        "visible": strip_hidden,
    }
    checks = [
        (item, *CONCLUSIONS.get(item.conclusion, (item.conclusion or "", "neutral")))
        for item in items
        if item.kind == "check"
    ]
    page = environment.get_template("demo.html").render(
        title=title,
        author=author,
        base=base,
        head=head,
        note=note,
        timeline=list(_timeline(items)),
        checks=checks,
    )
    # A lone surrogate in a comment has no UTF-8.
    return page.encode("utf-8", "replace").decode()


def _timeline(items: Sequence[ConversationItem]) -> Iterator[tuple[ConversationItem, list[Thread]]]:
    """Yield comments and reviews in order, each with its threads.

    A review without a body is represented by its first comment.
    """
    threads = _threads_by_review(items)
    shown: set[int | None] = set()
    for item in items:
        if item.kind == "comment":
            yield item, []
        elif item.kind != "check":
            review = item.id if item.kind == "review" else item.review
            if review not in shown and (item.kind == "review" or review in threads):
                shown.add(review)
                yield item, threads.get(review, [])


def _threads_by_review(items: Sequence[ConversationItem]) -> Mapping[int | None, list[Thread]]:
    """Return the threads that each review began. A reply belongs to its thread."""
    comments = {item.id: item for item in items if item.kind == "review comment"}
    threads: dict[int, list[ConversationItem]] = {}
    for comment in comments.values():
        first = comment.in_reply_to if comment.in_reply_to in comments else None
        threads.setdefault(first or comment.id, []).append(comment)
    reviews: dict[int | None, list[Thread]] = {}
    for first_id, thread in threads.items():
        reviews.setdefault(comments[first_id].review, []).append(thread)
    return reviews


def _group_by_file(threads: Iterable[Thread]) -> list[tuple[str, list[Thread]]]:
    ordered = sorted(threads, key=lambda thread: (thread[0].path or "", thread[0].line or 0))
    groups = groupby(ordered, key=lambda thread: thread[0].path or "")
    return [(path, list(group)) for path, group in groups]


def _describe_location(item: ConversationItem) -> str:
    if item.line is None:
        return "Outdated" if item.diff_hunk else "The whole file"
    noun = "Old line" if item.side == "LEFT" else "Line"
    if item.start_line in (None, item.line):
        return f"{noun} {item.line}"
    return f"{noun}s {item.start_line} to {item.line}"


def _parse_time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
