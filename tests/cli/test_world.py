import subprocess
from pathlib import Path

import pytest

from claude_batch.cli.world import World
from claude_batch.errors import BadUsage


@pytest.mark.parametrize("command", ["apply", "init"])
def test_a_bare_repository_has_no_work_tree_to_write_to(tmp_path: Path, command: str) -> None:
    subprocess.run(["git", "init", "-q", "--bare", str(tmp_path)], check=True)
    with pytest.raises(BadUsage) as refused:
        World(tmp_path).work_tree(command)
    assert refused.value.remedy == f"run {command} in a clone with a work tree"
