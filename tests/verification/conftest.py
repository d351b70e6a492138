from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from claude_batch.config.model import Config
from rig import PullRig, open_pull, open_rig
from second_looks import Judge, Open
from shop import open_shop


@pytest.fixture
def shop_open(tmp_path: Path) -> Open:
    @contextmanager
    def opened(judge: Judge, config: Config | None = None, **rig: object) -> Iterator[PullRig]:
        with open_shop(tmp_path) as shop, open_rig(shop.work, reviewer=judge, **rig) as made:  # type: ignore[arg-type]
            made.config = config or Config()
            pull = open_pull(made, shop)
            pull.looks_again = True
            yield pull

    return opened
