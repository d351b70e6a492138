"""Build the request of a second look: claims about one file, with their evidence."""

import json
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from claude_batch.anthropic_api.request_body import Body, InMemoryBody
from claude_batch.config.model import Lane
from claude_batch.costs import estimates
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.findings.finding import Finding
from claude_batch.findings.verdicts import claim_label
from claude_batch.ledger.events import RequestRecorded
from claude_batch.prompts.kinds import load_template
from claude_batch.prompts.rendering import decode_line
from claude_batch.tasks.task import TaskId
from claude_batch.verification.evidence import CodeExcerpt

PROMPT_VERSION = 1
MAX_CLAIMS = 8  # of one request; they share its instructions and the code of their file
CONTEXT_ROWS = 40  # lines of the hunk on each side of the lines of a claim

# Assumed tokens of a verdict: an id, a sentence, a word. The limit is far above it.
OUTPUT_PER_CLAIM = 70
THINKING_PER_CLAIM = 330  # at the effort low
LIMIT_BASE = 1_024
LIMIT_PER_CLAIM = 256
LIMIT_PER_THOUGHT = 800  # of a claim about which the model thinks


@dataclass(frozen=True, slots=True)
class Claim:
    """A finding with its evidence. `request` is the request that it answers, in `lane`."""

    finding: Finding
    request: RequestRecorded
    lane: Lane
    task: AnchoredTask
    code: CodeExcerpt


@dataclass(frozen=True)
class VerificationRequest:
    """Claims of one file, one pull request, one kind and one lane."""

    claims: tuple[Claim, ...]
    model: str
    body: Body
    max_tokens: int

    @property
    def lane(self) -> Lane:
        return self.claims[0].lane

    def in_lane(self, lane: Lane) -> "VerificationRequest":
        return replace(self, claims=tuple(replace(claim, lane=lane) for claim in self.claims))

    @property
    def about(self) -> tuple[str, ...]:
        """The ids of the findings."""
        return tuple(claim.finding.id for claim in self.claims)

    @property
    def tasks(self) -> tuple[AnchoredTask, ...]:
        return tuple({claim.task.id: claim.task for claim in self.claims}.values())

    @property
    def output_tokens(self) -> int:
        thinking = 0 if _can_disable_thinking(self.model) else THINKING_PER_CLAIM
        return (OUTPUT_PER_CLAIM + thinking) * len(self.claims)


def build_requests(claims: Iterable[Claim], model: str) -> Iterator[VerificationRequest]:
    """Group claims by lane, pull request, kind and file, and build a request for each group."""
    groups: dict[Hashable, list[Claim]] = {}
    for claim in claims:
        request = claim.request
        key = (claim.lane, request.repo, request.pr, request.kind, claim.finding.path)
        groups.setdefault(key, []).append(claim)
    for group in groups.values():
        ordered = sorted(group, key=_position)
        for start in range(0, len(ordered), MAX_CLAIMS):
            yield build_request(ordered[start : start + MAX_CLAIMS], model)


def _position(claim: Claim) -> tuple[int, int, str]:
    return claim.code.hunk.new_start, claim.finding.first, claim.finding.id


def build_request(claims: Sequence[Claim], model: str) -> VerificationRequest:
    """Build the request of at least one claim."""
    # A second look is worth its price only without long thinking. So thinking is disabled where
    # the model allows it, and the effort is low elsewhere.
    schema = json.loads(load_template("verdict.schema.json"))
    output: dict[str, object] = {"format": {"type": "json_schema", "schema": schema}}
    thinking: dict[str, object] = {}
    limit = LIMIT_BASE + LIMIT_PER_CLAIM * len(claims)
    if _can_disable_thinking(model):
        thinking = {"thinking": {"type": "disabled"}}
    else:
        output["effort"] = "low"
        limit = estimates.LIMIT_BASE + LIMIT_PER_THOUGHT * len(claims)
    params = {
        "model": model,
        "max_tokens": limit,
        **thinking,
        "system": [{"type": "text", "text": load_template(f"verify.{PROMPT_VERSION}.md")}],
        "messages": [{"role": "user", "content": render_user_message(claims)}],
        "output_config": output,
    }
    body = json.dumps(params, ensure_ascii=False, separators=(",", ":"))
    return VerificationRequest(tuple(claims), model, InMemoryBody(body.encode()), limit)


def _can_disable_thinking(model: str) -> bool:
    # The larger models of the newest generation always think, and refuse "disabled".
    return model.startswith("claude-haiku-")


def render_user_message(claims: Sequence[Claim]) -> str:
    """The file with the code of the claims, then the claims."""
    # Every line starts with a number, a bar, an angle bracket or a tag of ours, so that neither
    # code nor a claim can imitate one.
    path = json.dumps(decode_line(claims[0].finding.path.encode()), ensure_ascii=False)
    lines = [f"<file path={path}>"]
    numbers: dict[tuple[TaskId, int], int] = {}
    by_task: dict[TaskId, list[Claim]] = {}
    for claim in claims:
        by_task.setdefault(claim.task.id, []).append(claim)
    for group in by_task.values():
        lines += ["@@", *_render_evidence(group, numbers)]
    lines.append("</file>")
    for claim in claims:
        lines += _render_claim(claim, numbers)
    return "\n".join(lines)


def _render_evidence(
    claims: Sequence[Claim], numbers: dict[tuple[TaskId, int], int]
) -> Iterator[str]:
    """The hunk's lines near the claims; fills `numbers` by task and position."""
    task, code = claims[0].task, claims[0].code
    lines = code.hunk.lines
    positions = sorted({position for claim in claims for position in _window(claim, len(lines))})
    if positions[0] == 0:
        yield from (f"|{decode_line(line)}" for line in code.above)
    previous = positions[0] - 1
    for position in positions:
        if position != previous + 1:
            yield "|..."
        numbers[task.id, position] = len(numbers) + 1
        line = lines[position]
        yield f"{numbers[task.id, position]}{line.sign}{decode_line(line.text)}"
        previous = position
    if previous == len(lines) - 1:
        yield from (f"|{decode_line(line)}" for line in code.below)


def _window(claim: Claim, length: int) -> range:
    first, last = claim.finding.first - CONTEXT_ROWS, claim.finding.last + CONTEXT_ROWS
    return range(max(0, first), min(length, last + 1))


def _render_claim(claim: Claim, numbers: dict[tuple[TaskId, int], int]) -> Iterator[str]:
    finding = claim.finding
    first, last = (numbers[claim.task.id, end] for end in (finding.first, finding.last))
    yield (
        f'<claim id="{claim_label(finding.id)}" rows="{first}-{last}" kind="{finding.kind}" '
        f'severity="{finding.severity}">'
    )
    for line in [finding.title, *finding.body.split("\n")]:
        yield f"> {decode_line(line.encode('utf-8', 'replace'))}"
    yield "</claim>"
