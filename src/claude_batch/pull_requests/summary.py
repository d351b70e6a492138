"""The Markdown of the one summary comment, of the check run and of the step summary."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby

from claude_batch.costs.receipts import MonthToDate, Receipt, twice
from claude_batch.diff.model import SkippedFile
from claude_batch.findings.finding import Finding, label
from claude_batch.findings.placement import REASONS, Dropped, Placed, Reason
from claude_batch.formatting import count, dollars
from claude_batch.ledger.events import Estimate
from claude_batch.markdown import code_span, cut, escape_line
from claude_batch.pull_requests.marker import SUMMARY, marked

# Together below what GitHub takes, whatever the lists hold.
ROOM_FOR_FINDINGS = 36_000
ROOM_FOR_FILES = 12_000
NAMED = 20  # files of each reason

# These are listed with their text; the others are counted.
LISTED: tuple[Reason, ...] = ("unplaced", "outside_diff")

IN_WORDS: dict[Reason, str] = {
    "changed_meanwhile": "the code has changed meanwhile",
    "refuted": "a second look refuted it",
    "silenced": "somebody asked for silence",
    "duplicate": "said already",
    "low_confidence": "low severity and low confidence",
    "malformed": "the answer was malformed",
    "closed": "the pull request is closed",
}


@dataclass(frozen=True, slots=True)
class ReviewCoverage:
    """How far the review of a head has come, in tasks."""

    head: str
    answered: int
    reused: int = 0  # of those answered: known before this pull request asked
    pending: int = 0
    failed: int = 0
    waiting: int = 0  # findings whose second look is open
    left_out: tuple[SkippedFile, ...] = ()


@dataclass(frozen=True, slots=True)
class FindingOutcome:
    """What became of the findings."""

    inline: int
    folded: tuple[Placed, ...]
    dropped: tuple[Dropped, ...]
    unverified: Collection[str] = ()  # finding ids: a second look was due and did not come

    @property
    def listed(self) -> tuple[Dropped, ...]:
        return tuple(one for one in self.dropped if one.reason in LISTED)

    @property
    def standing(self) -> int:
        return self.inline + len(self.folded) + len(self.listed)


def summary(told: FindingOutcome, coverage: ReviewCoverage, receipt: Receipt) -> str:
    """The body of the summary comment."""
    return marked("\n\n".join(["## claude-batch", *_parts(told, coverage, receipt)]), SUMMARY)


def check_title(told: FindingOutcome, coverage: ReviewCoverage) -> str:
    found = count(told.standing, "finding") if told.standing else "Nothing found"
    pending = coverage.pending + coverage.waiting
    return f"{found}, {pending:,} pending" if pending else found


def check_summary(
    told: FindingOutcome, coverage: ReviewCoverage, receipt: Receipt, *, whole: bool
) -> str:
    """`whole` when there is no summary comment: lists and receipt stand once."""
    parts = _parts(told, coverage, receipt)
    return "\n\n".join(parts) if whole else parts[0]


def render_submit_summary(
    coverage: ReviewCoverage,
    batches: Sequence[str],
    estimate: Estimate | None,
    expires_at: datetime | None,
    steps: Sequence[str] = (),
) -> str:
    """After a submit. Without batches there was nothing to send. `steps` of the ladder."""
    new = count(coverage.pending, "task")
    known = f"{coverage.answered:,} already known"
    parts = ["## claude-batch", f"{new} sent for review, {known}."]
    if not batches:
        parts[-1] = f"Nothing to send: {count(coverage.answered, 'task')} known, none new."
    if steps:
        parts.append("Over budget, so: " + "; ".join(map(code_span, steps)) + ".")
    if estimate:
        parts.append(
            f"Estimated: {dollars(estimate.usd)} ({dollars(estimate.usd_standard)} without "
            f"batching), at most {dollars(estimate.usd_max)}."
        )
    if expires_at:
        parts.append(
            "Most batches end within an hour; this one ends or expires by "
            f"{expires_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC. The findings are posted by the "
            "first collecting run after that."
        )
    if batches:
        commands = "\n".join(f"    claude-batch cancel {batch}" for batch in batches)
        parts.append(f"To cancel:\n\n{commands}")
    return "\n\n".join([*parts, *_not_reviewed(coverage.left_out)])


def _parts(told: FindingOutcome, coverage: ReviewCoverage, receipt: Receipt) -> list[str]:
    return [
        _counts(told, coverage),
        *_folded(told),
        *_dropped(told.dropped),
        *_not_reviewed(coverage.left_out),
        *_receipt(receipt),
    ]


def _counts(told: FindingOutcome, coverage: ReviewCoverage) -> str:
    below = told.standing - told.inline
    found = f"{count(told.standing, 'finding')} at {coverage.head[:10]}"
    if told.standing:
        found += f": {told.inline:,} at the lines, {below:,} below"
    done = f"{count(coverage.answered, 'task')} reviewed"
    if coverage.reused:
        done += f", {coverage.reused:,} of them known before"
    if coverage.pending:
        done += f", {coverage.pending:,} still under way"
    if coverage.failed:
        done += f", {coverage.failed:,} failed"
    if coverage.waiting:
        done += f". {count(coverage.waiting, 'finding')} waiting for a second look"
    return f"{found}. {done}."


def _folded(told: FindingOutcome) -> list[str]:
    rows = [_item(one.finding, f"{one.path}:{_span(one)}", told) for one in told.folded] + [
        _item(one.finding, one.finding.path, told) for one in told.listed
    ]
    if not rows:
        return []
    title = count(len(rows), "finding") + " not at the lines"
    return [_details(title, _within(rows, ROOM_FOR_FINDINGS, "`claude-batch findings` lists all"))]


def _item(finding: Finding, where: str, told: FindingOutcome) -> str:
    title, text = escape_line(finding.title), escape_line(finding.body, 600)
    said = label(finding, unverified=finding.id in told.unverified)
    return f"- {code_span(where)} {said}: **{title}** {text}".rstrip()


def _span(placed: Placed) -> str:
    if placed.first_line == placed.line:
        return str(placed.line)
    return f"{placed.first_line}-{placed.line}"


def _dropped(dropped: Iterable[Dropped]) -> list[str]:
    counts = Counter(one.reason for one in dropped)
    said = [f"{counts[r]:,} ({IN_WORDS[r]})" for r in REASONS if counts[r] and r in IN_WORDS]
    return [f"Not shown: {', '.join(said)}."] if said else []


def _not_reviewed(left_out: Iterable[SkippedFile]) -> list[str]:
    files = sorted(left_out, key=lambda one: (one.reason, one.path))
    if not files:
        return []
    groups = groupby(files, key=lambda one: one.reason)
    rows = [_named(reason, [one.path for one in group]) for reason, group in groups]
    title = count(len(files), "file") + " not reviewed"
    return [_details(title, _within(rows, ROOM_FOR_FILES, "`claude-batch show` lists all"))]


def _named(reason: str, paths: Sequence[str]) -> str:
    names = ", ".join(code_span(cut(path, 200)) for path in paths[:NAMED])
    more = f" and {len(paths) - NAMED:,} more" if len(paths) > NAMED else ""
    return f"- {escape_line(reason)}: {names}{more}"


def _within(rows: Sequence[str], room: int, rest: str) -> str:
    shown: list[str] = []
    used = 0
    for row in rows:
        used += len(row) + 1
        if used > room:
            shown.append(f"- and {len(rows) - len(shown):,} more; {rest}")
            break
        shown.append(row)
    return "\n".join(shown)


def _details(title: str, text: str) -> str:
    return f"<details>\n<summary>{title}</summary>\n\n{text}\n\n</details>"


def _receipt(receipt: Receipt) -> list[str]:
    if not receipt.requests:
        return []
    rows = [
        ("Model", ", ".join(code_span(model) for model in receipt.models) or "none"),
        ("Requests", f"{receipt.requests:,}"),
        ("Input tokens", f"{receipt.input_tokens:,}"),
        ("Input tokens written to cache", f"{receipt.cache_write_tokens:,}"),
        ("Input tokens read from cache", f"{receipt.cache_read_tokens:,}"),
        ("Output tokens", f"{receipt.output_tokens:,}"),
        ("**Paid**", f"**{dollars(receipt.usd)}**"),
        ("At standard price", dollars(receipt.usd_standard)),
        ("Saved by batching", dollars(receipt.saved_by_batch)),
        ("Saved by caching", dollars(receipt.saved_by_cache)),
        ("Not asked again", dollars(receipt.saved_by_dedupe)),
        *_month(receipt.month),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    parts = [f"| Receipt | |\n|---|---:|\n{table}"]
    if receipt.unpriced:
        answers = count(receipt.unpriced, "answer")
        parts.append(f"{answers} without a known price or usage: not in these sums.")
    if receipt.lost_usd:
        parts.append(f"Lost in the lane `now`: {twice(receipt.lost_usd)}.")
    return parts


def _month(found: MonthToDate | None) -> list[tuple[str, str]]:
    if found is None:
        return []
    limit = "" if found.budget_usd is None else f" of {dollars(found.budget_usd)}"
    return [(f"Whole repository, month to {found.day}", dollars(found.usd) + limit)]
