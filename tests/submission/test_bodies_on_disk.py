"""What waits to be sent is on disk, under no name: no full disk and no kill leaves a trace."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from claude_batch.sandbox.anthropic_server.server import BatchesServer
from claude_batch.sandbox.http_messages import HttpRequest
from program import LOCAL, PROGRAM, Place, Ran, open_place

# A limit on the length of files is a full disk that needs no rights to make.
SMALL_DISK = """\
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
os.execv(sys.argv[1], sys.argv[1:])
"""
TASKS = "".join(
    json.dumps({"path": f"{n}.py", "text": f"x = {n}\n" * 3_000}) + "\n" for n in range(8)
)
SUBMIT = [str(PROGRAM), "tasks", "submit", "-"]


@pytest.fixture
def bodies(tmp_path: Path) -> Path:
    """Where the program puts temporary files."""
    folder = tmp_path / "bodies"
    folder.mkdir()
    return folder


@pytest.fixture
def kills() -> list[int]:
    """Processes that die at once when their batch has arrived and is not yet answered."""
    return []


@pytest.fixture
def place(tmp_path: Path, bodies: Path, kills: list[int]) -> Iterator[Place]:
    def fault(call: HttpRequest) -> None:
        for pid in kills if call.path.endswith("/batches") else ():
            os.kill(pid, signal.SIGKILL)

    with open_place(tmp_path, batches=lambda: BatchesServer(faults=fault)) as found:
        found.environ["TMPDIR"] = str(bodies)
        yield found


def started(place: Place, command: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=place.shop.work,
        env=place.environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_a_full_disk_is_found_before_anything_is_claimed(place: Place, bodies: Path) -> None:
    running = started(place, [sys.executable, "-c", SMALL_DISK, *SUBMIT])
    out, err = running.communicate(TASKS.encode(), timeout=120)
    ran = Ran(running.returncode, out.decode(), err.decode())
    problem, remedy = ran.refusal()
    assert ran.code == 3
    assert problem == ("the requests could not be stored in a temporary file: File too large")
    assert remedy == (
        "free some disk space for temporary files, or set TMPDIR to a folder that has more"
    )
    assert place.created() == 0
    assert place.ref(place.shop.work, LOCAL) == ""
    assert list(bodies.iterdir()) == []


def test_a_kill_in_the_middle_leaves_no_file(place: Place, bodies: Path, kills: list[int]) -> None:
    running = started(place, SUBMIT)
    kills.append(running.pid)
    running.communicate(TASKS.encode(), timeout=120)
    assert running.returncode == -signal.SIGKILL
    assert place.ref(place.shop.work, LOCAL), "the intent was recorded before"
    assert list(bodies.iterdir()) == []
