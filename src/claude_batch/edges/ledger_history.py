"""The past of the ledger's ref, as far as this clone has it."""

from dataclasses import dataclass

from claude_batch import mending, plumbing
from claude_batch.edges.git_process import Git, Printed
from claude_batch.mending import Diagnosis, Step

STEPS = ("diff-tree", "--stdin", "--root", "-r", "-m", "--no-renames", "--no-abbrev")


@dataclass(frozen=True)
class LedgerHistory:
    git: Git
    our_email: str

    def examined(self, tip: str) -> Diagnosis:
        now = self._files(tip)
        found = mending.broken(now, self._steps(tip))
        contents = self._contents({oid for oids in found.values() for oid in oids})
        return Diagnosis(now, tuple(found), mending.originals(found, contents))

    def _files(self, tip: str) -> dict[str, bytes]:
        listing = self.git.run("ls-tree", "-r", "-z", "--full-tree", tip).out
        blobs = plumbing.parse_tree(listing)
        contents = self._contents(set(blobs.values()))
        return {path: contents[oid] for path, oid in blobs.items() if oid in contents}

    def _steps(self, tip: str) -> list[Step]:
        """Newest first."""
        commits = self.git.run("rev-list", tip).out
        printed = self.git.run(*STEPS, "--format=%ce", stdin=commits).out
        return mending.parse_steps(printed, self.our_email)

    def _contents(self, oids: set[str]) -> dict[str, bytes]:
        """Those that are there: a shallow clone has not all of them."""
        return {oid: blob.read() for oid, blob in Printed(self.git).objects(sorted(oids)).items()}
