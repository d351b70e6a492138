"""The benchmark of the ledger's size, on a few runs."""

from pathlib import Path

from bench.ledger_runs import Runs
from bench.ledger_size import measure


def test_a_ledger_is_weighed_and_read_as_written_folded_and_squashed(tmp_path: Path) -> None:
    """It checks itself that each read finds every request."""
    sizes = dict(measure(tmp_path, Runs(8, with_text=True), best_of=1))
    assert list(sizes) == ["as written", "folded", "folded and squashed"]
    written, folded, squashed = sizes.values()
    assert written.files > folded.files == squashed.files
    assert folded.kilobytes > written.kilobytes > squashed.kilobytes
    assert all(took.cpu > 0 for size in sizes.values() for took in (size.full, size.shallow))
