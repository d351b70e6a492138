"""`doctor --repair` on a real remote: what git has is put back, the rest is told in dollars."""

import os
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from claude_batch.errors import CannotRecord, LedgerIsNewer
from claude_batch.git.process import Git
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.prune import PruneResult, squash
from claude_batch.ledger.repair import LedgerHistory, RepairResult, repair
from claude_batch.ledger.store import Shard, Write
from ledger_contract import always
from ledger_events import START, answered, asked, finding, intent, plan
from scratch import Work

REF = "refs/heads/claude-batch-state"


class Patient:
    """A remote with a ledger, a clone that knows it, and a person who edits the branch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.remote, self.clone = self.made("remote.git", "--bare"), self.made("clone")
        self.person = self.made("person")
        for one in (self.clone, self.person):
            one.git("remote", "add", "origin", str(self.remote.path))
        self.ledger = self.opened(self.clone)
        self.told: list[str] = []

    def made(self, name: str, *options: str) -> Work:
        path = self.folder / name
        subprocess.run(["git", "init", "-q", *options, str(path)], check=True)
        return Work(path)

    def opened(self, work: Work) -> GitLedger:
        git = Git(dict(os.environ), work.path / ".git")
        return GitLedger(git, REF, "origin", "run-1", now=lambda: START, sleep=time.sleep)

    def edit(self, *args: str, write: dict[str, bytes] | None = None) -> None:
        """A commit of a person: a git command in a checkout of the branch, or new content."""
        self.person.git("fetch", "-q", "origin", REF)
        self.person.git("checkout", "-q", "FETCH_HEAD")
        if args:
            self.person.git(*args)
        self.person.commit(dict(write or {}))
        self.person.git("push", "-q", "origin", f"HEAD:{REF}")

    def paths(self, start: str = "") -> list[str]:
        listed = self.remote.git("ls-tree", "-r", "--name-only", REF).decode().split()
        return [path for path in listed if path.startswith(start)]

    def log_with(self, text: str) -> str:
        return next(path for path in self.paths("log/") if text in self.content(path))

    def content(self, path: str) -> str:
        return self.remote.git("show", f"{REF}:{path}").decode()

    @property
    def history(self) -> LedgerHistory:
        return LedgerHistory(self.ledger.git)

    def repaired(self) -> RepairResult:
        return repair(self.ledger, self.history, self.told.append)


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    made = Patient(tmp_path)
    shard = Shard(intent("i1").id, 0, (finding("1"),))
    made.ledger.transact(always(intent("i1"), asked("i1", 0, "t1")))
    made.ledger.transact(always(answered("i1", findings=1), shards=(shard,)))
    made.ledger.transact(always(plan("p1")))
    return made


DAMAGE: dict[str, Callable[[Patient, str], None]] = {
    "changed": lambda one, path: one.edit(write={path: b"garbage\n"}),
    "emptied": lambda one, path: one.edit(write={path: b""}),
    "deleted": lambda one, path: one.edit("rm", "-q", path),
}


@pytest.mark.parametrize("how", DAMAGE)
@pytest.mark.parametrize("what", ["log/", "answers/", "format.json"])
def test_what_the_history_has_is_put_back(patient: Patient, what: str, how: str) -> None:
    whole = patient.ledger.view()
    path = patient.paths(what)[0]
    DAMAGE[how](patient, path)
    patient.edit(write={"notes.txt": b"mine\n"})
    before = patient.remote.git("rev-parse", REF).decode().strip()
    assert patient.repaired() == RepairResult(REF, None, (path,), ())
    view = patient.opened(patient.clone).view()
    assert view.batch_records == whole.batch_records
    assert view.shards == whole.shards
    assert [row.id for row in patient.ledger.findings([answered("i1", shard=shard_of(patient))])]
    assert view.damaged == ("notes.txt: not a file of the ledger",)
    assert patient.remote.git("rev-parse", f"{REF}^").decode().strip() == before
    assert patient.repaired() == RepairResult(REF, None, (), ())  # and that writes nothing
    assert patient.remote.git("rev-parse", f"{REF}^").decode().strip() == before


def shard_of(patient: Patient) -> str:
    return patient.paths("answers/")[0]


def test_what_we_dropped_ourselves_stays_away(patient: Patient) -> None:
    patient.ledger.transact(lambda view: Write(drops=tuple(view.shards)))
    assert patient.repaired() == RepairResult(REF, None, (), ())
    assert patient.paths("answers/") == []


def test_what_was_folded_away_is_not_missed(patient: Patient) -> None:
    """Nor after a squash, which leaves no history to look it up in."""
    whole, later = patient.ledger.view(), START + timedelta(days=40)
    patient.ledger.transact(lambda view: Write(fold_before=later))
    assert patient.paths("log/") == []
    assert patient.repaired() == RepairResult(REF, None, (), ())
    assert squash(patient.ledger, patient.history).squashed == 4
    tip = patient.ledger.tip()
    assert patient.repaired() == RepairResult(REF, None, (), ())
    assert patient.ledger.tip() == tip
    assert patient.ledger.view().spent(START) == whole.spent(START) > 0


def test_what_can_be_put_back_is_put_back_before_a_squash(patient: Patient) -> None:
    """Afterwards nobody could."""
    path = patient.paths("log/")[0]
    patient.edit("rm", "-q", path)
    tip = patient.ledger.tip()
    with pytest.raises(CannotRecord, match="1 file that only its history holds") as caught:
        squash(patient.ledger, patient.history)
    assert "doctor --repair" in caught.value.remedy
    assert patient.ledger.tip() == tip
    assert patient.repaired().restored_files == (path,)
    assert squash(patient.ledger, patient.history) == PruneResult(squashed=5)
    assert path in patient.paths("log/")
    patient.edit("rm", "-q", path)
    assert patient.repaired().restored_files == (path,)  # from the root


def test_a_deleted_branch_is_pushed_again_after_saying_so(patient: Patient) -> None:
    tip = patient.ledger.tip()
    patient.remote.git("update-ref", "-d", REF)
    assert patient.repaired() == RepairResult(REF, tip, (), ())
    assert patient.told == [f"{REF} is gone from origin: what was seen last here is pushed again"]
    assert patient.ledger.tip() == tip


def test_a_branch_that_was_made_anew_is_not_overwritten(patient: Patient) -> None:
    patient.remote.git("update-ref", "-d", REF)
    patient.opened(patient.person).transact(always(plan("other")))
    tip = patient.ledger.tip()
    with pytest.raises(CannotRecord, match="was rewritten"):
        patient.repaired()
    assert patient.ledger.tip() == tip


def test_what_cannot_be_repaired_is_told_in_money(tmp_path: Path) -> None:
    """Files that were damaged before they were ever committed."""
    patient = Patient(tmp_path)
    patient.ledger.transact(always(plan("p1")))
    asks = always(intent("i2", requests=2), asked("i2", 0, "t2"), asked("i2", 1, "t3"))
    aside = GitLedger(
        patient.ledger.git, "refs/x", None, "run-1", now=lambda: START, sleep=time.sleep
    )
    aside.transact(asks)
    aside.transact(always(answered("i2")))
    listed = patient.clone.git("ls-tree", "-r", "--name-only", "refs/x", "log").decode().split()
    for path in listed:
        raw = patient.clone.git("show", f"refs/x:{path}")
        patient.edit(write={path: raw + b"<<<<<<< ours\n"})
    nobody_knows = f"snap/2026-10-{'0' * 16}.jsonl"
    patient.edit(write={nobody_knows: b"?\n", f"answers/i2/0-{'0' * 16}.jsonl.gz": b"?"})
    found = patient.repaired()
    said = {loss.path: loss.consequence for loss in found.lost}
    assert found.restored_files == ()
    assert [said[path] for path in sorted(listed)] == [
        "lost 1 answer of intent i2: $0.0200 paid is missing from budgets and receipts, and the "
        "tasks may be asked again",
        "lost 2 requests of intent i2: the tasks will be asked again, for up to $0.10; "
        "lost as well: intent",
    ]
    assert said[nobody_knows] == "none of its lines can be read, so nobody can say what they were"
    assert said[f"answers/i2/0-{'0' * 16}.jsonl.gz"] == (
        "findings of intent i2 cannot be posted; its tasks may be sent again"
    )


def test_a_later_ledger_is_left_to_a_later_version(patient: Patient) -> None:
    patient.edit(write={"format.json": b'{"format": 3, "min_reader": 2}'})
    patient.edit(write={"format.json": b"garbage"})
    tip = patient.ledger.tip()
    with pytest.raises(LedgerIsNewer, match="has format 3"):
        patient.repaired()
    assert patient.ledger.tip() == tip


def test_a_branch_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    patient = Patient(tmp_path)
    patient.person.commit({"log/notes.txt": "mine\n"})
    patient.person.git("push", "-q", "origin", f"HEAD:{REF}")
    tip = patient.ledger.tip()
    assert patient.repaired() == RepairResult(REF, None, (), ())
    assert patient.ledger.tip() == tip


def test_an_empty_place_has_nothing_to_repair(tmp_path: Path) -> None:
    patient = Patient(tmp_path)
    assert patient.repaired() == RepairResult(REF, None, (), ())
    assert patient.ledger.tip() is None
