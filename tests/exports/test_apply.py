import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

import pytest

from claude_batch.errors import BadUsage, CannotRead
from claude_batch.exports.apply import ApplyResult, apply_suggestions
from claude_batch.git.work_tree import WorkTree
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from rig import Rig, anchors, finding, open_rig
from scratch import Work

TEXT = "a = 1\nb = 2\nc = 3\n"
Open = Callable[..., AbstractContextManager[Rig]]


def suggesting(*pairs: tuple[str, str]) -> Callable[[Mapping[str, object]], ModelReply]:
    """Says for a line what to write instead."""

    def review(params: Mapping[str, object]) -> ModelReply:
        shown = anchors(params)
        said = [
            finding(shown[line], line, replacement=instead, body=f"{n}")
            for n, (line, instead) in enumerate(pairs)
            if line in shown
        ]
        return ModelReply(json.dumps({"findings": said}))

    return review


@pytest.fixture
def reviewed(work: Work) -> Open:
    """The file a.py with suggestions for it in the ledger."""

    @contextmanager
    def opened(*pairs: tuple[str, str], path: str = "a.py") -> Iterator[Rig]:
        if path == "a.py":
            work.commit({path: TEXT})
        with open_rig(work.path, reviewer=suggesting(*pairs)) as rig:
            rig.submit(rig.given({"path": path, "text": TEXT}))
            rig.collect()
            yield rig

    return opened


def run(rig: Rig, prefix: str | None = None, *, write: bool = True) -> ApplyResult:
    return apply_suggestions([rig.ledger], WorkTree(rig.folder), prefix, write=write)


def test_all_that_fit(reviewed: Open, work: Work) -> None:
    with reviewed(("a = 1", "a = 11"), ("c = 3", "c = 33\nd = 44")) as rig:
        done = run(rig)
        assert (work.path / "a.py").read_text() == "a = 11\nb = 2\nc = 33\nd = 44\n"
        assert len(done.findings) == 2
        assert done.rejected == ()
        work.git("apply", "--check", "--reverse", "-", stdin=done.patch)


def test_without_writing_there_is_a_patch_that_git_takes(reviewed: Open, work: Work) -> None:
    with reviewed(("b = 2", "b = 22")) as rig:
        done = run(rig, write=False)
        assert (work.path / "a.py").read_text() == TEXT
        work.git("apply", "-", stdin=done.patch)
        assert (work.path / "a.py").read_text() == "a = 1\nb = 22\nc = 3\n"


def test_one_by_its_id(reviewed: Open, work: Work) -> None:
    with reviewed(("a = 1", "a = 11"), ("c = 3", "c = 33")) as rig:
        chosen = next(one for one in run(rig, write=False).findings if one.body == "1")
        done = run(rig, chosen.id[:8])
        assert done.findings == (chosen,)
        assert (work.path / "a.py").read_text() == "a = 1\nb = 2\nc = 33\n"
        with pytest.raises(BadUsage, match="no suggestion is called"):
            run(rig, "not-an-id")


def test_where_the_code_stands_now(reviewed: Open, work: Work) -> None:
    with reviewed(("a = 1", "a = 11")) as rig:
        work.write({"a.py": "# new\n\n" + TEXT})
        run(rig)
        assert (work.path / "a.py").read_text() == "# new\n\na = 11\nb = 2\nc = 3\n"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (TEXT.replace("b = 2", "b = 9"), "no longer in the file"),
        (TEXT + TEXT, "more than once"),
        (None, "the file is gone"),
    ],
)
def test_what_does_not_fit_is_said_and_left(
    reviewed: Open, work: Work, text: str | None, why: str
) -> None:
    with reviewed(("a = 1", "a = 11")) as rig:
        if text is None:
            (work.path / "a.py").unlink()
        else:
            work.write({"a.py": text})
        done = run(rig)
        assert (done.findings, done.patch) == ((), b"")
        ((_, said),) = done.rejected
        assert why in said
        assert text is None or (work.path / "a.py").read_text() == text


def test_twice_changes_nothing_more(reviewed: Open, work: Work) -> None:
    with reviewed(("a = 1", "a = 11")) as rig:
        run(rig)
        after = (work.path / "a.py").read_text()
        assert run(rig).findings == ()
        assert (work.path / "a.py").read_text() == after


def test_of_two_for_the_same_lines_the_first_stays(reviewed: Open, work: Work) -> None:
    with reviewed(("a = 1", "a = 11"), ("a = 1", "a = 12"), ("a = 1", "a = 11")) as rig:
        done = run(rig)
        assert (work.path / "a.py").read_text().startswith("a = 11\n")
        assert [one.body for one in done.findings] == ["0", "2"], "two said the same"
        assert [one.body for one, _ in done.rejected] == ["1"]


def test_what_would_no_longer_parse_is_refused(reviewed: Open, work: Work) -> None:
    with reviewed(("b = 2", "b = (2")) as rig:
        ((_, why),) = run(rig).rejected
        assert "parse" in why
        assert (work.path / "a.py").read_text() == TEXT


def test_no_path_leads_out_of_the_work_tree(reviewed: Open, work: Work) -> None:
    (work.path.parent / "outside.py").write_text(TEXT)
    with reviewed(("a = 1", "a = 11"), path="../outside.py") as rig:
        with pytest.raises(CannotRead, match="out of the work tree"):
            run(rig)
        assert (work.path.parent / "outside.py").read_text() == TEXT
