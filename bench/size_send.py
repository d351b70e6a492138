"""What a batch at the limits of the API costs to build and to send, and ten times the tasks.

Each measurement is a process of its own; a server of its own reads what is sent and forgets it.
"""

import atexit
import hashlib
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bench.tables import write_targets
from claude_batch.prompts.kinds import find_kind

if TYPE_CHECKING:
    from claude_batch.anthropic_api.client import AnthropicClient

PROGRAM = Path(sys.executable).parent / "claude-batch"
BYTES = 248_000_000  # of bodies; a batch takes 256 MB with its envelopes
REQUESTS = 100_000
RUNS = 3
CONFIG = (
    'verify = false\n[budget]\npull_request = false\nmonth = false\n[state]\nremote = "origin"\n'
)
CREATED = {
    "type": "message_batch",
    "processing_status": "in_progress",
    "request_counts": dict.fromkeys(
        ("processing", "succeeded", "errored", "canceled", "expired"), 0
    ),
    "created_at": "2026-11-22T10:00:00Z",
    "expires_at": "2026-11-23T10:00:00Z",
}


@dataclass(frozen=True)
class ProcessCost:
    """Of one process: CPU seconds, of the system too, seconds by the clock, and its largest
    resident set in MB."""

    seconds: float
    wall: float
    rss: float
    said: str


def rows() -> Iterator[tuple[str, str, str]]:
    """What, target, measured."""
    with tempfile.TemporaryDirectory() as name, sink() as url:
        yield from _at_the_limits(Path(name), url)
        yield from _given(Path(name), url)
        yield from _ten_times(Path(name), url)


def _at_the_limits(folder: Path, url: str) -> Iterator[tuple[str, str, str]]:
    finished = folder / "finished.json"
    _me("finish", finished)
    # By turns, so that what else the machine does meets each of them.
    turns = [(_me("bodies", url), _me("hashes"), _me("send", finished, url)) for _ in range(RUNS)]
    ours, hashes, baseline = (list(costs) for costs in zip(*turns, strict=True))
    target = "≤ 3 × the finished body from disk with the same client; ≤ 200 MB"
    what, target, measured = _row(
        f"{REQUESTS:,} bodies, {BYTES / 1e6:.0f} MB: hashed, kept on disk, framed, sent",
        target,
        ours,
        baseline,
    )
    yield what, target, f"{measured}; by the clock {_ratio(ours, baseline, 'wall')}"
    yield _row("of these, SHA-256 of each body alone", "", hashes, baseline)
    yield _row(
        f"{BYTES / 1e6:.0f} MB of requests, built from hunks, and the same",
        target,
        [_me("hunks", url)],
        baseline,
    )


def _given(folder: Path, url: str) -> Iterator[tuple[str, str, str]]:
    """A tenth of what a batch may hold: all of it takes minutes."""
    large, small = (_submitted(folder, url, number) for number in (10_000, 1_000))
    requests = json.loads(large.said)["requests"]
    yield _row(
        f"`tasks submit` of 10,000 tasks ({requests:,} requests) against 1,000, with the ledger",
        "≤ 11 × the time; ≤ 200 MB",
        [large],
        [small],
    )


def _submitted(folder: Path, url: str, number: int) -> ProcessCost:
    tasks = folder / f"tasks-{number}.jsonl"
    with tasks.open("w") as file:
        for each in range(number):
            text = _code(each, 41)
            file.write(json.dumps({"path": f"src/f{each}.py", "text": text}) + "\n")
    where = _repository(folder / f"given-{number}", 0)
    return _process([str(PROGRAM), "tasks", "submit", str(tasks), "--format", "json"], where, url)


def _ten_times(folder: Path, url: str) -> Iterator[tuple[str, str, str]]:
    small, large = _repository(folder / "small", 1_000), _repository(folder / "large", 10_000)
    for verb in ("estimate", "submit"):
        command = [str(PROGRAM), verb, "--range", "HEAD~1..HEAD", "--format", "json"]
        yield _row(
            f"`{verb}` of 10,000 tasks against 1,000",
            "≤ 11 × the time, the same memory",
            [_process(command, large, url)],
            [_process(command, small, url)],
        )


