"""The ledger's files at one commit, the version of their format, and a pending change to them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import BaseModel, ConfigDict, ValidationError

from claude_batch.errors import CannotRecord, LedgerIsNewer
from claude_batch.git.objects import SpooledObject
from claude_batch.ledger.events import FORMAT
from claude_batch.ledger.files import META, SHARD, ParsedLog, is_unknown_file
from claude_batch.ledger.view import LedgerState


class Meta(BaseModel):
    """The format's version. Unknown keys are allowed, so a newer writer may add some without a
    new `min_reader`."""

    model_config = ConfigDict(frozen=True, strict=True)

    format: int
    min_reader: int

    @classmethod
    def parse(cls, content: bytes | None) -> "Meta | None":
        """None: the file is missing or not readable."""
        try:
            return cls.model_validate_json(content or b"")
        except ValidationError:
            return None


def check_readable(meta: Meta | None) -> None:
    """Raises LedgerIsNewer."""
    if meta and meta.min_reader > FORMAT:
        raise LedgerIsNewer(
            f"the ledger needs reader {meta.min_reader}, and this claude-batch is {FORMAT}",
            "upgrade claude-batch to the version that your workflows use",
        )


def check_writable(meta: Meta | None, ref: str) -> None:
    """Raises LedgerIsNewer or CannotRecord: an unknown format is not written."""
    if meta is None:
        raise CannotRecord(
            f"{ref} has no readable {META}, so nothing is written there",
            f"restore {META} from an older commit of that ref, or let `state.branch` name another",
        )
    if meta.format > FORMAT:
        raise LedgerIsNewer(
            f"the ledger has format {meta.format}, and this claude-batch writes {FORMAT}",
            "upgrade claude-batch to the version that your workflows use; reading still works",
        )


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The files at one commit, and the state that they describe."""

    tip: str | None
    blobs: dict[str, str]  # object ids by path
    meta: Meta | None
    state: LedgerState
    logs: dict[str, ParsedLog] = field(default_factory=dict)

    @classmethod
    def from_files(
        cls, tip: str, blobs: dict[str, str], meta: Meta | None, logs: dict[str, ParsedLog]
    ) -> "Snapshot":
        damaged = [line for log in logs.values() for line in log.damaged]
        state = LedgerState.from_events(
            (event for log in logs.values() for event in log.events),
            (*damaged, *_unknown_files(blobs, meta)),
            filter(SHARD.fullmatch, blobs),
            (index for log in logs.values() for index in log.indexes),
            tuple(path for path, log in logs.items() if log.hides_money),
        )
        sizes = {path: log.size for path, log in logs.items()}
        return cls(tip, blobs, meta, replace(state, log_sizes=sizes), logs)


NO_SNAPSHOT = Snapshot(None, {}, None, LedgerState())


@dataclass(frozen=True, slots=True)
class PendingChange:
    """The changes of one commit."""

    files: Mapping[str, SpooledObject]
    title: str
    drops: Sequence[str] = ()
    logs: Mapping[str, ParsedLog] = field(default_factory=dict)  # those of `files`, parsed

    def is_in(self, blobs: Mapping[str, str]) -> bool:
        """True if a commit with these files contains the change."""
        # Paths are enough: they contain the checksum of the content.
        return self.files.keys() <= blobs.keys() and blobs.keys().isdisjoint(self.drops)


def _unknown_files(blobs: Iterable[str], meta: Meta | None) -> list[str]:
    if meta is None:
        return [f"{META}: not readable, so nothing is written there"]
    return [f"{path}: not a file of the ledger" for path in filter(is_unknown_file, blobs)]
