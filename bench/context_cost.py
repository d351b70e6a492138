"""How many bytes a first push sends for each byte of diff, by part and by size of the diff.

    python bench/context_cost.py REPOSITORY...

Each repository is a clone or a bare git directory with the history of merged pull requests:
merge commits, or commits whose subject ends with (#NUMBER). An even sample of each is asked
about as `submit` would ask, with nothing known, and nothing is sent. Prints Markdown.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from claude_batch import estimate, house_rules, prompt, request, verify
from claude_batch.commands.look import Look, Looker
from claude_batch.config import Config
from claude_batch.context import Material
from claude_batch.edges.repository import Repository
from claude_batch.event import PlannedTask
from claude_batch.evidence import code_of
from claude_batch.finding import Finding
from claude_batch.ledger import View
from claude_batch.parcel import Draft
from claude_batch.price import Prices
from claude_batch.submission import Claimant, Subject
from claude_batch.task import Changed
from claude_batch.verify import Case

EACH = 90  # pull requests of one repository
CLASSES = (("< 2 KB", 2_000), ("2–8 KB", 8_000), ("8–32 KB", 32_000), ("> 32 KB", 10**12))
PARTS = ("instructions, schema", "diff with anchors", "context", "rules, title, description")
SQUASHED = re.compile(r"\(#\d+\)$")
MERGED = re.compile(r"Merge (?:pull request|PR|branch|remote)")
TITLE, BODY = 60, 250  # characters of a finding
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Pull:
    base: str
    head: str
    title: str
    description: str


@dataclass(frozen=True)
class Measured:
    """Bytes. `parts`: in the order of PARTS, over all requests of one pull request."""

    diff: int
    requests: int
    tasks: int
    parts: tuple[int, ...]
    looks: int  # bytes of second looks, at one finding of each request

    @property
    def total(self) -> int:
        return sum(self.parts)


def pulls(repository: Repository) -> list[Pull]:
    """Oldest first, evenly spread."""
    form = "--format=%P%x00%H%x00%s%x00%b%x01"
    out = repository.git.run("log", "--first-parent", "--reverse", form, "HEAD").out
    found = [pull for row in out.decode("utf-8", "replace").split("\x01\n") if (pull := _pull(row))]
    step = max(1, len(found) / EACH)
    return [found[int(at * step)] for at in range(min(EACH, len(found)))]


def _pull(row: str) -> Pull | None:
    if row.count("\x00") != 3:
        return None
    parents, commit, subject, body = row.split("\x00")
    base, *others = parents.split() or [""]
    if len(others) == 1 and MERGED.match(subject):
        title, _, rest = body.strip().partition("\n")
        return Pull(base, others[0], title or subject, rest)
    if base and not others and SQUASHED.search(subject):
        return Pull(base, commit, subject, body)
    return None


def measure(repository: Repository, pull: Pull) -> Measured | None:
    """None: nothing in it is asked about."""
    looker = Looker(repository)
    look = looker.diff(repository.compare_range(pull.base, pull.head), ())
    kinds = (prompt.kind_of("review"),)
    subject = Subject("a/b", "run", 1, look.comparison, look.tasks(kinds), ())
    if not subject.tasks:
        return None
    context = Material(blobs=repository.read)
    whole = replace(
        context,
        title=pull.title,
        description=pull.description,
        papers=lambda: repository.named_files(pull.base, house_rules.FILE_NAMES),
    )
    claimed = [
        _drafts(replace(subject, material=material)) for material in (Material(), context, whole)
    ]
    sums = [sum(draft.body.size for draft in drafts) for drafts in claimed]
    bare = _instructions() * len(claimed[0])
    looks = sum(_second_look(draft, subject, repository) for draft in claimed[-1])
    parts = (bare, sums[0] - bare, sums[1] - sums[0], sums[2] - sums[1])
    tasks = len({task.id for task in subject.tasks})
    return Measured(_diff_bytes(repository, look), len(claimed[0]), tasks, parts, looks)


def _drafts(subject: Subject) -> list[Draft]:
    config = Config.model_validate({"budget": {"pull_request": False, "month": False}})
    ids = (f"{n:016x}" for n in range(10**9))
    kinds = (prompt.kind_of("review"),)
    claimant = Claimant(config, kinds, Prices.load(), NOW, lambda: next(ids))
    claim = claimant.claim(View.of(()), subject)
    return [draft for parcel in claim.parcels for draft in parcel.drafts]


def _second_look(draft: Draft, subject: Subject, repository: Repository) -> int:
    """At a finding on the middle line of the middle task."""
    asked = draft.asked.tasks[len(draft.asked.tasks) // 2]
    task = next(task for task in subject.tasks if task.id == asked.id)
    planned = PlannedTask(
        id=task.id, kind="review", old_start=task.hunk.old_start, new_start=task.hunk.new_start
    )
    assert isinstance(task.source, Changed)  # noqa: S101 - the tasks come from a diff
    blobs = task.source.old_blob, task.source.new_blob
    content = repository.read(oid for oid in blobs if oid.strip("0"))
    code = code_of(asked, planned, *(content.get(oid, b"") for oid in blobs))
    if code is None:
        return 0
    at = len(asked.signs) // 2
    finding = Finding(
        id="0" * 16,
        fingerprint="0" * 16,
        task=task.id,
        kind="review",
        path=task.path,
        first=at,
        last=at,
        category="bug",
        severity="high",
        confidence="high",
        title="x" * TITLE,
        body="x" * BODY,
    )
    case = Case(finding, draft.asked, "batch", asked, code)
    return verify.build([case], Config().verify or "").body.size


def _instructions() -> int:
    return request.build(prompt.kind_of("review"), request.Pack(()), Config(), 9_999).body.size


def _diff_bytes(repository: Repository, look: Look) -> int:
    """Of what `git diff` prints for the files that are asked about."""
    paths = {path for change in look.files for path in (change.old_path, change.path)}
    trees = look.comparison.base_tree, look.comparison.head_tree
    args = ("diff", "-M", "--no-color", "--no-ext-diff", *trees, "--")
    return len(repository.git.run("--literal-pathspecs", *args, *sorted(paths)).out)


def table(rows: Sequence[Measured]) -> Iterator[str]:
    head = ("diff", "pull requests", "diff bytes", *PARTS, "all bytes", "÷ diff", "tokens/request")
    yield _row(head)
    yield _row(["---", *("---:" for _ in head[1:])])
    at_least = 0
    for name, below in CLASSES:
        yield _sum(name, [row for row in rows if at_least <= row.diff < below])
        at_least = below
    yield _sum("**all**", rows)


def _sum(name: str, rows: Sequence[Measured]) -> str:
    if not rows:
        return _row([name, "0"])
    diff, total = sum(row.diff for row in rows), sum(row.total for row in rows)
    parts = [sum(row.parts[at] for row in rows) for at in range(len(PARTS))]
    requests = sum(row.requests for row in rows)
    return _row(
        [
            name,
            f"{len(rows)}",
            f"{diff:,}",
            *(f"{part:,} ({part / diff:.2f})" for part in parts),
            f"{total:,}",
            f"**{total / diff:.2f}**",
            f"{_tokens(total) // requests:,}",
        ]
    )


def after_each_part(rows: Sequence[Measured]) -> Iterator[str]:
    requests, diff, running = sum(r.requests for r in rows), sum(r.diff for r in rows), 0
    yield _row(["with", "bytes/request", "tokens/request", "÷ diff"])
    yield _row(["---", "---:", "---:", "---:"])
    for at, name in enumerate(PARTS):
        running += sum(row.parts[at] for row in rows)
        label = name if at == 0 else f"+ {name}"
        each, share = running // requests, running / diff
        yield _row([label, f"{each:,}", f"{_tokens(running) // requests:,}", f"{share:.2f}"])
    looks = sum(row.looks for row in rows)
    each, share = looks // requests, looks / diff
    label = "second look, one finding a request"
    yield _row([label, f"{each:,}", f"{_tokens(looks) // requests:,}", f"{share:.2f}"])
    said = estimate.output_tokens(sum(row.tasks for row in rows), Config().effort)
    yield _row(["output, thinking included (assumed)", "", f"{said // requests:,}", ""])


def _tokens(size: int) -> int:
    return estimate.input_tokens(size, Config().model)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def main(paths: Sequence[str]) -> int:
    if not paths:
        sys.stderr.write("error: no repository is named\n help: give paths of clones\n")
        return 2
    measured: list[Measured] = []
    for path in paths:
        repository = Repository.open(Path(path), os.environ)
        found = [one for pull in pulls(repository) if (one := measure(repository, pull))]
        sys.stderr.write(f"{path}: {len(found)} pull requests\n")
        measured += found
    sys.stdout.write("\n".join([*table(measured), "", *after_each_part(measured)]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
