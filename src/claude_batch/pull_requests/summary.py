"""The Markdown of the summary comment, the check run and the step summary of a submit."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from claude_batch.costs.receipts import MonthToDate, Receipt, describe_double_payment
from claude_batch.diff.model import SkippedFile
from claude_batch.findings.finding import Finding, render_label
from claude_batch.findings.placement import DROP_REASONS, DroppedFinding, DropReason, PlacedFinding
from claude_batch.formatting import count, dollars
from claude_batch.ledger.events import Estimate
from claude_batch.markdown import code_span, escape_line, truncate
from claude_batch.pull_requests.check_run import ReviewCoverage
from claude_batch.pull_requests.comment import SUMMARY, append_marker

# In characters, together below GitHub's limit for a comment.
ROOM_FOR_FINDINGS = 36_000
ROOM_FOR_FILES = 12_000
MAX_NAMED_FILES = 20  # of each reason

# Findings dropped for these reasons are listed with their text, the others are counted.
LISTED: tuple[DropReason, ...] = ("unplaced", "outside_diff")

REASON_TEXT: dict[DropReason, str] = {
    "changed_meanwhile": "code changed since the review",
    "refuted": "refuted by the second look",
    "silenced": "silenced by a reviewer",
    "duplicate": "duplicate",
    "low_confidence": "low severity and low confidence",
    "malformed": "malformed answer",
    "closed": "pull request closed",
}


@dataclass(frozen=True, slots=True)
class FindingOutcome:
    """The findings of a pull request, by where they are shown."""

    inline: int
    summarized: tuple[PlacedFinding, ...]
    dropped: tuple[DroppedFinding, ...]
    unverified: Collection[str] = ()  # finding ids: their second look did not come in time

    @property
    def listed(self) -> tuple[DroppedFinding, ...]:
        return tuple(dropped for dropped in self.dropped if dropped.reason in LISTED)

    @property
    def shown(self) -> int:
        return self.inline + len(self.summarized) + len(self.listed)


def render_summary(outcome: FindingOutcome, coverage: ReviewCoverage, receipt: Receipt) -> str:
    """The body of the summary comment."""
    return append_marker(
        "\n\n".join(["## claude-batch", *_parts(outcome, coverage, receipt)]), SUMMARY
    )


def render_check_summary(
    outcome: FindingOutcome, coverage: ReviewCoverage, receipt: Receipt, *, whole: bool
) -> str:
    """The counts; with lists and receipt if `whole`, for a head without a summary comment."""
    parts = _parts(outcome, coverage, receipt)
    return "\n\n".join(parts) if whole else parts[0]


def render_submit_summary(
    source: str,
    *,
    new: int,
    known: int,
    waiting: int,
    left_out: Iterable[SkippedFile],
    estimate: Estimate | None,
    steps: Sequence[str] = (),
) -> str:
    """The step summary of one plan. Counts of tasks; `steps` of the budget ladder."""
    sent = f"{count(new, 'task')} sent for review" if new else "nothing sent"
    wait = f", {waiting:,} waiting" if waiting else ""
    parts = [f"**{escape_line(source)}**: {sent}, {known:,} already known{wait}."]
    if steps:
        parts.append("Over budget, reduced by: " + "; ".join(map(code_span, steps)) + ".")
    if estimate:
        parts.append(
            f"Estimated: {dollars(estimate.usd)} ({dollars(estimate.usd_standard)} without "
            f"batching), at most {dollars(estimate.usd_max)}."
        )
    return "\n\n".join([*parts, *_not_reviewed(left_out)])


def _parts(outcome: FindingOutcome, coverage: ReviewCoverage, receipt: Receipt) -> list[str]:
    return [
        _counts(outcome, coverage),
        *_finding_list(outcome),
        *_drop_counts(outcome.dropped),
        *_not_reviewed(coverage.left_out),
        *_receipt(receipt),
    ]


def _counts(outcome: FindingOutcome, coverage: ReviewCoverage) -> str:
    summarized = outcome.shown - outcome.inline
    findings = f"{count(outcome.shown, 'finding')} at {coverage.head[:10]}"
    if outcome.shown:
        findings += f": {outcome.inline:,} inline, {summarized:,} in this summary"
    done = f"{count(coverage.answered, 'task')} reviewed"
    if coverage.reused:
        done += f", {coverage.reused:,} of them reused"
    if coverage.in_flight:
        done += f", {coverage.in_flight:,} in flight"
    if coverage.waiting:
        done += f", {coverage.waiting:,} waiting"
    if coverage.failed:
        done += f", {coverage.failed:,} failed"
    if coverage.unverified:
        done += f". {count(coverage.unverified, 'finding')} waiting for a second look"
    return f"{findings}. {done}."


def _finding_list(outcome: FindingOutcome) -> list[str]:
    rows = [
        *(
            _item(placed.finding, f"{placed.path}:{placed.line_range}", outcome)
            for placed in outcome.summarized
        ),
        *(_item(dropped.finding, dropped.finding.path, outcome) for dropped in outcome.listed),
    ]
    if not rows:
        return []
    title = count(len(rows), "finding") + " without an inline comment"
    return [
        _details(title, _cut_rows(rows, ROOM_FOR_FINDINGS, "`claude-batch findings` lists all"))
    ]


def _item(finding: Finding, where: str, outcome: FindingOutcome) -> str:
    title, text = escape_line(finding.title), escape_line(finding.body, 600)
    severity = render_label(finding, unverified=finding.id in outcome.unverified)
    return f"- {code_span(where)} {severity}: **{title}** {text}".rstrip()


def _drop_counts(dropped: Iterable[DroppedFinding]) -> list[str]:
    counts = Counter(finding.reason for finding in dropped)
    reasons = [reason for reason in DROP_REASONS if counts[reason] and reason in REASON_TEXT]
    parts = [f"{counts[reason]:,} ({REASON_TEXT[reason]})" for reason in reasons]
    return [f"Not shown: {', '.join(parts)}."] if parts else []


def _not_reviewed(left_out: Iterable[SkippedFile]) -> list[str]:
    files = sorted(left_out, key=lambda file: (file.reason, file.path))
    if not files:
        return []
    groups = groupby(files, key=lambda file: file.reason)
    rows = [_file_list(reason, [file.path for file in group]) for reason, group in groups]
    title = count(len(files), "file") + " not reviewed"
    return [_details(title, _cut_rows(rows, ROOM_FOR_FILES, "`claude-batch show` lists all"))]


def _file_list(reason: str, paths: Sequence[str]) -> str:
    names = ", ".join(code_span(truncate(path, 200)) for path in paths[:MAX_NAMED_FILES])
    more = f" and {len(paths) - MAX_NAMED_FILES:,} more" if len(paths) > MAX_NAMED_FILES else ""
    return f"- {escape_line(reason)}: {names}{more}"


def _cut_rows(rows: Sequence[str], room: int, hint: str) -> str:
    shown: list[str] = []
    used = 0
    for row in rows:
        used += len(row) + 1
        if used > room:
            shown.append(f"- and {len(rows) - len(shown):,} more; {hint}")
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
        ("Saved by reuse", dollars(receipt.saved_by_dedupe)),
        *_month(receipt.month),
    ]
    table = "\n".join(f"| {name} | {value} |" for name, value in rows)
    parts = [f"| Receipt | |\n|---|---:|\n{table}"]
    if receipt.unpriced:
        answers = count(receipt.unpriced, "answer")
        parts.append(f"{answers} without a known price or usage, not in these sums.")
    if receipt.lost_usd:
        parts.append(f"Lost in the lane `now`: {describe_double_payment(receipt.lost_usd)}.")
    return parts


def _month(month: MonthToDate | None) -> list[tuple[str, str]]:
    if month is None:
        return []
    limit = "" if month.budget_usd is None else f" of {dollars(month.budget_usd)}"
    return [(f"Whole repository, month to {month.day}", dollars(month.usd) + limit)]
