"""The ledger on a git ref: the contract, and what only git can do to it."""

import gzip
import itertools
import json
import os
import random
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from claude_batch.errors import CannotRecord, LedgerIsNewer
from claude_batch.git.process import Completed, Git
from claude_batch.ledger.files import checksum
from claude_batch.ledger.store import Shard, Write
from claude_batch.ledger.view import LedgerState
from git_ledgers import REF, SEEN, open_ledger
from golden_events import golden_line
from ledger_contract import LedgerContract, MakeLedger, always
from ledger_events import START, answered, asked, finding, intent, plan, submitted
from scratch import Work

MakeWork = Callable[..., Work]


@pytest.fixture
def remote(make_work: MakeWork) -> Work:
    """A bare repository with one commit on main."""
    bare = make_work("remote.git", "init", "-q", "--bare")
    seed = make_work("seed", "clone", "-q", f"file://{bare.path}")
    seed.commit({"a.py": "a = 1\n"}, "one")
    seed.commit({"a.py": "a = 2\n"}, "two")
    seed.git("push", "-q", "origin", "HEAD:main")
    return bare


@pytest.fixture
def clone(remote: Work, make_work: MakeWork) -> Work:
    return make_work("clone", "clone", "-q", f"file://{remote.path}")


def rewrite(remote: Work, files: dict[str, bytes | None], parent: bool = True) -> str:
    """A commit on the state branch by hand; None removes a file."""
    stream = b"commit %b\ncommitter x <x@example.com> 1 +0000\ndata 1\nx" % REF.encode()
    if parent:
        stream += b"\nfrom %b^0" % REF.encode()
    for path, content in files.items():
        if content is None:
            stream += b"\nD %b" % path.encode()
        else:
            stream += b"\nM 100644 inline %b\ndata %d\n%b" % (path.encode(), len(content), content)
    remote.git("fast-import", "--quiet", "--force", "--done", stdin=stream + b"\n\ndone\n")
    return remote.git("rev-parse", REF).decode().strip()


def tree(remote: Work) -> dict[str, bytes]:
    names = remote.git("ls-tree", "-r", "--name-only", REF).decode().splitlines()
    return {name: remote.git("show", f"{REF}:{name}") for name in names}


def private_refs(clone: Work) -> list[str]:
    return clone.git("for-each-ref", "--format=%(refname)", "refs/claude-batch").decode().split()


def traces(work: Work) -> dict[str, object]:
    """All that a user could notice."""
    git_dir = Path(work.git("rev-parse", "--absolute-git-dir").decode().strip())
    names = ("HEAD", "index", "FETCH_HEAD", "ORIG_HEAD", "config", "config.worktree")
    files = {n: (git_dir / n).read_bytes() if (git_dir / n).exists() else None for n in names}
    status = work.git("status", "--porcelain=v2", "--branch")
    refs = work.git("for-each-ref", "refs/heads", "refs/tags").decode()
    is_shallow = work.git("rev-parse", "--is-shallow-repository")
    return {**files, "status": status, "refs": refs, "shallow": is_shallow}


class TestRemoteRef(LedgerContract):
    """Each ledger is in a clone of its own."""

    @pytest.fixture
    def make_ledger(self, remote: Work, make_work: MakeWork) -> MakeLedger:
        count = iter(range(100))
        return lambda: open_ledger(
            make_work(f"clone-{next(count)}", "clone", "-q", f"file://{remote.path}")
        )


class TestOneClone(LedgerContract):
    """Processes that share one clone of the remote."""

    @pytest.fixture
    def make_ledger(self, clone: Work) -> MakeLedger:
        return lambda: open_ledger(clone)


class TestLocalRef(LedgerContract):
    @pytest.fixture
    def make_ledger(self, work: Work) -> MakeLedger:
        return lambda: open_ledger(work, remote=None)


class TestLargeFiles(LedgerContract):
    """Every request and answer is left in its file."""

    @pytest.fixture
    def make_ledger(self, work: Work) -> MakeLedger:
        return lambda: open_ledger(work, remote=None, large=0)


