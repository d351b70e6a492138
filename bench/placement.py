"""Places made-up findings on the real pushes of pull-request-like histories and judges each.

    python -m bench.placement REPOSITORY... [--pulls N]

The judges know nothing of how a finding was placed: the text of the file at the line, GitHub's
rules as the look-alike has them, and `git blame` for whether it is the same line or its twin.
"""

import argparse
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

from bench import tables
from bench.answers import IntendedPlace, RenderedRequest, answer, read_request
from bench.histories import PullHistory, list_histories
from claude_batch.config.model import Budget, Config
from claude_batch.costs.prices import Prices
from claude_batch.diff.commentable import Commentable
from claude_batch.diff.model import Side
from claude_batch.errors import CannotRead
from claude_batch.findings.finding import Finding
from claude_batch.findings.placement import PlacedFinding, place_findings
from claude_batch.findings.relocation import PreviousPlans
from claude_batch.git.repository import Repository
from claude_batch.github_api.models import DraftComment
from claude_batch.ledger.events import Plan
from claude_batch.ledger.view import LedgerState
from claude_batch.prompts.kinds import find_kind
from claude_batch.pull_requests.comment import append_marker
from claude_batch.pull_requests.review_plan import comment_fault
from claude_batch.sandbox.github_server.comment_rules import find_anchor_errors
from claude_batch.sandbox.github_server.git_repository import BareRepository, ChangedFile
from claude_batch.submission.flush import FlushPlan, Submission, plan_flush
from claude_batch.submission.planner import SubmissionPlanner
from claude_batch.submission.scope import ReviewScope
from claude_batch.tasks.discovery import ChangeFinder, DiscoveredChanges