def _row(
    what: str, target: str, ours: list[ProcessCost], theirs: list[ProcessCost]
) -> tuple[str, str, str]:
    rss, other = (max(one.rss for one in costs) for costs in (ours, theirs))
    measured = f"{_ratio(ours, theirs, 'seconds')}, {rss:.0f} MB against {other:.0f} MB"
    return what, target, measured


def _ratio(
    ours: list[ProcessCost], theirs: list[ProcessCost], by: Literal["seconds", "wall"]
) -> str:
    mine, yours = (statistics.median(getattr(one, by) for one in costs) for costs in (ours, theirs))
    return f"{mine / yours:.1f} × ({mine:.1f} s against {yours:.2f} s)"


# -- processes --------------------------------------------------------------------------------


def _process(command: list[str], folder: Path, url: str) -> ProcessCost:
    """The memory is that of the program, or of the largest git that it has started."""
    environ = os.environ | {"ANTHROPIC_API_KEY": "bench", "ANTHROPIC_BASE_URL": url}
    start = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        started = subprocess.Popen(command, cwd=folder, env=environ, stdout=out)
        _, status, usage = os.wait4(started.pid, 0)
        started.returncode = os.waitstatus_to_exitcode(status)
        if started.returncode:
            raise subprocess.CalledProcessError(started.returncode, command)
        out.seek(0)
        said = out.read().decode()
    wall = time.perf_counter() - start
    return ProcessCost(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024, said)


def _me(*args: object) -> ProcessCost:
    """One of the jobs below, which says itself how long its part took that counts."""
    here = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "bench.size_send", *map(str, args)]
    done = _process(command, here, str(args[-1]))
    return replace(done, **json.loads(done.said or "{}"))


@contextmanager
def sink() -> Iterator[str]:
    command = [sys.executable, "-m", "bench.size_send", "sink"]
    here = Path(__file__).resolve().parent.parent
    with subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout  # noqa: S101 - it is a pipe
        try:
            yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
        finally:
            server.terminate()


def serve() -> None:
    """Takes every body, one connection after the other, and says that it is a batch."""
    listening = socket.create_server(("127.0.0.1", 0))
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    number, drain = 0, bytearray(1 << 20)
    while True:
        connection, _ = listening.accept()
        with connection, connection.makefile("rb") as reading:
            while line := reading.readline():
                head = line + b"".join(iter(reading.readline, b"\r\n"))
                length = int(head.lower().partition(b"content-length:")[2].split()[0])
                while length:
                    length -= reading.readinto(memoryview(drain)[: min(length, len(drain))]) or 0
                number += 1
                said = json.dumps(CREATED | {"id": f"msgbatch_{number}"}).encode()
                connection.sendall(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
                    b"content-length: %d\r\n\r\n%b" % (len(said), said)
                )


# -- what they do -----------------------------------------------------------------------------


