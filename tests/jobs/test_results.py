import json
from collections.abc import Iterator
from decimal import Decimal

import pytest

from claude_batch.cli.output.jobs_result import results_document, results_text
from claude_batch.cli.output.json_writer import write_json
from claude_batch.jobs.derivation import derive_jobs
from claude_batch.jobs.job import Job
from claude_batch.jobs.results import load_results
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.waiting.settings import WaitingSettings
from rig import Finder, Rig, find, open_rig
from scratch import Work


class OneRefused:
    """Answers with a finding, but b.py with an error."""

    def __init__(self) -> None:
        self._find: Finder = find("a = 1")

    def __call__(self, params: dict[str, object]) -> ModelReply:
        if 'path="b.py"' in json.dumps(params).replace("\\", ""):
            return ModelReply(result="errored", error=("invalid_request_error", "no"))
        return self._find(params)


@pytest.fixture
def rig(work: Work) -> Iterator[Rig]:
    with open_rig(work.path, reviewer=OneRefused()) as made:
        yield made


def last_job(rig: Rig) -> Job:
    return derive_jobs(rig.view, WaitingSettings.from_config(rig.config), rig.clock.at)[-1]


def test_one_item_for_each_task(rig: Rig) -> None:
    rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}, {"path": "c.py", "text": "c = 1\n"}))
    rig.collect()
    job = last_job(rig)
    document = json.loads(
        write_json(results_document(load_results(rig.ledger, rig.view, job))), parse_float=Decimal
    )
    assert (document["succeeded"], document["failed"], document["total"]) == (2, 0, 2)
    first, second = document["items"]
    assert first["id"] in job.readings
    assert first["custom_id"] == second["custom_id"] == next(rig.server.submitted())[1]
    assert [finding["title"] for finding in first["findings"]] == ["About a = 1"]
    assert [finding["outcome"] for finding in first["findings"]] == ["unposted"]
    assert (second["findings"], "error" in second) == ([], False)
    assert abs(first["usd"] + second["usd"] - job.usd) <= Decimal("2e-9")
    assert first["usage"] == second["usage"]
    assert first["usage"]["input"] > 0


def test_a_failed_task_has_its_error(rig: Rig) -> None:
    rig.submit(rig.given({"path": "b.py", "text": "b = 1\n"}))
    rig.collect()
    results = load_results(rig.ledger, rig.view, last_job(rig))
    (item,) = results.items
    assert (item.status, item.error) == ("failed", "invalid_request_error: no")
    assert (item.findings, item.usage, item.usd) == ((), None, Decimal(0))
    assert results_text(results).splitlines() == [
        f"{item.id[:12]}  failed  $0.00: invalid_request_error: no",
        "1 task: 0 succeeded, 1 failed",
    ]


def test_a_reused_answer_has_its_findings_and_costs_nothing(rig: Rig) -> None:
    for pr in (7, 8):
        rig.submit(rig.given({"path": "a.py", "text": "a = 1\n"}, pr=pr))
        rig.collect()
    (item,) = load_results(rig.ledger, rig.view, last_job(rig)).items
    assert (item.status, item.usd) == ("completed", Decimal(0))
    assert [row.finding.title for row in item.findings] == ["About a = 1"]
