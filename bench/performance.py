"""Measure every speed target on this machine, as a Markdown table.

    python -m bench.performance [PART ...]

Each ratio is taken in one run, against the reference that its target names.
"""

import os
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from bench import ledger_size, ledger_writers, size_collect, size_send, speed
from bench.tables import write_targets

Rows = Callable[[], Iterator[tuple[str, str, str]]]  # name, target, measured
PARTS: dict[str, Rows] = {
    "speed": speed.rows,
    "size_send": size_send.rows,
    "size_collect": size_collect.rows,
    "ledger_writers": ledger_writers.rows,
    "ledger_size": ledger_size.rows,
}


def main(names: Sequence[str]) -> int:
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        sys.stderr.write(f"error: there is no part {unknown[0]!r}\n help: {', '.join(PARTS)}\n")
        return 2
    sys.stdout.write(f"{datetime.now(UTC):%Y-%m-%d}, {_machine()}\n\n")
    write_targets(row for name in names or PARTS for row in PARTS[name]())
    return 0


def _machine() -> str:
    system = f"{platform.system()} {platform.machine()}"
    return f"{os.cpu_count()} cores, {system}, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