SEED = 20261122
MOST_FILES = 25
MOST_BYTES = 200_000  # of hunks: a larger first push is left to another benchmark
HEADER = re.compile(r"([0-9a-f]{40}|[0-9a-f]{64}) (\d+) (\d+)(?: \d+)?")
MODES = ("plan of the first push", "a plan for each push", "old files gone")
WAYS = {
    "the task is still in the diff": "task",
    "the same file": "blob",
    "carried past edits": "walk",
    "moved, found verbatim": "moved",
    "by the hunk's hashes": "hashes",
}
WRONG = "wrong line, outside the diff, or refused"
CONFIG = Config(budget=Budget(pull_request=None, day=None, month=None))
WHEN = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@dataclass
class PlacementTally:
    """Counts of findings at one stage, and the wrong placements."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def add(self, word: str) -> None:
        self.counts[word] += 1

    def __iadd__(self, other: "PlacementTally") -> "PlacementTally":
        self.counts += other.counts
        self.faults += other.faults
        return self


@dataclass
class PlacementResult:
    first: PlacementTally = field(default_factory=PlacementTally)
    later: dict[str, PlacementTally] = field(
        default_factory=lambda: {mode: PlacementTally() for mode in MODES}
    )
    pulls: int = 0
    pushes: int = 0  # later ones
    skipped: int = 0

    def __iadd__(self, other: "PlacementResult") -> "PlacementResult":
        self.first += other.first
        for mode in MODES:
            self.later[mode] += other.later[mode]
        self.pulls += other.pulls
        self.pushes += other.pushes
        self.skipped += other.skipped
        return self

    @property
    def faults(self) -> list[str]:
        return [*self.first.faults, *(f for tally in self.later.values() for f in tally.faults)]


@dataclass(frozen=True)
class PushedState:
    """A pull request after one push."""

    base: str
    head: str
    look: DiscoveredChanges
    touched: Sequence[ChangedFile]


class GroundTruth:
    """One repository, and the line origins that git knows."""

    def __init__(self, path: Path, environ: Mapping[str, str]) -> None:
        self.repository = Repository.open(path, environ)
        self.finder = ChangeFinder(self.repository)
        self.bare = BareRepository(self.repository.git.directory, environ)
        self.kinds = (find_kind("review"),)
        self.blob = cache(self.repository.blob)
        self.blame = cache(self._blame)

    def scene(self, base: str, head: str) -> PushedState:
        comparison = self.repository.compare_commits(base, head, "pull request 7")
        look = self.finder.find_changes(comparison, ())
        touched = self.bare.changes(base, head) if len(look.files) <= MOST_FILES else ()
        return PushedState(comparison.base or base, head, look, touched)

    def claim(self, scene: PushedState, number: int) -> FlushPlan:
        planner = SubmissionPlanner(
            CONFIG, self.kinds, Prices.load(), WHEN, lambda: f"{number:016x}"
        )
        subject = ReviewScope(
            repo="octo/repository",
            run="bench",
            pr=7,
            comparison=scene.look.comparison,
            tasks=scene.look.tasks(self.kinds),
            skipped=scene.look.skipped,
        )
        return plan_flush(LedgerState.from_events([]), [Submission(planner, subject)])

    def rows(self, commit: str, path: str) -> list[bytes]:
        return (self.blob(commit, path) or b"").split(b"\n")

    def _blame(self, old: str, new: str, path: str) -> dict[int, tuple[str, int]]:
        """Lines of `path` in `new` that `old` had: their path and number there."""
        args = ("blame", "-M", "--line-porcelain", f"{old}..{new}", "--", path)
        found: dict[int, tuple[str, int]] = {}
        commit, before, now = "", 0, 0
        for raw in self.repository.git.run(*args).out.split(b"\n"):
            row = raw.decode("utf-8", "replace")
            if match := HEADER.fullmatch(row):
                commit, before, now = match[1], int(match[2]), int(match[3])
            elif row.startswith("filename ") and commit == old:
                found[now] = (row.removeprefix("filename "), before)
        return found


@dataclass(frozen=True)
class PlacementTrial:
    """The findings about the first push of one pull request."""

    truth: GroundTruth
    start: PushedState
    claim: FlushPlan
    said: Sequence[tuple[Finding, IntendedPlace]]

    def first_push(self) -> PlacementTally:
        tally = PlacementTally()
        scene = self.start
        for meant, placed in self._placed(scene, None):
            kind = "damaged" if meant.damage else "true"
            tally.add(kind)
            if placed is None:
                continue
            tally.add(f"{kind} placed")
            if meant.damage:
                tally.faults.append(f"{scene.head[:12]} {meant.path}: {meant.damage} was placed")
            else:
                self._judge(tally, scene, meant, placed, loose=False)
        return tally

    def later_push(self, scene: PushedState, mode: str, plans: Sequence[Plan]) -> PlacementTally:
        tally = PlacementTally()
        readers = self.truth.finder.earlier_readers(scene.head)
        if mode == MODES[2]:
            readers = replace(readers, blob=lambda oid, commit: None)
        asked = {
            task.id: task
            for batch in self.claim.batches
            for draft in batch.requests
            for task in draft.event.tasks
        }
        past = PreviousPlans(plans, asked, scene.look.diff, readers)
        for meant, placed in self._placed(scene, past):
            if meant.damage:
                continue
            tally.add("true")
            if placed is None:
                if self._still_there(scene, meant):
                    tally.add("held back")
                continue
            tally.add(placed.method)
            self._judge(tally, scene, meant, placed, loose=placed.method == "hashes")
        return tally

    def _placed(
        self, scene: PushedState, past: PreviousPlans | None
    ) -> Iterator[tuple[IntendedPlace, PlacedFinding | None]]:
        found, _ = place_findings(
            [finding for finding, _ in self.said],
            scene.look.tasks(self.truth.kinds),
            self.truth.finder.file_reader(scene.head),
            past,
        )
        by_id = {one.finding.id: one for one in found}
        for finding, meant in self.said:
            yield meant, by_id.get(finding.id)

    def _judge(
        self,
        tally: PlacementTally,
        scene: PushedState,
        meant: IntendedPlace,
        placed: PlacedFinding,
        *,
        loose: bool,
    ) -> None:
        for fault in self._faults(tally, scene, meant, placed, loose=loose):
            where = f"{placed.path}:{placed.first_line}-{placed.line} {placed.side}"
            tally.faults.append(
                f"{self.start.head[:12]}..{scene.head[:12]} {where} ({placed.method}): {fault}; "
                f"meant {meant.path}:{meant.numbers}"
            )

    def _faults(
        self,
        tally: PlacementTally,
        scene: PushedState,
        meant: IntendedPlace,
        placed: PlacedFinding,
        *,
        loose: bool,
    ) -> Iterator[str]:
        tally.add("judged")
        body = append_marker("text", placed.finding.fingerprint)
        draft = DraftComment(placed.path, placed.side, placed.first_line, placed.line, body)
        yield from find_anchor_errors(_wire(draft), scene.touched)
        if refusal := comment_fault(draft, Commentable(scene.look.diff)):
            yield refusal
        texts, wanted = self._texts(scene, placed), meant.texts
        if loose:
            texts, wanted = ([b" ".join(t.split()) for t in rows] for rows in (texts, wanted))
        if texts != wanted:
            yield "another text"
        same = self._is_same(scene, meant, placed)
        tally.add("derivable" if same is not None else "not derivable")
        if same is False:
            yield "a twin of the line"

    def _texts(self, scene: PushedState, placed: PlacedFinding) -> list[bytes]:
        if placed.side is Side.RIGHT:
            rows = self.truth.rows(scene.head, placed.path)
        else:
            old_path = next(t.old_path for t in scene.touched if t.path == placed.path)
            rows = self.truth.rows(scene.base, old_path)
        return rows[placed.first_line - 1 : placed.line]

    def _is_same(
        self, scene: PushedState, meant: IntendedPlace, placed: PlacedFinding
    ) -> bool | None:
        """Return None if git does not know where the line comes from."""
        numbers = range(placed.first_line, placed.line + 1)
        if scene.head == self.start.head or meant.side is Side.LEFT:
            same_base = scene.base == self.start.base
            return list(numbers) == meant.numbers if same_base else None
        known = self.truth.blame(self.start.head, scene.head, placed.path)
        origins = [known.get(number) for number in numbers]
        if None in origins:
            return None
        return origins == [(meant.path, number) for number in meant.numbers]

    def _still_there(self, scene: PushedState, meant: IntendedPlace) -> bool:
        """Return True if git blame knows where the lines are now."""
        here = {touched.path for touched in scene.touched if touched.status != "removed"}
        if meant.side is Side.LEFT or meant.path not in here:
            return False
        known = self.truth.blame(self.start.head, scene.head, meant.path)
        now = {origin: number for number, origin in known.items()}
        numbers = [now.get((meant.path, number), 0) for number in meant.numbers]
        if numbers != list(range(numbers[0], numbers[0] + len(numbers))) or not numbers[0]:
            return False
        draft = DraftComment(meant.path, meant.side, numbers[0], numbers[-1], "")
        return not find_anchor_errors(_wire(draft), scene.touched)


def _wire(draft: DraftComment) -> dict[str, object]:
    shape: dict[str, object] = {"path": draft.path, "side": str(draft.side), "line": draft.line}
    if draft.first_line != draft.line:
        shape |= {"start_line": draft.first_line, "start_side": str(draft.side)}
    return shape


def try_pull(
    truth: GroundTruth, pull: PullHistory, number: int, others: list[RenderedRequest]
) -> PlacementResult | None:
    """Return None if there is nothing to review, or too much."""
    outcome = PlacementResult()
    dice = random.Random(SEED + number)  # noqa: S311
    start = truth.scene(pull.base, pull.heads[0])
    tasks = start.look.tasks(truth.kinds)
    size = sum(len(task.hunk.body) for task in tasks)
    if not tasks or len(start.look.files) > MOST_FILES or size > MOST_BYTES:
        return None
    claim = truth.claim(start, number)
    pages = [read_request(d, tasks) for batch in claim.batches for d in batch.requests]
    said = [pair for page in pages for pair in answer(page, others[-5:], 30, 12, dice)]
    others += pages
    trial = PlacementTrial(truth, start, claim, said)
    outcome.first += trial.first_push()
    plans = [claim.parts[0].plan]
    for at, head in enumerate(pull.heads[1:], 1):
        scene = truth.scene(pull.base, head)
        if not scene.touched:
            continue
        outcome.pushes += 1
        plans.append(truth.claim(scene, number).parts[0].plan)
        first = plans[:1]
        for mode, known in zip(MODES, (first, plans, first), strict=True):
            outcome.later[mode] += trial.later_push(scene, mode, known[: at + 1])
    outcome.pulls = 1
    return outcome


def measure(path: Path, environ: Mapping[str, str], wanted: int) -> PlacementResult:
    """`wanted` pull requests of one repository, or as many as it has."""
    truth, total, others = GroundTruth(path, environ), PlacementResult(), list[RenderedRequest]()
    for number, pull in enumerate(list_histories(truth.repository.git, SEED)):
        if total.pulls == wanted:
            break
        try:
            found = try_pull(truth, pull, number, others)
        except CannotRead:  # an object that this copy lacks
            found = None
        if found:
            total += found
        else:
            total.skipped += 1
    return total


def table(total: PlacementResult) -> str:
    return "\n".join([_described(total), "", *_first_push(total.first), "", *_later(total)])


def _described(total: PlacementResult) -> str:
    return (
        f"{total.pulls} pull requests, {total.pushes} later pushes; {total.skipped} histories with "
        "nothing to review, too much of it, or objects that are not in the copy were passed over"
    )


def _first_push(first: PlacementTally) -> Iterator[str]:
    counts = first.counts
    yield from tables.head("First push", "")
    yield tables.row(["true anchors", f"{counts['true']:,}"])
    yield tables.row(["of them placed", tables.share(counts["true placed"], counts["true"])])
    yield tables.row(["damaged anchors", f"{counts['damaged']:,}"])
    yield tables.row(["of them placed", f"{counts['damaged placed']:,}"])
    yield tables.row([WRONG, f"{len(first.faults):,}"])


def _later(total: PlacementResult) -> Iterator[str]:
    tallies = [total.later[mode] for mode in MODES]

    def shares(name: str, part: str, whole: str = "true") -> str:
        return tables.row(
            [name, *(tables.share(each.counts[part], each.counts[whole]) for each in tallies)]
        )

    yield from tables.head("After each later push", *MODES)
    yield tables.row(["findings", *(f"{each.counts['true']:,}" for each in tallies)])
    for name, how in WAYS.items():
        yield shares(name, how)
    all_of = [each.counts["true"] for each in tallies]
    gone = [each.counts["true"] - each.counts["judged"] for each in tallies]
    yield tables.row(["not placed", *map(tables.share, gone, all_of)])
    yield shares("not placed although git blame knows the lines", "held back")
    yield shares("placed, and git blame can tell which line it is", "derivable", "judged")
    yield tables.row([WRONG, *(len(each.faults) for each in tallies)])


def main() -> int:
    parser = argparse.ArgumentParser(description="How findings are placed on real histories.")
    parser.add_argument("repository", nargs="+", type=Path)
    parser.add_argument("--pulls", type=int, default=60, help="of each repository")
    given = parser.parse_args()
    total = PlacementResult()
    for path in given.repository:
        total += measure(path, os.environ, given.pulls)
    faults = total.faults
    sys.stdout.write(table(total) + "\n")
    sys.stderr.write("".join(f"{fault}\n" for fault in faults))
    first = total.first.counts
    enough = first["true placed"] >= 0.99 * first["true"]
    return 0 if enough and not faults else 1


if __name__ == "__main__":
    sys.exit(main())
