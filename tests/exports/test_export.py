import json
from collections.abc import Iterator

import pytest

from claude_batch.batches.retry import retry
from claude_batch.exports.export import export_findings
from claude_batch.exports.formats import DocumentFormat
from claude_batch.git.work_tree import WorkTree
from claude_batch.ledger.events import Post, Stamp
from claude_batch.ledger.store import Write
from claude_batch.pull_requests.outcomes import list_findings
from rig import REPO, Rig, find, open_rig
from scratch import Work

TEXT = "a = 1\nb = 2\nc = 3\n"


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    work.write({"a.py": TEXT})
    with open_rig(work.path, reviewer=find("b = 2", replacement="b = 22")) as made:
        made.submit(made.given({"path": "a.py", "text": TEXT}))
        made.collect()
        yield made


def items(rig: Rig) -> list[dict[str, object]]:
    text = export_findings([rig.ledger], WorkTree(rig.folder), "json")
    found: list[dict[str, object]] = json.loads(text)["items"]
    return found


def test_a_finding_stands_where_its_code_stands_now(rig: Rig, work: Work) -> None:
    (item,) = items(rig)
    assert (item["path"], item["line"], item["suggestion"]) == ("a.py", 2, "b = 22\n")
    work.write({"a.py": "# above\n" + TEXT})
    (item,) = items(rig)
    assert item["line"] == 3


@pytest.mark.parametrize("text", [TEXT.replace("c", "d"), TEXT * 2, None])
def test_code_that_has_changed_has_no_line(rig: Rig, work: Work, text: str | None) -> None:
    if text is None:
        (work.path / "a.py").unlink()
    else:
        work.write({"a.py": text})
    (item,) = items(rig)
    assert (item.get("line"), item["reason"]) == (None, "changed_meanwhile")


@pytest.mark.parametrize("form", ["sarif", "rdjsonl", "markdown", "json"])
def test_every_form_names_the_finding(rig: Rig, form: DocumentFormat) -> None:
    text = export_findings([rig.ledger], WorkTree(rig.folder), form)
    assert "About b = 2" in text or "About `b = 2`" in text
    assert text.endswith("\n")


def test_an_answer_that_was_forgotten_is_not_said_twice(rig: Rig) -> None:
    (sending,) = rig.view.batch_records.values()
    name = str(sending.submitted.batch)
    retry([rig.ledger], [name], reanswer=True, stamp=Stamp("run-1", REPO, rig.clock))
    assert items(rig) == []
    rig.submit(rig.given({"path": "a.py", "text": TEXT}))
    rig.collect()
    assert len(items(rig)) == 1


def test_findings_say_what_became_of_them(rig: Rig) -> None:
    (found,) = list_findings([rig.ledger])
    assert (found.finding.title, found.pull_requests, found.outcome) == (
        "About b = 2",
        (),
        "unposted",
    )
    post = Post(
        at=rig.clock(),
        run="run-1",
        repo=REPO,
        pr=7,
        what="comment",
        key=found.finding.fingerprint,
        remote_id=1,
        sha="0",
        head="c",
    )
    rig.ledger.transact(lambda view: Write((post,)))
    (found,) = list_findings([rig.ledger])
    assert (found.pull_requests, found.outcome) == ((7,), "posted")
