"""A gate for each HTTP call and git write of a job: it counts them, or kills the job at one."""

import os
import shutil
import signal
from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Literal
from urllib.parse import urlsplit

ANTHROPIC = "/v1/"
HOP = frozenset({"connection", "transfer-encoding", "content-length", "keep-alive"})
# Only what begins with a word is the verb; `-c key=value` and `--git-dir=…` stand before it.
GIT = """\
#!/bin/sh
for word in "$@"; do
    case "$word" in
    push | update-ref | fast-import | fetch)
        verb=$word
        break ;;
    -* | *=* | */*) ;;
    *) break ;;
    esac
done
[ -n "$verb" ] || exec {git} "$@"
echo "$verb" >>{log}
{git} "$@"
code=$?
[ "$(wc -l <{log})" -ne {fatal} ] || ! mkdir {death} 2>/dev/null || kill -9 $PPID
exit $code
"""


@dataclass(frozen=True)
class Point:
    """After the so-many-th HTTP call or git write of a job, from 0: the effect is there, and the
    job does not live to hear of it. A kill before a call is one after the call or write before
    it, because nothing that lasts happens between them."""

    kind: Literal["http", "git"]
    n: int | None  # None: the first of that name
    what: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.n} {self.what}"


@dataclass(frozen=True)
class Paid:
    """A call of the lane now."""

    asked: bytes
    answered: bytes


@dataclass
class Gate:
    """`with gate:` serves. The job reaches both look-alikes through `url`, git through `path`."""

    folder: Path
    batches: str
    hub: str
    death: Path  # of several jobs with the same fatal point, the one that makes this folder dies
    fatal: Point | None = None
    doomed: Future[int] = field(default_factory=Future)  # the job's process
    calls: list[str] = field(default_factory=list)
    paid: list[Paid] = field(default_factory=list)
    _lock: Lock = field(default_factory=Lock)

    def __enter__(self) -> "Gate":
        self.folder.mkdir()
        real = shutil.which("git")
        point = self.fatal
        fatal = point.n + 1 if point and point.kind == "git" and point.n is not None else 0
        script = GIT.format(git=real, log=self._log, fatal=fatal, death=self.death)
        self._log.touch()
        (self.folder / "git").write_text(script)
        (self.folder / "git").chmod(0o755)
        handler = type("GateHandler", (Handler,), {"gate": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def _log(self) -> Path:
        return self.folder / "writes"

    def points(self) -> list[Point]:
        """All that the job passed."""
        writes = self._log.read_text().split()
        return [
            *(Point("http", n, what) for n, what in enumerate(self.calls)),
            *(Point("git", n, what) for n, what in enumerate(writes)),
        ]

    def _is_fatal(self, n: int, what: str) -> bool:
        point = self.fatal
        if point is None or point.kind != "http":
            return False
        if what != point.what if point.n is None else n != point.n:
            return False
        try:
            self.death.mkdir()
        except FileExistsError:
            return False
        return True

    def environ(self, given: Mapping[str, str]) -> dict[str, str]:
        return {
            **given,
            "ANTHROPIC_BASE_URL": self.url,
            "GITHUB_API_URL": self.url,
            "PATH": f"{self.folder}:{given['PATH']}",
        }

    def passes(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> "Passed":
        """None: nobody is there any more to hear the answer."""
        with self._lock:
            n = len(self.calls)
            self.calls.append(f"{method} {path.partition('?')[0]}")
        url = self.batches if path.startswith(ANTHROPIC) else self.hub
        with closing(HTTPConnection(urlsplit(url).netloc)) as connection:
            connection.request(method, path, body or None, dict(headers))
            answer = connection.getresponse()
            said = answer.read()
        if path == "/v1/messages" and answer.status == 200:
            self.paid.append(Paid(body, said))
        if self._is_fatal(n, self.calls[n]):
            os.kill(self.doomed.result(), signal.SIGKILL)
            return None
        return answer, said


Passed = tuple[HTTPResponse, bytes] | None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    gate: Gate

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name: text for name, text in self.headers.items() if name.lower() not in HOP}
        passed = self.gate.passes(self.command, self.path, body, headers)
        if passed is None:
            self.rfile.read(1)  # until it is dead: it does not see a connection that broke
            self.close_connection = True
            return
        answer, said = passed
        self.send_response_only(answer.status)  # the Date is that of who answers
        for name, text in answer.getheaders():
            if name.lower() not in HOP:
                self.send_header(name, text)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = pass_on

    def log_message(self, *_: object) -> None:
        """The gate keeps a log of its own."""
