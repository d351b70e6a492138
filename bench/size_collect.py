"""Measure collecting one large batch: time against `json.loads` of each line, and memory.

A ledger in git that holds the intent, and a server that streams a file of results, are made
first. Each measurement runs in a process of its own, so that its peak of memory is its own.
"""

import argparse
import gc
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from itertools import pairwise
from pathlib import Path
from typing import TextIO

from bench.tables import write_targets
from claude_batch.anthropic_api.client import AnthropicClient
from claude_batch.anthropic_api.models import BatchId
from claude_batch.batches.batching import custom_id
from claude_batch.batches.collect import Collector
from claude_batch.cli.main import GARBAGE
from claude_batch.costs.prices import Prices
from claude_batch.findings.anchors import HASH_LENGTH, AnchoredTask, build_anchor, hash_line
from claude_batch.git.process import Git
from claude_batch.ledger.events import Estimate, Intent, IntentId, RequestRecorded, Submitted
from claude_batch.ledger.git_store import GitLedger
from claude_batch.ledger.store import Write
from claude_batch.tasks.task import TaskId

SIZES = (1_000, 10_000, 100_000)
REF = "refs/claude-batch/local"
BATCH = BatchId("msgbatch_bench")
INTENT = IntentId("00112233445566aa")
NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
MODEL = "claude-sonnet-5-5"
FINDINGS = (0, 0, 0, 0, 1, 0, 0, 0, 0, 3)  # one answer in five has some
WORDS = ("the", "value", "of", "this", "call", "is", "read", "before", "it", "was", "checked")


@dataclass(frozen=True)
class CollectCost:
    requests: int
    seconds: float  # of CPU, git included: to fetch, match and record
    parsing: float  # of CPU: json.loads of each line
    memory: int  # the most that was resident, in bytes

    @property
    def ratio(self) -> float:
        return self.seconds / self.parsing


def asked(n: int) -> RequestRecorded:
    dice = random.Random(n)  # noqa: S311 - the same requests every time
    signs = "".join(dice.choices(" +-", k=dice.randint(8, 24)))
    task = AnchoredTask(
        id=TaskId(sha256(b"task %d" % n).hexdigest()),
        path=f"src/package_{n % 97}/module_{n % 1009}.py",
        signs=signs,
        hashes="".join(hash_line(b"%d:%d" % (n, at)) for at in range(len(signs))),
    )
    usd = Decimal(dice.randint(1_000_000, 9_000_000)).scaleb(-9)
    estimate = Estimate(
        input_tokens=dice.randint(800, 4000),
        output_tokens=dice.randint(300, 900),
        usd=usd,
        usd_standard=usd * 2,
        usd_max=usd * 5,
    )
    return RequestRecorded(
        at=NOW,
        run="bench",
        repo="octo/shop",
        intent=INTENT,
        n=n,
        sha=sha256(b"request %d" % n).hexdigest(),
        pr=n % 50,
        kind="review",
        model=MODEL,
        effort="medium",
        tasks=(task,),
        estimate=estimate,
    )


def result(request: RequestRecorded) -> bytes:
    """A line as the API writes it; thinking is left out of it by the API."""
    dice = random.Random(-request.n - 1)  # noqa: S311
    (task,) = request.tasks
    findings = []
    for _ in range(FINDINGS[request.n % len(FINDINGS)]):
        at = dice.randrange(len(task.signs))
        line = build_anchor(at + 1, task.hashes[at * HASH_LENGTH :][:HASH_LENGTH])
        findings.append(
            {
                "from": line,
                "to": line,
                "severity": "high",
                "confidence": "medium",
                "category": "bug",
                "title": " ".join(dice.choices(WORDS, k=8)),
                "body": " ".join(dice.choices(WORDS, k=40)),
                "replacement": None,
            }
        )
    usage = {
        "input_tokens": dice.randint(800, 4000),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": dice.randint(300, 900),
        "output_tokens_details": {"thinking_tokens": dice.randint(100, 300)},
        "service_tier": "batch",
        "inference_geo": "not_available",
    }
    message = {
        "model": MODEL,
        "id": f"msg_{dice.randrange(1 << 90):024x}",
        "type": "message",
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "", "signature": dice.randbytes(90).hex()},
            {"type": "text", "text": json.dumps({"findings": findings})},
        ],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": usage,
    }
    name = custom_id(request.intent, request.n, request.sha)
    return json.dumps(
        {"custom_id": name, "result": {"type": "succeeded", "message": message}}
    ).encode()


