"""A pull request's conversation as one HTML file: no script, nothing fetched, works offline.

Everything that others wrote is escaped or goes through `page_markdown`; the policy in the head
would stop whatever got past them.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import resources
from itertools import groupby

from claude_batch.diff.model import Line
from claude_batch.markdown import strip_hidden
from claude_batch.sandbox.demo import page_diff
from claude_batch.sandbox.demo.conversation import ConversationItem
from claude_batch.sandbox.demo.page_markdown import render_markdown

POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
BOT = "[bot]"

# The word for a check's conclusion, and the class by which it is coloured.
CONCLUSIONS = {
    "success": ("passed", "good"),
    "failure": ("failed", "bad"),
    "timed_out": ("timed out", "bad"),
    "action_required": ("needs somebody", "bad"),
    "neutral": ("neutral", "neutral"),
    "cancelled": ("cancelled", "neutral"),
    "skipped": ("skipped", "neutral"),
    None: ("under way", "neutral"),
}

Thread = Sequence[ConversationItem]  # a review comment, then the replies to it


def render_page(
    title: str, author: str, base: str, head: str, said: Sequence[ConversationItem], *, note: str
) -> str:
    """`note` stands above everything: it says who really wrote what is shown."""
    style = (
        resources.files("claude_batch").joinpath("sandbox", "demo", "page.css").read_text("utf-8")
    )
    timeline = "".join(_timeline(said)) or '<p class="quiet">Nothing has been said yet.</p>\n'
    checks = "".join(_check(each) for each in said if each.kind == "check")
    whole = f"""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{_plain(title)}</title>
<style>
{style}</style>
</head>
<body>
<p class="note">{_plain(note)}</p>
<main>
<header>
<h1>{_plain(title)}</h1>
<p>{_who(author)} wants to merge <code>{_plain(head)}</code> into <code>{_plain(base)}</code></p>
</header>
{timeline}{f'<section class="checks"><h2>Checks</h2>{checks}</section>' if checks else ""}
</main>
</body>
</html>
"""
    return whole.encode("utf-8", "replace").decode()


def _timeline(said: Sequence[ConversationItem]) -> Iterator[str]:
    """In the order in which it was said; what belongs to one review stands together."""
    reviews = _reviews(said)
    shown: set[int | None] = set()
    for each in said:
        if each.kind == "comment":
            yield _comment(each, "commented")
        elif each.kind != "check":
            number = each.id if each.kind == "review" else each.review
            if number not in shown and (each.kind == "review" or number in reviews):
                shown.add(number)
                yield _review(each, reviews.get(number, []))


def _reviews(said: Sequence[ConversationItem]) -> Mapping[int | None, list[Thread]]:
    """The threads that each review began. A reply goes to its thread, whatever its own review."""
    remarks = {each.id: each for each in said if each.kind == "review comment"}
    threads: dict[int, list[ConversationItem]] = {}
    for each in remarks.values():
        first = each.in_reply_to if each.in_reply_to in remarks else None
        threads.setdefault(first or each.id, []).append(each)
    reviews: dict[int | None, list[Thread]] = {}
    for number, thread in threads.items():
        reviews.setdefault(remarks[number].review, []).append(thread)
    return reviews


def _review(first: ConversationItem, threads: Sequence[Thread]) -> str:
    """`first` is the review if it has words of its own, else its first comment."""
    count = len(threads)
    about = f" · {count} {'thread' if count == 1 else 'threads'}" if count else ""
    words = (
        f'<div class="words">{render_markdown(first.body)}</div>' if first.kind == "review" else ""
    )
    files = "".join(_file(path, group) for path, group in _by_file(threads))
    return (
        f'<section class="review"><p class="by">{_by(first, "reviewed")}{about}</p>\n'
        f"{words}{files}</section>\n"
    )


def _by_file(threads: Iterable[Thread]) -> Iterator[tuple[str, list[Thread]]]:
    rows = sorted(threads, key=lambda thread: (thread[0].path or "", thread[0].line or 0))
    for path, group in groupby(rows, key=lambda thread: thread[0].path or ""):
        yield path, list(group)


def _file(path: str, threads: Iterable[Thread]) -> str:
    shown = "".join(map(_thread, threads))
    return f'<section class="file"><h2><code>{_plain(path)}</code></h2>\n{shown}</section>\n'


def _thread(thread: Thread) -> str:
    shown = page_diff.quoted(thread[0])
    quotation = page_diff.hunk(shown) if shown else ""
    about = shown.about if shown else None
    comments = "".join(_comment(each, "commented", about) for each in thread)
    by = thread[0].resolved_by
    resolved = f" · resolved by {_who(by)}" if by else ""
    where = f'<p class="where">{_where(thread[0])}{resolved}</p>'
    return f'<div class="thread">{where}{quotation}\n{comments}</div>\n'


def _where(said: ConversationItem) -> str:
    if said.line is None:
        return "Outdated" if said.diff_hunk else "The whole file"
    old = "Old line" if said.side == "LEFT" else "Line"
    if said.start_line in (None, said.line):
        return f"{old} {said.line}"
    return f"{old}s {said.start_line} to {said.line}"


def _comment(said: ConversationItem, did: str, about: Sequence[Line] | None = None) -> str:
    edited = " · edited" if said.edited else ""
    return (
        f'<article class="comment" id="said-{said.id}">'
        f'<p class="by">{_by(said, did)}{edited}</p>\n'
        f'<div class="words">{render_markdown(said.body, about)}</div></article>\n'
    )


def _check(said: ConversationItem) -> str:
    word, look = CONCLUSIONS.get(said.conclusion, (said.conclusion or "", "neutral"))
    return (
        f'<article class="check {look}"><h3>{_plain(said.title)} '
        f"<small>{_plain(word)}</small></h3>\n"
        f'<div class="words">{render_markdown(said.body)}</div></article>\n'
    )


def _by(said: ConversationItem, did: str) -> str:
    initial = escape(strip_hidden(said.login)[:1].upper())
    picture = f'<span class="picture" aria-hidden="true">{initial}</span>'
    return f"{picture}{_who(said.login)} {did} {_time(said.created_at)}"


def _who(login: str) -> str:
    name = f"<b>{_plain(login.removesuffix(BOT))}</b>"
    return f'{name} <small class="bot">bot</small>' if login.endswith(BOT) else name


def _time(stamp: str) -> str:
    try:
        at = datetime.fromisoformat(stamp).astimezone(UTC)
    except ValueError:
        return _plain(stamp)
    return f'<time datetime="{escape(stamp)}">{at:%Y-%m-%d %H:%M} UTC</time>'


def _plain(text: str) -> str:
    return escape(strip_hidden(text))
