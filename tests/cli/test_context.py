import subprocess
from pathlib import Path

import pytest

from claude_batch.cli.context import CliContext
from claude_batch.config.model import Config
from claude_batch.errors import BadUsage
from scratch import Work


@pytest.mark.parametrize("command", ["apply", "init"])
def test_a_bare_repository_has_no_work_tree_to_write_to(tmp_path: Path, command: str) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path)], check=True)
    with pytest.raises(BadUsage) as refused:
        CliContext(tmp_path).work_tree(command)
    assert refused.value.remedy == f"run {command} in a clone with a work tree"


def test_a_ledger_is_opened_once_in_a_run_and_each_ref_has_its_own(work: Work) -> None:
    work.git("remote", "add", "origin", str(work.path))
    world, config = CliContext(work.path, {}), Config()
    other = config.model_copy(
        update={"state": config.state.model_copy(update={"branch": "refs/x"})}
    )
    assert world.ledgers(config) == [world.local(), world.shared(config)]
    assert world.shared(config) is world.shared(Config())
    assert world.local() is world.local()
    assert len({id(world.shared(config)), id(world.shared(other)), id(world.local())}) == 3
    assert CliContext(work.path, {}).local() is not world.local()
