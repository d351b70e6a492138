"""What stands in the tree of one commit of the ledger, and what a write changes there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from claude_batch import ledger_files
from claude_batch.ledger import View
from claude_batch.ledger_files import META, SHARD, Meta, Parsed
from claude_batch.plumbing import Content


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What was read at one tip."""

    tip: str | None
    blobs: dict[str, str]  # path to id
    meta: Meta | None
    view: View
    logs: dict[str, Parsed] = field(default_factory=dict)

    @classmethod
    def of(
        cls, tip: str, blobs: dict[str, str], meta: Meta | None, logs: dict[str, Parsed]
    ) -> "Snapshot":
        damaged = [line for file in logs.values() for line in file.damaged]
        events = (event for file in logs.values() for event in file.events)
        sheets = (sheet for file in logs.values() for sheet in file.sheets)
        view = View.of(
            events, (*damaged, *_strange(blobs, meta)), filter(SHARD.fullmatch, blobs), sheets
        )
        sizes = {path: file.size for path, file in logs.items()}
        return cls(tip, blobs, meta, replace(view, logs=sizes), logs)


NOTHING = Snapshot(None, {}, None, View())


def _strange(blobs: Iterable[str], meta: Meta | None) -> list[str]:
    if meta is None:
        return [f"{META}: not readable, so nothing is written there"]
    return [f"{path}: not a file of the ledger" for path in filter(ledger_files.is_stray, blobs)]


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does to the files."""

    files: Mapping[str, Content]
    title: str
    drops: Sequence[str] = ()
    logs: Mapping[str, Parsed] = field(default_factory=dict)  # what is known of the files

    def is_in(self, blobs: Mapping[str, str]) -> bool:
        """Names are enough: they carry the checksum of what is in the file."""
        return self.files.keys() <= blobs.keys() and blobs.keys().isdisjoint(self.drops)
