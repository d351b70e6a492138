"""The tables of `bench.cost`: sums over what arrived, and one step of arithmetic, `equivalent`."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from bench import tables
from bench.stories import BaseChange, Rebase
from bench.wire import Push, ReceivedRequest
from claude_batch.costs.prices import BATCH_FACTOR, Rates

HIT_RATES = (0.30, 0.64, 0.98)  # assumed
Story = Sequence[Push]  # all pushes of one pull request
Group = tuple[str, str]  # requests of one model and kind


@dataclass(frozen=True)
class FirstPushTotals:
    """A first push. `prefix`: bytes that the requests of a group share in its repository."""

    push: Push
    prefix: Mapping[Group, int]


def firsts(pushes: Sequence[Push]) -> list[FirstPushTotals]:
    """Of one repository."""
    groups: dict[Group, list[ReceivedRequest]] = defaultdict(list)
    for push in pushes:
        for request in push.requests:
            groups[_group(request)].append(request)
    prefix = {group: shared(found) for group, found in groups.items()}
    return [FirstPushTotals(push, prefix) for push in pushes]


def shared(requests: Sequence[ReceivedRequest]) -> int:
    """Bytes of the blocks with which all of them begin: a cache holds whole blocks."""
    in_line = zip(*(request.blocks for request in requests), strict=False)
    common = takewhile(lambda blocks: len(set(blocks)) == 1, in_line)
    return sum(len(blocks[0].encode()) for blocks in common)


def equivalent(first: FirstPushTotals, rates: Rates, hits: float | None) -> float:
    """Bytes that would cost as much at full price. `hits` None: as sent, nothing is cached."""
    cached = sum(first.prefix[_group(request)] for request in first.push.requests)
    weight = 1.0
    if hits is not None:
        cost = hits * float(rates.cache_read) + (1 - hits) * float(rates.cache_write_1h)
        weight = cost / float(rates.input)
    return float(BATCH_FACTOR) * (first.push.sent - cached + weight * cached)


def _group(request: ReceivedRequest) -> Group:
    return request.model, request.kind


def first_pushes(found: Sequence[FirstPushTotals]) -> Iterator[str]:
    names = ("diff", "pull requests", "diff bytes", "requests", "bytes sent", "÷ diff", "tokens")
    yield from tables.head(*names)
    for name, part in _by_size(found):
        diff, sent = _diff([one.push for one in part]), sum(one.push.sent for one in part)
        requests = sum(len(one.push.requests) for one in part)
        tokens = sum(one.push.tokens for one in part)
        figures = f"{diff:,}", f"{requests:,}", f"{sent:,}", f"**{tables.ratio(sent, diff)}**"
        yield tables.row([name, len(part), *figures, f"{tokens:,}"])


def equivalents(found: Sequence[FirstPushTotals], rates: Rates) -> Iterator[str]:
    yield from tables.head("diff", "as sent", *(f"{hits:.0%} read" for hits in HIT_RATES))
    for name, part in _by_size(found):
        diff = _diff([one.push for one in part])
        sums = [sum(equivalent(one, rates, hits) for one in part) for hits in (None, *HIT_RATES)]
        yield tables.row([name, *(tables.ratio(each, diff) for each in sums)])


def _by_size(found: Sequence[FirstPushTotals]) -> Iterator[tuple[str, Sequence[FirstPushTotals]]]:
    for name, _ in tables.SIZES:
        part = [one for one in found if tables.size_of(one.push.diff) == name]
        if part:
            yield name, part
    yield "**all**", found


def _diff(pushes: Iterable[Push]) -> int:
    return sum(push.diff for push in pushes)


@dataclass(frozen=True)
class LaterPushTotals:
    """Of the later pushes. `unsent`: tasks that did not arrive again; `hashed`: hunks of which a
    set of paths and rows, kept since the first push, says that they were there before."""

    pushes: int
    tasks: int
    unsent: int
    hunks: int
    hashed: int

    @classmethod
    def of(cls, stories: Iterable[Story]) -> "LaterPushTotals":
        later = [push for story in stories for push in story[1:]]
        tasks, asked = sum(push.tasks for push in later), sum(push.asked for push in later)
        hashed = sum(_hashed(story) for story in stories)
        return cls(len(later), tasks, tasks - asked, sum(len(p.hunks) for p in later), hashed)

    def cells(self) -> list[str]:
        unsent = tables.share(self.unsent, self.tasks)
        hashed = tables.share(self.hashed, self.hunks)
        return [f"{self.pushes:,}", f"{self.tasks:,}", f"**{unsent}**", hashed]


def _hashed(story: Story) -> int:
    seen = set(story[0].hunks)
    known = 0
    for push in story[1:]:
        known += len(push.hunks & seen)
        seen |= push.hunks
    return known


def later_pushes(projects: Sequence[Mapping[int, Sequence[Story]]]) -> Iterator[str]:
    """`projects`: the stories of each, by commits of a push."""
    names = ("commits a push", "project", "later pushes", "hunk tasks", "not sent again")
    yield from tables.head(*names, "hashing alone")
    for each in dict.fromkeys(each for project in projects for each in project):
        for number, project in enumerate(projects, 1):
            yield tables.row([each, number, *LaterPushTotals.of(project[each]).cells()])
        together = [story for project in projects for story in project[each]]
        yield tables.row([each, "**all**", *LaterPushTotals.of(together).cells()])


def rebases(found: Sequence[Rebase]) -> Iterator[str]:
    names = ("the base moved", "pull requests", "hunks", "of them changed", "tasks asked")
    yield from tables.head(*names, "requests sent")
    for moved in BaseChange:
        part = [one for one in found if one.moved is moved]
        after = [one.pushes[1] for one in part]
        hunks, asked = sum(len(push.hunks) for push in after), sum(push.asked for push in after)
        changed, requests = sum(o.changed for o in part), sum(len(p.requests) for p in after)
        yield tables.row([moved, len(part), f"{hunks:,}", changed, asked, requests])


def whole_histories(projects: Sequence[Mapping[int, Sequence[Story]]]) -> Iterator[str]:
    names = ("commits a push", "pull requests", "pushes", "diffs of all pushes", "bytes sent")
    yield from tables.head(*names, "÷ diffs", "in full-price bytes")
    for each in dict.fromkeys(each for project in projects for each in project):
        stories = [story for project in projects for story in project[each]]
        pushes = [push for story in stories for push in story]
        diff, sent = _diff(pushes), sum(push.sent for push in pushes)
        half = tables.ratio(float(BATCH_FACTOR) * sent, diff)
        figures = len(pushes), f"{diff:,}", f"{sent:,}", tables.ratio(sent, diff), f"**{half}**"
        yield tables.row([each, len(stories), *figures])