def test_the_files_of_a_write(remote: Work, clone: Work) -> None:
    shard = Shard(intent("i1").id, 0, (finding("1"),))
    events = (answered("i1", findings=1), asked("i1", 0, "t1"))
    open_ledger(clone).transact(always(*events, shards=(shard,)))
    files = tree(remote)
    log, answers = sorted(name for name in files if "/" in name)[::-1]
    fixed = ["README.md", "format.json", "netlify.toml", "vercel.json"]
    assert sorted(files) == sorted([*fixed, log, answers])
    assert json.loads(files["format.json"]) == {"format": 2, "min_reader": 2}
    assert json.loads(files["vercel.json"]) == {"git": {"deploymentEnabled": False}}
    assert tomllib.loads(files["netlify.toml"].decode()) == {"build": {"ignore": "exit 0"}}
    assert f"git push origin --delete {REF}" in files["README.md"].decode()
    assert log == f"log/2026/11/22/100000-run_1-answer-{checksum(files[log])}.jsonl"
    assert answers == f"answers/i1/0-{checksum(files[answers])}.jsonl.gz"
    assert json.loads(files[log].splitlines()[0])["shard"] == answers
    assert json.loads(gzip.decompress(files[answers]))["findings"][0]["title"] == "Overflow"
    raw = remote.git("cat-file", "commit", REF).decode()
    assert "author claude-batch <claude-batch@users.noreply.github.com>" in raw


def test_every_commit_message_ends_with_skip_ci(remote: Work, clone: Work) -> None:
    ledger = open_ledger(clone)
    ledger.transact(always(plan("p1")))
    ledger.transact(lambda state: Write(fold_before=START + timedelta(days=40)))
    for number, messages in (("2", 2), ("1", 1)):
        assert remote.git("rev-list", "--count", REF).decode().strip() == number
        raw = remote.git("log", "--format=%B%x00", REF).decode().split("\0")[:-1]
        assert len(raw) == messages
        assert all(message.rstrip("\n").endswith("\n\n[skip ci]") for message in raw)
        ledger.squash(lambda tip: None)


def test_log_files_are_never_touched_again(remote: Work, clone: Work) -> None:
    ledger = open_ledger(clone)
    ledger.transact(always(plan("p1")))
    before = tree(remote)
    ledger.transact(always(plan("p2")))
    after = tree(remote)
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 1


def test_a_write_takes_one_connection_to_read_and_one_to_push(remote: Work, clone: Work) -> None:
    met = remote.path / "met"
    for service in ("upload", "receive"):
        noted = f"echo {service} >> {met}; git-{service}-pack"
        clone.git("config", f"remote.origin.{service}pack", noted)
    ledger = open_ledger(clone)
    ledger.transact(always(plan("p1")))
    met.write_text("")
    ledger.transact(always(plan("p2")))
    assert met.read_text().split() == ["upload", "receive"]


FETCHES = ["fetch", "rev-parse"]


READS = ["ls-tree", "cat-file"]


WRITES = ["fast-import", "push", "update-ref"]


@dataclass(frozen=True)
class Overheard(Git):
    ran: list[str] = field(default_factory=list)

    def run(self, *args: str, **more: object) -> Completed:
        self.ran.extend(verb for verb in (*FETCHES, *READS, *WRITES) if verb in args)
        return super().run(*args, **more)  # type: ignore[arg-type]


def test_git_is_not_asked_for_what_is_known(remote: Work, clone: Work) -> None:
    git = Overheard(dict(os.environ), clone.path / ".git")
    ledger, rival = open_ledger(clone, git=git), open_ledger(clone)
    ledger.transact(always(plan("p1")))
    git.ran.clear()
    view = ledger.transact(always(plan("p2")))
    assert git.ran == [*FETCHES, *WRITES]
    assert view == rival.view()
    rival.transact(always(plan("p3")))
    git.ran.clear()
    view = ledger.transact(always(plan("p4")))
    assert git.ran == [*FETCHES, *READS, *WRITES]
    assert view == rival.view()


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_findings_that_were_just_written_are_found(make_work: MakeWork, form: str) -> None:
    """Under ids that we make ourselves."""
    work = make_work("work", "init", "-q", f"--object-format={form}")
    ledger = open_ledger(work, remote=None)
    shard = Shard(intent("i1").id, 0, (finding("f1"),))
    events = (intent("i1"), asked("i1", 0, "t1"), answered("i1"))
    view = ledger.transact(always(*events, shards=(shard,)))
    answers = [row.answer for row in view.requests if row.answer]
    assert tuple(ledger.findings(answers)) == shard.findings


