"""The JSON and the text of `collect`."""

from claude_batch.batches.collect_result import CollectResult
from claude_batch.cli.output.json_writer import Json, select
from claude_batch.cli.output.receipt import receipt_document, receipt_lines
from claude_batch.formatting import count

PURPOSE = {
    "verify": "sent for a second look",
    "retry": "sent again",
    "split": "sent again, one task per request",
}


def collect_document(result: CollectResult) -> Json:
    errors = dict(result.errors)
    return {
        "batches": [
            {"id": batch, "status": status} | ({"error": errors[batch]} if batch in errors else {})
            for batch, status in result.batches
        ],
        "answers": result.counts(),
        "findings": result.tally.findings,
        "refuted": result.tally.refuted,
        "submitted": [select(batch, "id", "requests", "tasks", "follows") for batch in result.sent],
        "receipt": receipt_document(result.receipt),
        "notes": result.notes,
    }


def collect_text(result: CollectResult) -> str:
    tally = result.tally
    lines = [f"batch {batch}: {status}" for batch, status in result.batches]
    lines += [f"note: {note}" for note in result.notes]
    if result.answers:
        counts = [f"{number:,} {name}" for name, number in result.counts().items() if number]
        lines.append(f"answers: {', '.join(counts)}; {count(tally.findings, 'finding')}")
        lines += receipt_lines(tally.receipt)
    if tally.refuted:
        lines.append(f"refuted by a second look: {count(tally.refuted, 'finding')}")
    lines += [
        f"{PURPOSE.get(batch.follows or '', 'sent')}: "
        f"{f'batch {batch.id}' if batch.id else 'at once'} ({count(batch.requests, 'request')})"
        for batch in result.sent
    ]
    lines += [f"{answer.outcome}: {answer.error}" for answer in tally.failed]
    return "\n".join(lines) or "nothing is open"
