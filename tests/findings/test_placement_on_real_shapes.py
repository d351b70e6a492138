"""Made-up answers on real pushes: every placed comment is on the line meant, or there is none.

A sample, on repositories that are drawn here; `make bench-placement` does it on real ones.
"""

import random

import pytest

from bench.answers import RenderedRequest
from bench.histories import PullHistory, list_histories
from bench.placement import MODES, GroundTruth, PlacementResult, table, try_pull
from scratch import Work
from shop import environ

BODIES = ("return None", "total += item.price", "log(item)", "}", "", "if item:", "seen.add(item)")


class Author:
    """Writes code full of lines that are alike, and pushes like people do."""

    def __init__(self, work: Work, seed: int) -> None:
        self.work = work
        self.dice = random.Random(seed)  # noqa: S311
        self.files: dict[str, list[str]] = {}
        self.endings = {"windows.txt": "\r\n"}

    def function(self) -> list[str]:
        name = self.dice.randrange(10_000)
        body = self.dice.choices(BODIES, k=self.dice.randint(3, 9))
        return [f"def f{name}(item):", *(f"    {row}".rstrip() for row in body), ""]

    def new_file(self, name: str) -> None:
        self.files[name] = [row for _ in range(self.dice.randint(4, 9)) for row in self.function()]

    def edit(self, name: str) -> None:
        rows = self.files[name]
        at = self.dice.randrange(len(rows))
        match self.dice.randrange(5):
            case 0:
                rows[at:at] = self.function()
            case 1:
                rows[at] = f"    changed({self.dice.randrange(1000)})"
            case 2:
                del rows[at : at + self.dice.randint(1, 6)]
            case 3:
                part = rows[at : at + 4]
                del rows[at : at + 4]
                to = self.dice.randrange(len(rows) + 1)
                rows[to:to] = part
            case _:
                rows[at : at + 1] = [rows[at], f"    extra_{self.dice.randrange(1000)} = {at}"]
        self.files[name] = rows or ["empty"]

    def commit(self) -> str:
        for name in self.dice.sample(sorted(self.files), k=min(2, len(self.files))):
            for _ in range(self.dice.randint(1, 3)):
                self.edit(name)
        return self.save()

    def save(self) -> str:
        for path in self.work.path.glob("[!.]*"):
            if path.name not in self.files:
                path.unlink()
        return self.work.commit({name: self._text(name, rows) for name, rows in self.files.items()})

    def _text(self, name: str, rows: list[str]) -> bytes:
        ending = self.endings.get(name, "\n")
        final = "" if name == "ragged.js" else ending
        return (ending.join(rows) + final).encode()

    def rename(self, old: str, new: str) -> None:
        self.files[new] = self.files.pop(old)


def judged(work: Work, histories: list[PullHistory]) -> PlacementResult:
    court, total, others = (
        GroundTruth(work.path, environ()),
        PlacementResult(),
        list[RenderedRequest](),
    )
    for number, pull in enumerate(histories):
        found = try_pull(court, pull, number, others)
        assert found is not None
        total += found
    assert not total.faults, "\n".join(total.faults)
    return total


def history(author: Author, pushes: int = 3) -> PullHistory:
    base = author.save()
    return PullHistory(base, tuple([author.commit() for _ in range(2)][-1] for _ in range(pushes)))


def test_every_comment_is_on_the_line_meant(work: Work) -> None:
    author = Author(work, 1)
    for name in ("one.py", "two.go", "windows.txt", "ragged.js"):
        author.new_file(name)
    total = judged(work, [history(author) for _ in range(4)])
    first, later = total.first.counts, total.later[MODES[0]].counts
    assert first["true placed"] == first["true"] == 30 * 4
    assert first["damaged placed"] == 0
    assert first["damaged"] > 20
    assert later["task"] > 20
    assert later["walk"] > 20
    assert later["judged"] < later["true"]  # some lines are gone
    assert "wrong line, outside the diff, or refused | 0 | 0 | 0 |" in table(total)


def test_after_renames_and_deletions_too(work: Work) -> None:
    author = Author(work, 2)
    for name in ("one.py", "two.go", "three.rs"):
        author.new_file(name)
    base = author.save()
    author.new_file("added.py")
    heads = [author.commit()]
    author.edit("one.py")
    author.edit("added.py")
    heads.append(author.save())
    author.rename("one.py", "uno.py")
    author.rename("added.py", "moved.py")
    heads.append(author.commit())
    del author.files["uno.py"]
    heads.append(author.commit())
    later = judged(work, [PullHistory(base, tuple(heads))]).later[MODES[0]].counts
    assert later["walk"] + later["blob"] > 0


def test_a_rebase_carries_what_it_left_alone(work: Work) -> None:
    """No commit of the first push is in the second one's history."""
    author = Author(work, 3)
    author.new_file("one.py")
    author.new_file("two.py")
    base = author.save()
    first = author.commit()
    work.git("checkout", "-q", base)
    new_base = work.commit({"one.py": b"import other\n" + work.git("show", f"{base}:one.py")})
    patch = work.git("diff", base, first)
    work.git("apply", "--index", "--3way", stdin=patch)
    second = work.commit()
    court = GroundTruth(work.path, environ())
    found = try_pull(court, PullHistory(new_base, (first, second)), 1, [])
    assert found is not None
    assert not found.faults
    assert found.later[MODES[0]].counts["judged"] > 0


@pytest.mark.parametrize("seed", [1, 2])
def test_histories_are_found_in_any_repository(work: Work, seed: int) -> None:
    author = Author(work, seed)
    author.new_file("one.py")
    author.save()
    work.git("checkout", "-q", "-b", "topic")
    commits = [author.commit() for _ in range(4)]
    work.git("checkout", "-q", "main")
    work.git("merge", "-q", "--no-ff", "--no-edit", "topic")
    merged, *runs = list_histories(GroundTruth(work.path, environ()).repository.git, seed)
    assert merged.heads[-1] == commits[-1]
    assert 2 <= len(merged.heads) <= 4
    assert set(merged.heads) <= set(commits)
    assert all(pull.base not in pull.heads for pull in runs)