def test_tip(remote: Work, clone: Work) -> None:
    ledger = open_ledger(clone)
    assert ledger.tip() is None
    ledger.transact(always(plan("p1")))
    assert ledger.tip() == remote.git("rev-parse", REF).decode().strip()
    rival = rewrite(remote, {"log/x": b""})
    assert ledger.tip() == rival


def test_what_is_lost_on_the_way_back_from_a_push_is_not_written_twice(
    remote: Work, clone: Work
) -> None:
    """The remote takes the commit, and the connection breaks before it says so."""
    hook = remote.path / "hooks" / "post-receive"
    hook.write_text("#!/bin/sh\nkill -9 $PPID\n")
    hook.chmod(0o755)
    calls: list[LedgerState] = []

    def decide(view: LedgerState) -> Write:
        calls.append(view)
        return Write((plan("p1"),))

    pushed = subprocess.run(["git", "push", "-q", "origin", "HEAD:aside"], cwd=clone.path)
    assert pushed.returncode != 0
    assert remote.git("rev-parse", "refs/heads/aside")
    view = open_ledger(clone).transact(decide)
    assert [p.id for p in view.plans] == ["p1"]
    assert len(calls) == 1
    assert len(remote.git("rev-list", REF).split()) == 1


@pytest.mark.parametrize(
    ("break_it", "why"),
    [
        (lambda raw: raw[:40] + bytes([raw[40] ^ 1]) + raw[41:], "do not fit the checksum"),
        (lambda raw: raw[: len(raw) // 2], "do not fit the checksum"),
        (lambda raw: b"<<<<<<< ours\n" + raw + b"=======\n>>>>>>> theirs\n", "do not fit"),
        (lambda raw: b"", "do not fit the checksum"),
    ],
    ids=["flipped byte", "truncated", "conflict markers", "emptied"],
)
def test_a_damaged_file_is_named_ignored_and_left_alone(
    remote: Work, clone: Work, break_it: Callable[[bytes], bytes], why: str
) -> None:
    ledger = open_ledger(clone)
    ledger.transact(always(plan("p1")))
    ledger.transact(always(plan("p2")))
    path = next(
        name for name, raw in tree(remote).items() if name.startswith("log/") and b'"p1"' in raw
    )
    broken = break_it(tree(remote)[path])
    rewrite(remote, {path: broken})
    view = ledger.transact(always(plan("p3")))
    assert [p.id for p in view.plans] == ["p2", "p3"]
    assert len(view.damaged) == 1
    assert view.damaged[0].startswith(f"{path}: ")
    assert why in view.damaged[0]
    assert tree(remote)[path] == broken


def add_log(remote: Work, content: bytes, more: dict[str, bytes | None] | None = None) -> str:
    """Commit a log file by hand, and return its path."""
    path = f"log/2026/11/22/100000-x-y-{checksum(content)}.jsonl"
    rewrite(remote, {path: content, **(more or {})})
    return path


@pytest.mark.parametrize(
    ("line", "is_money"),
    [(b'{"type":"seen","pr":7}\n', False), (b'{"type":"answer","n":0}\n', True), (b"{\n", True)],
)
def test_a_line_that_does_not_parse_is_left_out_alone(
    remote: Work, clone: Work, line: bytes, is_money: bool
) -> None:
    ledger = open_ledger(clone)
    ledger.transact(always(plan("p1")))
    good = next(raw for name, raw in tree(remote).items() if name.startswith("log/"))
    path = add_log(remote, good.replace(b'"p1"', b'"p2"') + line, {"notes.txt": b"hello\n"})
    state = ledger.view()
    assert [p.id for p in state.plans] == ["p1", "p2"]
    assert state.damaged[0].startswith(f"{path}: line 2: ")
    assert state.damaged[1:] == ("notes.txt: not a file of the ledger",)
    assert state.money_damage == ((path,) if is_money else ())


def test_what_a_newer_version_wrote_survives_prune_and_fold(remote: Work, clone: Work) -> None:
    ledger = open_ledger(clone)
    shard = Shard(intent("i1").id, 0, (finding("1"),))
    ledger.transact(always(intent("i1"), asked("i1", 0, "t1"), answered("i1"), shards=(shard,)))
    unknown = golden_line("held").replace(b'"held"', b'"from_the_future"')
    key = golden_line("signal").replace(b"}", b',"later":["1"]}')
    add_log(remote, unknown + b"\n" + key + b"\n")
    before = ledger.view()
    assert [event.type for event in before.unknown] == ["from_the_future"]
    assert before.damaged == before.money_damage == ()
    after = ledger.transact(
        lambda state: Write(drops=tuple(state.shards), fold_before=START + timedelta(days=40))
    )
    files = tree(remote)
    assert not any(path.startswith("log/") for path in files)
    lines = [line for raw in files.values() for line in raw.splitlines()]
    assert {unknown, key} <= set(lines)
    assert open_ledger(clone).view() == after
    assert (after.unknown, after.feedback) == (before.unknown, before.feedback)


@pytest.mark.parametrize(
    ("verb", "gaps"),
    [
        ("intent", ("batch batch-i1: its intent is missing",)),
        ("request", ("intent i1: 2 of 2 requests missing",)),
        ("submitted", ()),
    ],
)
def test_a_missing_file_is_found_where_other_events_refer_to_it(
    remote: Work, clone: Work, verb: str, gaps: tuple[str, ...]
) -> None:
    ledger = open_ledger(clone)
    ledger.transact(always(intent("i1", requests=2)))
    ledger.transact(always(asked("i1", 0, "t1"), asked("i1", 1, "t2")))
    ledger.transact(always(submitted("i1")))
    assert ledger.view().damaged == ()
    rewrite(remote, {next(path for path in tree(remote) if f"-{verb}-" in path): None})
    state = ledger.view()
    assert state.damaged == state.money_damage == gaps


def test_a_damaged_shard_is_skipped(remote: Work, clone: Work) -> None:
    shard = Shard(intent("i1").id, 0, (finding("1"),))
    ledger = open_ledger(clone)
    events = (intent("i1"), asked("i1", 0, "t1"), answered("i1", findings=1))
    ledger.transact(always(*events, shards=(shard,)))
    path = next(name for name in tree(remote) if name.startswith("answers/"))
    rewrite(remote, {path: tree(remote)[path][:-9]})
    answer = ledger.view().batch_records[intent("i1").id].answers[0]
    assert list(ledger.findings([answer])) == []


def test_a_newer_version_is_asked_for(remote: Work, clone: Work) -> None:
    ledger = open_ledger(clone)
    ledger.transact(always(plan("p1")))
    rewrite(remote, {"format.json": b'{"format": 3, "min_reader": 2, "new": 1}'})
    assert len(ledger.view().plans) == 1
    with pytest.raises(LedgerIsNewer, match="has format 3"):
        ledger.transact(always(plan("p2")))
    rewrite(remote, {"format.json": b'{"format": 3, "min_reader": 3}'})
    with pytest.raises(LedgerIsNewer, match="needs reader 3"):
        ledger.view()


@pytest.mark.parametrize("version", [None, b"garbage", b"{}", b'{"format": 2, "min_reader": "2"}'])
def test_without_a_readable_version_nothing_is_written(
    remote: Work, clone: Work, version: bytes | None
) -> None:
    ledger = open_ledger(clone)
    ledger.transact(always(plan("p1")))
    tip = rewrite(remote, {"format.json": version})
    view = ledger.view()
    assert len(view.plans) == 1
    assert view.damaged == ("format.json: not readable, so nothing is written there",)
    with pytest.raises(CannotRecord, match=r"no readable format\.json"):
        ledger.transact(always(plan("p2")))
    assert ledger.tip() == tip


def test_a_branch_of_somebody_else_is_not_written_to(remote: Work, clone: Work) -> None:
    remote.git("update-ref", REF, "main")
    ledger = open_ledger(clone)
    with pytest.raises(CannotRecord, match=r"no readable format\.json"):
        ledger.transact(always(plan("p1")))
    assert ledger.view().damaged == ("format.json: not readable, so nothing is written there",)


def test_a_deleted_branch_is_not_made_anew(remote: Work, clone: Work) -> None:
    ledger = open_ledger(clone)
    ledger.transact(always(plan("p1")))
    tip = ledger.tip()
    remote.git("update-ref", "-d", REF)
    for attempt in (ledger.view, lambda: open_ledger(clone).transact(always(plan("p2")))):
        with pytest.raises(CannotRecord, match="is gone from origin") as caught:
            attempt()
    assert caught.value.exit_code == 3
    assert f"git push origin {tip}:{REF}" in caught.value.remedy
    assert ledger.tip() is None
    clone.git("push", "-q", "origin", f"{tip}:{REF}")
    assert len(ledger.view().plans) == 1


def test_a_sign_of_an_earlier_life_forbids_the_first_write(clone: Work) -> None:
    ledger = open_ledger(clone, marker_seen=lambda: True)
    with pytest.raises(CannotRecord, match="has run here before"):
        ledger.transact(always(plan("p1")))
    open_ledger(clone).transact(always(plan("p1")))
    assert len(ledger.transact(always(plan("p2"))).plans) == 2


@pytest.mark.parametrize("shows_forced_updates", ["true", "false"])
def test_a_rewritten_branch_is_refused(
    remote: Work, clone: Work, shows_forced_updates: str
) -> None:
    """Where a user has told git not to look, too."""
    clone.git("config", "fetch.showForcedUpdates", shows_forced_updates)
    ledger = open_ledger(clone)
    ledger.transact(always(plan("p1")))
    tip = ledger.tip()
    files = tree(remote)
    rewritten = rewrite(remote, dict(files), parent=False)
    with pytest.raises(CannotRecord, match="was rewritten") as caught:
        ledger.transact(always(plan("p2")))
    assert f"git push --force origin {tip}:{REF}" in caught.value.remedy
    assert ledger.tip() == rewritten
    assert private_refs(clone) == [SEEN]
    clone.git("update-ref", "-d", SEEN)
    assert len(open_ledger(clone).view().plans) == 1


def test_a_squash_that_names_the_old_tips_is_followed(remote: Work, clone: Work) -> None:
    ledger = open_ledger(clone)
    ledger.transact(always(plan("p1")))
    tips = remote.git("rev-list", REF).decode().split()
    message = "squash\n\n" + "".join(f"Old-Tip: {tip}\n" for tip in ["f" * 40, *tips])
    made = remote.git("commit-tree", f"{REF}^{{tree}}", "-m", message).decode().strip()
    remote.git("update-ref", REF, made)
    assert len(ledger.transact(always(plan("p2"))).plans) == 2
    assert private_refs(clone) == [SEEN]


def test_gc_takes_nothing(remote: Work, clone: Work) -> None:
    ledger = open_ledger(clone)
    local = open_ledger(clone, remote=None)
    for number in range(3):
        ledger.transact(always(plan(f"p{number}")))
        local.transact(always(plan(f"q{number}")))
    remote.git("gc", "-q", "--prune=now")
    clone.git("gc", "-q", "--prune=now")
    remote.git("update-ref", "refs/heads/aside", REF)
    assert len(open_ledger(clone).view().plans) == 3
    assert len(open_ledger(clone, remote=None).view().plans) == 3


@pytest.mark.parametrize(
    "options",
    [
        pytest.param((), id="full"),
        pytest.param(("--depth=1",), id="shallow"),
        pytest.param(("--filter=blob:none",), id="blobless"),
        pytest.param(("--filter=tree:0",), id="treeless"),
        pytest.param(("--single-branch",), id="single branch"),
    ],
)
def test_a_clone_of_any_shape_bears_no_trace(
    remote: Work, make_work: MakeWork, options: tuple[str, ...]
) -> None:
    remote.git("config", "uploadpack.allowFilter", "true")
    url = f"file://{remote.path}"
    other = open_ledger(make_work("other", "clone", "-q", url))
    shard = Shard(intent("i1").id, 0, (finding("1"),))
    events = (intent("i1"), asked("i1", 0, "t1"), answered("i1"))
    other.transact(always(*events, shards=(shard,)))
    mine = make_work("mine", "clone", "-q", *options, url)
    mine.write({"a.py": "a = 3\n", "new.py": ""})
    mine.git("add", "a.py")
    before = traces(mine)
    ledger = open_ledger(mine)
    for number in range(3):
        ledger.transact(always(plan(f"mine-{number}")))
        other.transact(always(plan(f"other-{number}")))
    view = ledger.view()
    assert len(view.plans) == 6
    found = ledger.findings(
        answer for _, answer in view.answers_of([asked("", 0, "t1").tasks[0].id])
    )
    assert [row.id for row in found] == ["1"]
    assert traces(mine) == before


@pytest.mark.parametrize("what", ["blob:none", "tree:0"])
def test_what_a_filter_left_out_is_fetched_at_once(
    remote: Work, make_work: MakeWork, what: str
) -> None:
    remote.git("config", "uploadpack.allowFilter", "true")
    other = open_ledger(make_work("other", "clone", "-q", f"file://{remote.path}"))
    for number in range(5):
        other.transact(always(plan(f"p{number}")))
    mine = make_work("mine", "clone", "-q", f"--filter={what}", f"file://{remote.path}")
    assert len(open_ledger(mine).view().plans) == 5
    packs = list((mine.path / ".git/objects/pack").glob("*.pack"))
    # of the clone, of its checkout (one for each step of the filter), and of the state
    assert len(packs) <= {"blob:none": 3, "tree:0": 5}[what]


def test_a_linked_worktree_shares_the_memory(clone: Work) -> None:
    path = clone.path.parent / "linked"
    clone.git("worktree", "add", "-q", str(path), "-b", "side")
    linked = Work(path)
    before = traces(linked), traces(clone)
    open_ledger(linked).transact(always(plan("p1")))
    open_ledger(linked, remote=None).transact(always(plan("q1")))
    assert (traces(linked), traces(clone)) == before
    assert len(open_ledger(clone, remote=None).view().plans) == 1
    assert clone.git("rev-parse", SEEN)


def test_sha256_repositories(make_work: MakeWork) -> None:
    bare = make_work("sha256.git", "init", "-q", "--bare", "--object-format=sha256")
    work = make_work("sha256", "init", "-q", "--object-format=sha256")
    work.git("remote", "add", "origin", str(bare.path))
    for place in ("origin", None):
        ledger = open_ledger(work, remote=place)
        ledger.transact(always(plan("p1")))
        ledger.transact(always(plan("p2")))
        assert len(open_ledger(work, remote=place).view().plans) == 2


def test_inside_a_hook_the_users_index_is_left_alone(clone: Work) -> None:
    index = clone.path / ".git" / "index"
    clone.write({"a.py": "a = 5\n"})
    clone.git("add", "a.py")
    before = index.read_bytes()
    ledger = open_ledger(clone)
    hook = {"GIT_DIR": ".git", "GIT_INDEX_FILE": str(index), "GIT_PREFIX": "x/"}
    ledger.git = Git(dict(os.environ) | hook, clone.path / ".git")
    ledger.transact(always(plan("p1")))
    assert len(ledger.view().plans) == 1
    assert index.read_bytes() == before


def test_no_ref_is_left_but_the_memory(clone: Work) -> None:
    ledger = open_ledger(clone)
    ledger.transact(always(plan("p1")))
    clone.git("update-ref", "-d", SEEN)
    open_ledger(clone).transact(always(plan("p2")))
    assert private_refs(clone) == [SEEN]


@pytest.mark.parametrize(
    "said", ["GH006: Protected branch update failed", "GH013: Repository rule violations", "no"]
)
def test_a_protected_branch_is_told_from_a_lost_race(remote: Work, clone: Work, said: str) -> None:
    hook = remote.path / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    hook.chmod(0o755)
    slept: list[float] = []
    ledger = open_ledger(clone, sleep=slept.append)
    with pytest.raises(CannotRecord) as caught:
        ledger.transact(always(plan("p1")))
    assert caught.value.problem == (
        "origin takes no push to claude-batch-state: a protection, a ruleset or a hook forbids it"
    )
    assert "exclude `claude-batch-state` from branch protection" in caught.value.remedy
    assert slept == []


def test_a_ref_that_stays_locked_is_given_up(remote: Work, clone: Work) -> None:
    open_ledger(clone).transact(always(plan("p1")))
    (remote.path / f"{REF}.lock").write_text("")
    slept: list[float] = []
    seeded = random.Random(1)  # noqa: S311
    ticks = itertools.count(step=0.5)
    ledger = open_ledger(clone, sleep=slept.append, rng=seeded, clock=lambda: next(ticks))
    with pytest.raises(CannotRecord, match="at each of 40 tries") as caught:
        ledger.transact(always(plan("p2")))
    assert "nothing was lost" in caught.value.remedy
    assert len(slept) == 39
    assert max(slept) <= ledger.spread * 0.5
    assert max(slept) - min(slept) > ledger.spread / 2 * 0.5


def test_an_impatient_write_is_tried_once(remote: Work, clone: Work) -> None:
    slept: list[float] = []
    ledger = open_ledger(clone, sleep=slept.append)
    ledger.transact(always(plan("p1")))
    (remote.path / f"{REF}.lock").write_text("")
    states: list[LedgerState] = []

    def decide(state: LedgerState) -> Write:
        states.append(state)
        return Write((plan("p2"),))

    with pytest.raises(CannotRecord):
        ledger.transact(decide, patient=False)
    assert (len(states), slept) == (1, [])


def test_a_local_ref_that_stays_locked_is_given_up(work: Work) -> None:
    ledger = open_ledger(work, remote=None, sleep=lambda seconds: None)
    ledger.transact(always(plan("p1")))
    (work.path / ".git/refs/claude-batch/local.lock").write_text("")
    with pytest.raises(CannotRecord, match="at each of 40 tries"):
        ledger.transact(always(plan("p2")))


def test_an_unknown_or_unreachable_remote_is_named(clone: Work) -> None:
    with pytest.raises(CannotRecord, match="nowhere is not a repository") as caught:
        open_ledger(clone, remote="nowhere").view()
    assert "state.remote" in caught.value.remedy
    clone.git("remote", "add", "closed", "http://127.0.0.1:9/x.git")
    with pytest.raises(CannotRecord, match="closed could not be reached"):
        open_ledger(clone, remote="closed").view()


def test_four_processes_of_one_clone(remote: Work, clone: Work) -> None:
    """Threads share what processes do not: one interpreter's view of its environment and files."""
    code = (
        "import os, random, sys, time; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from scratch import Work\n"
        "from ledger_contract import always\n"
        "from ledger_events import plan\n"
        "from git_ledgers import open_ledger\n"
        "ledger = open_ledger(Work(Path(sys.argv[1])))\n"
        "for n in range(6): ledger.transact(always(plan(f'{os.getpid()}-{n}')))\n"
    )
    support = Path(__file__).parents[1] / "support"
    command = [sys.executable, "-c", code, str(clone.path), str(support)]
    running = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait() for process in running] == [0, 0, 0, 0]
    assert len(open_ledger(clone).view().plans) == 24
