import re
from datetime import date
from decimal import Decimal

from claude_batch.costs.receipts import MonthToDate, Receipt
from claude_batch.diff.model import SkippedFile
from claude_batch.findings.finding import Severity
from claude_batch.findings.placement import DROP_REASONS, DroppedFinding
from claude_batch.ledger.events import Estimate
from claude_batch.pull_requests import comment
from claude_batch.pull_requests.summary import (
    LISTED,
    REASON_TEXT,
    FindingOutcome,
    ReviewCoverage,
    render_check_summary,
    render_submit_summary,
    render_summary,
)
from responses import finding, placed

HEAD = "0123456789abcdef0123456789abcdef01234567"
RECEIPT = Receipt(
    usd=Decimal("0.0123"),
    usd_standard=Decimal("0.0271"),
    saved_by_batch=Decimal("0.0123"),
    saved_by_cache=Decimal("0.0025"),
    saved_by_dedupe=Decimal("1.5"),
    input_tokens=12_345,
    output_tokens=678,
    cache_read_tokens=9_000,
    cache_write_tokens=3_000,
    models=("claude-sonnet-5-5",),
    requests=3,
    unpriced=1,
    month=MonthToDate(day=date(2026, 11, 22), usd=Decimal("3.2"), budget_usd=Decimal(25)),
)
RECEIPT_TABLE = """\
| Receipt | |
|---|---:|
| Model | `claude-sonnet-5-5` |
| Requests | 3 |
| Input tokens | 12,345 |
| Input tokens written to cache | 3,000 |
| Input tokens read from cache | 9,000 |
| Output tokens | 678 |
| **Paid** | **$0.0123** |
| At standard price | $0.0271 |
| Saved by batching | $0.0123 |
| Saved by caching | $0.0025 |
| Saved by reuse | $1.50 |
| Whole repository, month to 2026-11-22 | $3.20 of $25.00 |

1 answer without a known price or usage, not in these sums."""


def test_a_summary_with_everything() -> None:
    told = FindingOutcome(
        inline=2,
        summarized=(
            placed(1, (10, 12), title="A loop too many", body="It runs twice.\n\nOnce will do."),
            placed(2, (7, 7), severity=Severity.LOW, body=""),
        ),
        dropped=(
            DroppedFinding(finding(3, title="Somewhere", task=None), "unplaced"),
            DroppedFinding(finding(4), "changed_meanwhile"),
            DroppedFinding(finding(5), "changed_meanwhile"),
            DroppedFinding(finding(6), "refuted"),
            DroppedFinding(finding(1), "over_limit"),
        ),
    )
    coverage = ReviewCoverage(
        HEAD,
        answered=31,
        reused=28,
        in_flight=1,
        waiting=1,
        failed=1,
        left_out=(
            SkippedFile("z.png", "binary"),
            SkippedFile("a.lock", "generated"),
            SkippedFile("b|`<", "binary"),
        ),
    )
    assert (
        render_summary(told, coverage, RECEIPT)
        == f"""\
## claude-batch

5 findings at 0123456789: 2 inline, 3 in this summary. \
31 tasks reviewed, 28 of them reused, 1 in flight, 1 waiting, 1 failed.

<details>
<summary>3 findings without an inline comment</summary>

- `src/a.py:10-12` medium · bug: **A loop too many** It runs twice. Once will do.
- `src/a.py:7` low · bug: **Title 2**
- `src/a.py` medium · bug: **Somewhere** Body 3.

</details>

Not shown: 2 (code changed since the review), 1 (refuted by the second look).

<details>
<summary>3 files not reviewed</summary>

- binary: <code>b\\|\\`&lt;</code>, `z.png`
- generated: `a.lock`

</details>

{RECEIPT_TABLE}

<!-- claude-batch:summary -->"""
    )


def test_nothing_found() -> None:
    told, coverage = FindingOutcome(0, (), ()), ReviewCoverage(HEAD, answered=1)
    assert render_check_summary(told, coverage, Receipt(), whole=True) == (
        "0 findings at 0123456789. 1 task reviewed."
    )
    assert render_check_summary(told, coverage, RECEIPT, whole=True).endswith(RECEIPT_TABLE)


def test_the_receipt_stands_once() -> None:
    told, coverage = FindingOutcome(1, (), ()), ReviewCoverage(HEAD, answered=4, waiting=1)
    assert render_check_summary(told, coverage, RECEIPT, whole=False) == (
        "1 finding at 0123456789: 1 inline, 0 in this summary. 4 tasks reviewed, 1 waiting."
    )


def test_every_reason_has_its_way_of_being_told() -> None:
    assert {*REASON_TEXT, *LISTED, "over_limit"} == set(DROP_REASONS)


def test_the_longest_summary_fits() -> None:
    told = FindingOutcome(
        0, tuple(placed(n, title="&" * 300, body="<" * 900) for n in range(99)), ()
    )
    files = tuple(SkippedFile(f"{'x|<' * 90}{n}", f"reason {n % 7}") for n in range(500))
    text = render_summary(told, ReviewCoverage(HEAD, 1, left_out=files), RECEIPT)
    assert len(text) < comment.MAX_BODY
    assert re.search(r"\n- and \d\d more; `claude-batch findings` lists all\n\n</details>", text)
    assert "`claude-batch show` lists all" in text
    assert comment.read_marker(text) == "summary"


def test_many_files_of_one_reason_are_counted() -> None:
    files = tuple(SkippedFile(f"f{n:02}", "excluded") for n in range(23))
    text = render_summary(
        FindingOutcome(1, (), ()), ReviewCoverage(HEAD, 1, left_out=files), Receipt()
    )
    assert "<summary>23 files not reviewed</summary>" in text
    assert "`f18`, `f19` and 3 more" in text


def test_what_a_submit_says() -> None:
    estimate = Estimate(
        input_tokens=1,
        output_tokens=1,
        usd=Decimal("0.0312"),
        usd_standard=Decimal("0.0624"),
        usd_max=Decimal("0.41"),
    )
    said = render_submit_summary(
        "pull request 7",
        new=3,
        known=28,
        waiting=2,
        left_out=[SkippedFile("a.lock", "generated")],
        estimate=estimate,
    )
    assert (
        said
        == """\
**pull request 7**: 3 tasks sent for review, 28 already known, 2 waiting.

Estimated: $0.0312 ($0.0624 without batching), at most $0.41.

<details>
<summary>1 file not reviewed</summary>

- generated: `a.lock`

</details>"""
    )


def test_a_submit_says_what_was_given_up_for_the_budget() -> None:
    steps = ["claude-haiku-5-5 instead of claude-sonnet-5-5", "only the riskiest files"]
    said = render_submit_summary(
        "main..x", new=3, known=0, waiting=0, left_out=(), estimate=None, steps=steps
    )
    assert said.split("\n\n")[1] == (
        "Over budget, reduced by: `claude-haiku-5-5 instead of claude-sonnet-5-5`; "
        "`only the riskiest files`."
    )


def test_a_submit_with_nothing_to_send() -> None:
    said = render_submit_summary("main..x", new=0, known=31, waiting=0, left_out=(), estimate=None)
    assert said == "**main..x**: nothing sent, 31 already known."