def prepare(folder: Path, requests: int) -> None:
    """A ledger that has sent a batch, and the results of that batch in no order."""
    subprocess.run(["git", "init", "-q", "--bare", str(folder / "repo")], check=True)
    rows = [asked(n) for n in range(requests)]
    intent = Intent(
        at=NOW,
        run="bench",
        repo="octo/shop",
        id=INTENT,
        lease_until=NOW + timedelta(minutes=30),
        lane="batch",
        requests=requests,
        sha256="0" * 64,
    )
    sent = Submitted(
        at=NOW,
        run="bench",
        repo="octo/shop",
        intent=INTENT,
        batch=BATCH,
        created_at=NOW,
        expires_at=NOW + timedelta(days=1),
    )
    ledger(folder).transact(lambda view: Write((intent, *rows)))
    ledger(folder).transact(lambda view: Write((sent,)))
    random.Random(1).shuffle(rows)  # noqa: S311
    with (folder / "results.jsonl").open("wb") as file:
        file.writelines(result(row) + b"\n" for row in rows)


def ledger(folder: Path) -> GitLedger:
    git = Git(dict(os.environ), folder / "repo")
    return GitLedger(git, REF, None, "bench", now=lambda: NOW, sleep=time.sleep)


def serve(folder: Path) -> None:
    """Serve the two calls of collecting. Prints the port first."""
    results = folder / "results.jsonl"
    status = {
        "id": BATCH,
        "processing_status": "ended",
        "created_at": NOW.isoformat(),
        "expires_at": NOW.isoformat(),
        "request_counts": {"succeeded": 1},
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            whole = self.path.endswith("/results")
            body = b"" if whole else json.dumps(status).encode()
            self.send_response(200)
            self.send_header("content-type", "application/x-jsonl" if whole else "application/json")
            size = results.stat().st_size if whole else len(body)
            self.send_header("content-length", str(size))
            self.end_headers()
            self.wfile.write(body)
            if whole:
                with results.open("rb") as file:
                    self.connection.sendfile(file)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    sys.stdout.write(f"{server.server_address[1]}\n")
    sys.stdout.flush()
    server.serve_forever()


def collect(folder: Path, port: int) -> CollectCost:
    environ = {"ANTHROPIC_API_KEY": "bench", "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{port}"}
    claude = AnthropicClient(environ, sleep=time.sleep)
    gc.set_threshold(*GARBAGE)  # as the program does
    claude.check_key()  # imports the SDK, which costs the same for one result
    later = NOW + timedelta(hours=1)
    verb = Collector(ledger(folder), claude, Prices.load(), "bench", lambda: later)
    # Taken before and after, because other processes may slow the machine.
    before = parsing(folder)
    start = busy()
    done = verb.collect()
    seconds = busy() - start
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    counted = sum(done.counts().values())
    return CollectCost(counted, seconds, (before + parsing(folder)) / 2, memory)


def parsing(folder: Path) -> float:
    """Return the reference time, in seconds of CPU."""
    start = busy()
    with (folder / "results.jsonl").open("rb") as file:
        for line in file:
            json.loads(line)
    return busy() - start


def busy() -> float:
    """Seconds of CPU so far, with those of processes that have ended; a clock would also count
    what else the machine does."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


@contextmanager
def served(folder: Path) -> Iterator[int]:
    command = [sys.executable, "-m", __spec__.name, "serve", str(folder)]
    with (
        (folder / "port").open("w+") as said,
        subprocess.Popen(command, stdout=said) as server,
    ):
        try:
            yield _port(said)
        finally:
            server.kill()


def _port(said: TextIO) -> int:
    while True:
        said.seek(0)
        if (line := said.readline()).endswith("\n"):
            return int(line)
        time.sleep(0.01)


def measure(requests: int) -> CollectCost:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run("prepare", folder, requests)
        with served(folder) as port:
            return CollectCost(**json.loads(run("collect", folder, port)))


def run(part: str, folder: Path, number: int) -> bytes:
    command = [sys.executable, "-m", __spec__.name, part, str(folder), str(number)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def rows() -> Iterator[tuple[str, str, str]]:
    """What, target, measured."""
    costs = [measure(size) for size in SIZES]
    most = costs[-1]
    what = f"collect {most.requests:,} results"
    yield f"{what}: time ÷ `json.loads` of each line", "≤ 3", f"{most.ratio:.1f}"
    yield f"{what}: most memory", "≤ 200 MB", f"{most.memory / 1e6:.0f} MB"
    for less, more in pairwise(costs):
        what = f"collect {more.requests:,} results ÷ {less.requests:,}"
        yield f"{what}: time", "≤ 11", f"{more.seconds / less.seconds:.1f}"
        yield f"{what}: memory", "the same", f"{more.memory / less.memory:.2f}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=["prepare", "serve", "collect"])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("number", nargs="?", type=int, default=0)
    given = parser.parse_args()
    match given.part:
        case "prepare":
            prepare(given.folder, given.number)
        case "serve":
            serve(given.folder)
        case "collect":
            sys.stdout.write(json.dumps(asdict(collect(given.folder, given.number))))
        case _:
            write_targets(rows())
    return 0


if __name__ == "__main__":
    sys.exit(main())
