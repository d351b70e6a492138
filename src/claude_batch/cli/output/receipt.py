"""The JSON and the text of a receipt."""

from claude_batch.cli.output.json_writer import Json
from claude_batch.costs.receipts import Receipt, describe_double_payment
from claude_batch.formatting import count, dollars

SAVED_BY = {"saved_by_batch", "saved_by_cache", "saved_by_dedupe"}


def receipt_document(receipt: Receipt) -> Json:
    return {
        **receipt.model_dump(exclude={"requests", "month", *SAVED_BY}),
        "saved_usd": receipt.saved_usd,
        "saved_by": {
            "batch": receipt.saved_by_batch,
            "cache": receipt.saved_by_cache,
            "dedupe": receipt.saved_by_dedupe,
        },
    }


def receipt_lines(receipt: Receipt) -> list[str]:
    lines = [
        f"receipt: {dollars(receipt.usd)} paid, {dollars(receipt.usd_standard)} at standard price, "
        f"{dollars(receipt.saved_usd)} saved ({dollars(receipt.saved_by_batch)} by batching, "
        f"{dollars(receipt.saved_by_cache)} by caching)",
        f"tokens: {receipt.input_tokens:,} in, {receipt.output_tokens:,} out, "
        f"{receipt.cache_read_tokens:,} read from cache, "
        f"{receipt.cache_write_tokens:,} written to it",
    ]
    if receipt.saved_by_dedupe:
        lines.append(
            f"reused: answers worth {dollars(receipt.saved_by_dedupe)} were paid for before"
        )
    if receipt.unpriced:
        lines.append(f"unknown: {count(receipt.unpriced, 'answer')} without a known price or usage")
    if receipt.lost_usd:
        lines.append(f"lost: {describe_double_payment(receipt.lost_usd)}")
    return lines
