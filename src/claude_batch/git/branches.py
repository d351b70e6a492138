"""Push a branch with changed files, without a work tree and without the user's index."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from claude_batch.diff.whole_files import parse_tree
from claude_batch.errors import CannotPublish
from claude_batch.git.plumbing import identity
from claude_batch.git.process import Git
from claude_batch.git.remotes import Remote, open_remote


@dataclass(frozen=True)
class Branches:
    git: Git
    remote: str

    @cached_property
    def _transport(self) -> Remote:
        return open_remote(self.git, self.remote)

    def has(self, name: str) -> bool:
        return bool(self._tip(f"refs/heads/{name}"))

    def push(self, name: str, parent: str, files: Mapping[str, bytes], message: str) -> str:
        """Push a commit on `parent` with these files as branch `name`. Return the commit id.

        `files`: path -> content. Files keep their modes. A branch of that name with anything else
        on it is left alone. Raises CannotPublish.
        """
        commit = self._commit(parent, files, message)
        ref = f"refs/heads/{name}"
        result = self._transport.git.run(
            *("push", "--porcelain", "--no-verify", "--no-recurse-submodules"),
            *(f"--force-with-lease={ref}:", self._transport.name, f"{commit}:{ref}"),
            check=False,
        )
        if result.code and self._tip(ref) != commit:
            raise CannotPublish(
                f"the branch {name} could not be pushed: {result.error_line}",
                "give the job `contents: write`, or delete that branch if it is an old one",
            )
        return commit

    def _tip(self, ref: str) -> str:
        args = ("ls-remote", self._transport.name, ref)
        output = self._transport.git.run(*args, check=False).out.decode()
        return output.partition("\t")[0]

    def _commit(self, parent: str, files: Mapping[str, bytes], message: str) -> str:
        with tempfile.TemporaryDirectory(prefix="claude-batch-") as folder:
            index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
            self.git.run("read-tree", parent, extra_environ=index)
            index_lines = [
                self._index_line(parent, path, content) for path, content in files.items()
            ]
            update = ("update-index", "-z", "--index-info")
            self.git.run(*update, stdin=b"".join(index_lines), extra_environ=index)
            tree = self.git.text("write-tree", extra_environ=index)
        # With the parent's date a second try of the same edits gives the same commit id.
        author = identity(int(self.git.text("show", "-s", "--format=%ct", parent)))
        commit_tree = ("commit-tree", tree, "-p", parent, "-m", message)
        return self.git.text(*commit_tree, extra_environ=author)

    def _index_line(self, parent: str, path: str, content: bytes) -> bytes:
        output = self.git.run("ls-tree", "-z", "--full-tree", parent, f":(literal){path}").out
        modes = [entry.mode for entry in parse_tree(output)] or [0o100644]
        oid = self.git.run("hash-object", "-w", "--stdin", stdin=content).out.strip()
        return b"%o %b 0\t%b\0" % (modes[0], oid, path.encode())
