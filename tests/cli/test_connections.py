import subprocess
from pathlib import Path

import pytest

from claude_batch.cli.connections import (
    open_ledgers,
    open_local_ledger,
    open_repository,
    open_shared_ledger,
    open_work_tree,
)
from claude_batch.config.model import Config
from claude_batch.errors import BadUsage
from scratch import Work


@pytest.mark.parametrize("command", ["apply", "init"])
def test_a_bare_repository_has_no_work_tree_to_write_to(tmp_path: Path, command: str) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path)], check=True)
    with pytest.raises(BadUsage) as refused:
        open_work_tree(open_repository(tmp_path), command)
    assert refused.value.remedy == f"run {command} in a clone with a work tree"


def test_an_open_ledger_is_used_again_for_its_own_ref_only(work: Work) -> None:
    work.git("remote", "add", "origin", str(work.path))
    repository, config = open_repository(work.path, {}), Config()
    other = config.model_copy(
        update={"state": config.state.model_copy(update={"branch": "refs/x"})}
    )
    local, shared = open_ledgers(repository, config)
    assert (local.ref, local.remote) == ("refs/claude-batch/local", None)
    assert (shared.ref, shared.remote) == ("refs/heads/claude-batch-state", "origin")
    assert open_shared_ledger(repository, Config(), shared) is shared
    assert open_shared_ledger(repository, config, local).ref == shared.ref
    assert open_shared_ledger(repository, other, shared).ref == "refs/x"
    assert open_shared_ledger(repository, config) is not shared
    assert open_local_ledger(repository).ref == local.ref
    assert local.run == shared.run
