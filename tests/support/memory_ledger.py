"""A ledger in memory, for tests of many short histories: the same events and the same files."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from claude_batch.findings.finding import Finding
from claude_batch.ledger import files
from claude_batch.ledger.events import AnswerRecorded, AnyEvent, from_line, to_line
from claude_batch.ledger.store import Write
from claude_batch.ledger.view import LedgerState


@dataclass
class MemoryLedger:
    now: Callable[[], datetime]
    run: str = "run"
    events: list[AnyEvent] = field(default_factory=list)
    shards: dict[str, bytes] = field(default_factory=dict)
    # Called before and after each write; it raises to stop the run there.
    gate: Callable[[str], None] = field(default=lambda moment: None)
    _state: LedgerState | None = None

    def view(self) -> LedgerState:
        if self._state is None:
            self._state = LedgerState.from_events(self.events, shards=self.shards)
        return self._state

    def transact(
        self, decide: Callable[[LedgerState], Write], *, patient: bool = True
    ) -> LedgerState:
        write = decide(self.view())
        if not (write.events or write.shards or write.drops):
            return self.view()
        self.gate("before a write")
        for new in files.encode_write(write, self.now(), self.run):
            if new.events:
                self.events += [from_line(to_line(event)) for event in new.events]
            else:
                self.shards[new.path] = new.content
        for path in write.drops:
            self.shards.pop(path, None)
        self._state = None
        self.gate("after a write")
        return self.view()

    def findings(self, answers: Iterable[AnswerRecorded]) -> Iterator[Finding]:
        for answer in answers:
            if answer.shard in self.shards:
                rows = files.parse_shard(answer.shard, self.shards[answer.shard])
                yield from rows.get(answer.n, ())
