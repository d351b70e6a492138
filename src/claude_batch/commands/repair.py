"""`doctor --repair`: puts back what somebody damaged, deleted or took away from the ledger.

Only what git still has, and only by adding a commit: strays stay, and nothing is rewritten.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from claude_batch import ledger_files, mending
from claude_batch.edges.ledger_history import LedgerHistory
from claude_batch.edges.state_branch import GitLedger
from claude_batch.ledger_files import META, Meta
from claude_batch.mending import Loss


@dataclass(frozen=True, slots=True)
class Repair:
    """`brought_back`: the commit, if the remote had lost the whole ref."""

    ref: str
    brought_back: str | None
    put_back: tuple[str, ...]
    lost: tuple[Loss, ...]


def repair(ledger: GitLedger, history: LedgerHistory, tell: Callable[[str], None]) -> Repair:
    gone = ledger.gone()
    if gone:
        tell(f"{ledger.ref} is gone from {ledger.remote}: what was seen last here is pushed again")
        ledger.bring_back(gone)
    mended: Mapping[str, bytes] = {}
    lost: tuple[Loss, ...] = ()

    def find(tip: str) -> Mapping[str, bytes]:
        nonlocal mended, lost
        found = history.examined(tip)
        now, mended = found.now, found.originals
        ledger_files.check_readable(Meta.parse(now.get(META)))
        if META in mended:
            ledger_files.check_writable(Meta.parse(mended[META]), ledger.ref)
        gone = [path for path in found.broken if path not in mended]
        lost = tuple(mending.loss(path, now.get(path, b"")) for path in gone)
        return mended

    ledger.mend(find)
    return Repair(ledger.ref, gone, tuple(mended), lost)