def finish(path: str) -> None:
    row = b"x" * (BYTES // REQUESTS)
    with Path(path).open("wb") as file:
        file.writelines(row for _ in range(REQUESTS))


def send(path: str, url: str) -> None:
    import httpx2

    with Watch(), Path(path).open("rb") as file, httpx2.Client() as client:
        client.post(f"{url}/v1/messages/batches", content=file).raise_for_status()


def bodies(url: str) -> None:
    from claude_batch.anthropic_api.request_body import BodySpool

    claude = _claude(url)
    with Watch():
        kept = map(BodySpool().store, _bodies())
        claude.create_batch((f"{'0' * 16}-{body.start}-{body.sha[:16]}", body) for body in kept)


def hashes() -> None:
    with Watch():
        for body in _bodies():
            hashlib.sha256(body).digest()


def _bodies() -> Iterator[bytes]:
    row = b"x" * (BYTES // REQUESTS - 8)
    return (b"%08d%b" % (number, row) for number in range(REQUESTS))


def hunks(url: str) -> None:
    """As many requests as make a batch of BYTES, of twenty tasks each, which are made one by one
    so that what they were made of is not measured."""
    from claude_batch.anthropic_api.request_body import BodySpool
    from claude_batch.config.model import Config
    from claude_batch.diff.whole_files import build_context_hunk
    from claude_batch.submission import requests as request
    from claude_batch.submission.requests import Request, RequestTasks
    from claude_batch.tasks.task import Task, TaskFileOrigin, compute_task_id

    kind, config, file = find_kind("review"), Config(), BodySpool()

    def task(number: int) -> Task:
        path, hunk = f"src/f{number}.py", build_context_hunk(_code(number, 41).encode())
        return Task(
            compute_task_id(kind.tag, path, hunk.body), kind.name, path, hunk, TaskFileOrigin()
        )

    claude, watch, made = _claude(url), Watch(), list[Request]()
    while sum(one.body.size for one in made) < BYTES:
        asked = tuple(map(task, range(20 * len(made), 20 * len(made) + 20)))
        with watch:
            made.append(
                request.build_request(kind, RequestTasks(asked), config, 16_000, file.store)
            )
    with watch:
        claude.create_batch(
            (f"{'0' * 16}-{n}-{one.body.sha[:16]}", one.body) for n, one in enumerate(made)
        )


def _claude(url: str) -> "AnthropicClient":
    """With its SDK loaded: two seconds that have nothing to do with the size."""
    from claude_batch.anthropic_api.client import AnthropicClient

    environ = {"ANTHROPIC_API_KEY": "bench", "ANTHROPIC_BASE_URL": url}
    claude = AnthropicClient(environ, sleep=time.sleep)
    claude.check_key()
    return claude


class Watch:
    """How long what stood under it took, in sum, is what the process says at its end."""

    def __init__(self) -> None:
        self.seconds = self.wall = 0.0
        atexit.register(lambda: sys.stdout.write(json.dumps(vars(self))))

    def __enter__(self) -> None:
        self._add(-1)

    def __exit__(self, *_: object) -> None:
        self._add(1)

    def _add(self, sign: int) -> None:
        self.seconds += sign * time.process_time()
        self.wall += sign * time.perf_counter()


WORDS = [
    f"{a}_{b}"
    for a in ("load", "read", "user", "order", "price", "total", "next", "cache")
    for b in ("item", "list", "name", "of_day", "from_file", "size")
]


def _code(seed: int, lines: int) -> str:
    dice = random.Random(seed)  # noqa: S311 - the same code every time
    names = iter(lambda: dice.choice(WORDS), None)
    body = (
        f"    {next(names)} = {next(names)}({next(names)}, {dice.randrange(1000)})\n"
        for _ in range(lines)
    )
    return f"def f_{seed}({dice.choice(WORDS)}):\n" + "".join(body)


def _repository(folder: Path, files: int) -> Path:
    """With a last commit in which each of its files has one new hunk."""
    folder.mkdir()
    _git(folder, "init", "--quiet", "--initial-branch=main")
    (folder / ".claude-batch.toml").write_text(CONFIG)
    for number in range(files):
        path = folder / f"d{number % 100}" / f"f{number}.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(_code(number, 40))
    _commit(folder)
    for number, path in enumerate(sorted(folder.rglob("*.py"))):
        path.write_text(path.read_text() + _code(-number, 12))
    _commit(folder)
    return folder


def _commit(folder: Path) -> None:
    _git(folder, "add", ".")
    who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    _git(folder, *who, "commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", "commit")


def _git(folder: Path, *args: str) -> None:
    subprocess.run(["git", *args], cwd=folder, check=True)


DOES: dict[str, Callable[..., None]] = {
    "sink": serve,
    "finish": finish,
    "send": send,
    "bodies": bodies,
    "hashes": hashes,
    "hunks": hunks,
}

if __name__ == "__main__":
    if len(sys.argv) > 1:
        DOES[sys.argv[1]](*sys.argv[2:])
    else:
        write_targets(rows())
