"""How far estimates were off, by kind and model."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

from claude_batch.entry import Entry
from claude_batch.receipt import ZERO


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Of requests that were billed at a known price."""

    kind: str
    model: str
    requests: int
    usd_estimated: Decimal
    usd: Decimal

    @property
    def error_percent(self) -> int | None:
        """Of what was paid; above zero the estimate was too high. None where nothing was paid."""
        if not self.usd:
            return None
        share = (self.usd_estimated - self.usd) / self.usd * 100
        return int(share.quantize(Decimal(1), ROUND_HALF_UP))


def accuracy(found: Iterable[Entry]) -> tuple[Accuracy, ...]:
    named: dict[tuple[str, str], list[Entry]] = {}
    for entry in found:
        if entry.answer.usd is not None:
            named.setdefault((entry.spot.kind, entry.spot.model), []).append(entry)
    return tuple(
        Accuracy(
            kind=kind,
            model=model,
            requests=len(rows),
            usd_estimated=sum((row.asked.estimate.usd for row in rows), ZERO),
            usd=sum((row.answer.usd or ZERO for row in rows), ZERO),
        )
        for (kind, model), rows in sorted(named.items())
    )
