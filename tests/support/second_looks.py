"""A pull request with findings, and a model that judges claims about them."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from claude_batch.batches.collect_result import CollectResult
from claude_batch.git.repository import Repository
from claude_batch.pull_requests.outcomes import list_findings
from claude_batch.sandbox.anthropic_server.reviewer import ModelReply
from claude_batch.sandbox.http_messages import (
    Fault,
    FindFault,
    HttpRequest,
    no_fault,
)
from claude_batch.verification.verify import Verifier
from rig import PRICES, PullRig, content, find
from shop import environ

TEN, EXTRA, ADDED = "line_10 = 'ten'", "extra_a = 1", "b = 2"
CLAIM = re.compile(r'<claim id="(\w+)"[^\n]*\n> ([^\n]*)')
CREATE = "/v1/messages/batches"


@dataclass
class Judge:
    """Finds fault with `lines`; of these claims it then refutes those about `wrong`."""

    lines: tuple[str, ...]
    wrong: tuple[str, ...] = ()
    grave: bool = True
    says: Callable[[str], str] | None = None  # instead of verdicts
    seen: list[str] = field(default_factory=list)

    def __call__(self, params: Mapping[str, object]) -> ModelReply:
        if params["model"] != "claude-haiku-5-5":
            return find(*self.lines, severity="high" if self.grave else "medium")(params)
        shown = content(params)
        self.seen.append(shown)
        if self.says:
            return ModelReply(self.says(shown))
        rows = [
            {
                "claim": claim,
                "reason": "It shows.",
                "verdict": "refuted" if title.removeprefix("About ") in self.wrong else "holds",
            }
            for claim, title in CLAIM.findall(shown)
        ]
        return ModelReply(json.dumps({"verdicts": rows}))


Open = Callable[..., AbstractContextManager[PullRig]]


def batches_only(faults: FindFault = no_fault) -> FindFault:
    """The Messages API is overloaded, so second looks are sent as a batch."""

    def find_fault(call: HttpRequest) -> Fault | None:
        is_message = call.path == "/v1/messages"
        return Fault(529, "overloaded_error") if is_message else faults(call)

    return find_fault


def follow(pull: PullRig) -> CollectResult:
    rig = pull.rig
    repository = Repository.open(pull.shop.work, environ())
    return Verifier(
        rig.ledger, rig.claude, repository, rig.config, PRICES, rig.run, rig.clock, rig.new_id
    ).send()


def answered(pull: PullRig) -> PullRig:
    pull.submit()
    pull.rig.collect()
    return pull


def looked(pull: PullRig) -> PullRig:
    answered(pull)
    follow(pull)
    pull.rig.collect()
    return pull


def outcomes(pull: PullRig) -> dict[str, str]:
    return {row.finding.title: row.outcome for row in list_findings([pull.rig.ledger])}
