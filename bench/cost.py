"""Measure the requests, bytes and tokens of real pull requests, push by push.

    python -m bench.cost REPOSITORY... [--first N] [--histories N] [--rebases N]

Each repository is a clone or a bare git directory; nothing is written to it. Everything goes the
program's own way, over HTTP, to a look-alike that answers at once and finds nothing. Samples are
spread evenly over each history, the same ones every time. Prints Markdown.
"""

import argparse
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from bench import cost_tables
from bench.cost_tables import FirstPushTotals, Story
from bench.merged import MergedPullRequest, list_merged, sample_evenly
from bench.stories import (
    Rebase,
    UnsuitablePullRequest,
    find_fork_point,
    first_push,
    has_pushes,
    history,
    rebase,
)
from bench.wire import CONFIG, PRICES, WireProbe, now, open_probe
from claude_batch.errors import CannotRead

EACH = (1, 2, 3)  # commits of a push
CANDIDATES_PER_SAMPLE = 5  # so many are looked at for each that is measured
Found = TypeVar("Found")


@dataclass
class RepositoryCost:
    """`left_out` counts the pull requests that were not measured, by reason."""

    firsts: list[FirstPushTotals] = field(default_factory=list)
    projects: list[Mapping[int, Sequence[Story]]] = field(default_factory=list)
    rebases: list[Rebase] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def __iadd__(self, other: "RepositoryCost") -> "RepositoryCost":
        self.firsts += other.firsts
        self.projects += other.projects
        self.rebases += other.rebases
        self.left_out += other.left_out
        return self

    def measure(self, wire: WireProbe, first: int, histories: int, rebases: int) -> None:
        """At most so many of each, evenly spread over one repository."""
        git = wire.repository.git
        pulls = list_merged(git)
        self._first_pushes(wire, sample_evenly(pulls, first))
        branches = [pull for pull in pulls if not pull.squashed]
        pushed = [
            pull
            for pull in sample_evenly(branches, CANDIDATES_PER_SAMPLE * histories)
            if has_pushes(git, pull)
        ]
        self._histories(wire, sample_evenly(pushed, histories))
        behind = [
            pull
            for pull in sample_evenly(branches, CANDIDATES_PER_SAMPLE * rebases)
            if find_fork_point(git, pull)
        ]
        self._rebases(wire, sample_evenly(behind, rebases))

    def _first_pushes(self, wire: WireProbe, pulls: Sequence[MergedPullRequest]) -> None:
        found = self._all("first pushes", pulls, partial(first_push, wire))
        self.firsts += cost_tables.firsts(found)

    def _histories(self, wire: WireProbe, pulls: Sequence[MergedPullRequest]) -> None:
        ask = {each: partial(history, wire, each) for each in EACH}
        project = {each: self._all("histories", pulls, ask[each]) for each in EACH}
        if any(project.values()):
            self.projects.append(project)

    def _rebases(self, wire: WireProbe, pulls: Sequence[MergedPullRequest]) -> None:
        self.rebases += self._all("rebases", pulls, partial(rebase, wire))

    def _all(
        self,
        what: str,
        pulls: Sequence[MergedPullRequest],
        ask: Callable[[MergedPullRequest], Found],
    ) -> list[Found]:
        found: list[Found] = []
        for pull in pulls:
            try:
                found.append(ask(pull))
            except CannotRead:
                self.left_out[f"{what}: this copy lacks objects"] += 1
            except UnsuitablePullRequest as reason:
                self.left_out[f"{what}: {reason}"] += 1
        return found

    def report(self) -> Iterator[str]:
        rates = PRICES.rates(CONFIG.model, at=now(), prompt_tokens=0)
        yield "First pushes, by size of the diff:\n"
        yield from cost_tables.first_pushes(self.firsts)
        yield "\nThe same for each byte of diff, in bytes at full price:\n"
        yield from cost_tables.equivalents(self.firsts, rates)
        prefixes = sorted({size for one in self.firsts for size in one.prefix.values()})
        yield f"\nBytes that all requests of a repository begin with: {prefixes}"
        yield "\nLater pushes:\n"
        yield from cost_tables.later_pushes(self.projects)
        yield "\nRebased, with nothing else changed:\n"
        yield from cost_tables.rebases(self.rebases)
        yield "\nFirst and later pushes together:\n"
        yield from cost_tables.whole_histories(self.projects)
        yield "\nLeft out:\n"
        yield from (f"* {why}: {count}" for why, count in sorted(self.left_out.items()))


def measure(path: Path, first: int, histories: int, rebases: int) -> RepositoryCost:
    measured = RepositoryCost()
    with open_probe(path, os.environ) as wire:
        measured.measure(wire, first, histories, rebases)
    sys.stderr.write(f"{path}: {len(measured.firsts)} first pushes\n")
    return measured


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure what pull requests send to the server.")
    parser.add_argument("repository", nargs="+", type=Path)
    parser.add_argument("--first", type=int, default=90, help="first pushes of each repository")
    parser.add_argument("--histories", type=int, default=16, help="whole histories of each")
    parser.add_argument("--rebases", type=int, default=16, help="rebases of each")
    given = parser.parse_args()
    sizes = {"first": given.first, "histories": given.histories, "rebases": given.rebases}
    total = RepositoryCost()
    with ProcessPoolExecutor() as pool:
        for measured in pool.map(partial(measure, **sizes), given.repository):
            total += measured
    sys.stdout.write("\n".join(total.report()) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
