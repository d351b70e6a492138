"""The request of a second look: claims about one file, their evidence, and nothing else."""

import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from claude_batch.anthropic_api.request_body import Body, InMemoryBody
from claude_batch.config.model import Lane
from claude_batch.costs import estimates as estimate
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import Finding
from claude_batch.findings.verdicts import label
from claude_batch.ledger.events import RequestRecorded
from claude_batch.prompts.kinds import text
from claude_batch.prompts.rendering import shown
from claude_batch.tasks.task import TaskId
from claude_batch.verification.evidence import CodeExcerpt

PROMPT_VERSION = 1
MAX_CLAIMS = 8  # of one request: they share its instructions and their file's code
CONTEXT_ROWS = 40  # rows of the hunk on each side of the lines that a claim is about

# Stated assumptions: an id, a sentence, a word. The limit is far above it.
OUTPUT_PER_CLAIM = 70
LIMIT_BASE = 1_024
LIMIT_PER_CLAIM = 256


@dataclass(frozen=True, slots=True)
class Claim:
    """A finding with its evidence. `origin` is the request that it answers, in `lane`."""

    finding: Finding
    request: RequestRecorded
    lane: Lane
    task: AnchoredTask
    code: CodeExcerpt


@dataclass(frozen=True)
class VerificationRequest:
    """Cases of one file, one pull request, one kind and one lane."""

    claims: tuple[Claim, ...]
    model: str
    body: Body
    max_tokens: int

    @property
    def about(self) -> tuple[str, ...]:
        return tuple(case.finding.id for case in self.claims)

    @property
    def tasks(self) -> tuple[AnchoredTask, ...]:
        return tuple({case.task.id: case.task for case in self.claims}.values())

    @property
    def output_tokens(self) -> int:
        if _can_disable_thinking(self.model):
            return OUTPUT_PER_CLAIM * len(self.claims)
        return estimate.estimate_output_tokens(len(self.claims), "low")


def build_requests(claims: Iterable[Claim], model: str) -> Iterator[VerificationRequest]:
    groups: dict[Hashable, list[Claim]] = {}
    for case in claims:
        origin = case.request
        key = (case.lane, origin.repo, origin.pr, origin.kind, case.finding.path)
        groups.setdefault(key, []).append(case)
    for group in groups.values():
        ordered = sorted(group, key=_position)
        for at in range(0, len(ordered), MAX_CLAIMS):
            yield build_request(ordered[at : at + MAX_CLAIMS], model)


def _position(case: Claim) -> tuple[int, int, str]:
    return case.code.hunk.new_start, case.finding.first, case.finding.id


def build_request(claims: Sequence[Claim], model: str) -> VerificationRequest:
    """Of at least one case. It costs little only if it does not think at length: where thinking
    can be switched off it is, elsewhere the effort is low."""
    output: dict[str, object] = {"format": {"type": "json_schema", "schema": _schema()}}
    thinking: dict[str, object] = {}
    limit = LIMIT_BASE + LIMIT_PER_CLAIM * len(claims)
    if _can_disable_thinking(model):
        thinking = {"thinking": {"type": "disabled"}}
    else:
        output["effort"] = "low"
        limit = estimate.max_tokens(0, len(claims), "low")
    params = {
        "model": model,
        "max_tokens": limit,
        **thinking,
        "system": [{"type": "text", "text": text(f"verify.{PROMPT_VERSION}.md")}],
        "messages": [{"role": "user", "content": render_user_message(claims)}],
        "output_config": output,
    }
    raw = json.dumps(params, ensure_ascii=False, separators=(",", ":"))
    return VerificationRequest(tuple(claims), model, InMemoryBody(raw.encode()), limit)


def _can_disable_thinking(model: str) -> bool:
    """The larger models of the newest generation always think, and refuse to be told not to."""
    return model.startswith("claude-haiku-")


def _schema() -> object:
    return json.loads(text("verdict.schema.json"))


def render_user_message(claims: Sequence[Claim]) -> str:
    """Every row starts with a number, a bar, an angle or a tag of ours, so no code and no claim
    can pass for one."""
    rows = [f"<file path={json.dumps(shown(claims[0].finding.path.encode()), ensure_ascii=False)}>"]
    numbers: dict[tuple[TaskId, int], int] = {}
    by_task: dict[TaskId, list[Claim]] = {}
    for case in claims:
        by_task.setdefault(case.task.id, []).append(case)
    for group in by_task.values():
        rows += ["@@", *_render_evidence(group, numbers)]
    rows.append("</file>")
    for case in claims:
        rows += _render_claim(case, numbers)
    return "\n".join(rows)


def _render_evidence(
    group: Sequence[Claim], numbers: dict[tuple[TaskId, int], int]
) -> Iterator[str]:
    """The hunk's rows near the claims; fills `numbers` by task and position."""
    task, code = group[0].task, group[0].code
    lines = code.hunk.lines
    wanted = sorted({at for case in group for at in _window(case, len(lines))})
    if wanted[0] == 0:
        yield from (f"|{shown(line)}" for line in code.above)
    before = wanted[0] - 1
    for at in wanted:
        if at != before + 1:
            yield "|..."
        numbers[task.id, at] = len(numbers) + 1
        yield f"{numbers[task.id, at]}{lines[at].sign}{shown(lines[at].text)}"
        before = at
    if before == len(lines) - 1:
        yield from (f"|{shown(line)}" for line in code.below)


def _window(case: Claim, length: int) -> range:
    return range(
        max(0, case.finding.first - CONTEXT_ROWS), min(length, case.finding.last + CONTEXT_ROWS + 1)
    )


def _render_claim(case: Claim, numbers: dict[tuple[TaskId, int], int]) -> Iterator[str]:
    finding = case.finding
    first, last = (numbers[case.task.id, at] for at in (finding.first, finding.last))
    yield (
        f'<claim id="{label(finding.id)}" rows="{first}-{last}" kind="{finding.kind}" '
        f'severity="{finding.severity}">'
    )
    for row in [finding.title, *finding.body.split("\n")]:
        yield f"> {shown(row.encode('utf-8', 'replace'))}"
    yield "</claim>"
