"""Group tasks into requests, and build the body of a request."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic_core import to_json

from claude_batch.anthropic_api.request_body import Body, InMemoryBody, StoreBody
from claude_batch.config import rules
from claude_batch.config.model import Config
from claude_batch.costs.estimates import is_output_bounded
from claude_batch.costs.prompt_cache import CachedPrefix
from claude_batch.findings.anchors import AnchoredTask
from claude_batch.prompts import kinds, rendering
from claude_batch.prompts.rendering import NO_CONTEXT, PromptContext
from claude_batch.tasks.task import Kind, Task, TaskId, tasks_by_path

# One request of this size is answered well and pays for its instructions once; larger ones
# lose attention and a cut answer would cost more. Bytes of hunk bodies, and hunks.
REQUEST_BYTES = 40_000
REQUEST_TASKS = 200

# How much known code of the same files may go along unasked, so that defects across hunks
# stay visible. A share of what is asked: context must never cost more than the question.
CONTEXT_SHARE = 0.5

# Batches outlast the five minutes that a cached prefix lives by default.
FOR_AN_HOUR = {"type": "ephemeral", "ttl": "1h"}


@dataclass(frozen=True)
class RequestTasks:
    """The tasks of one request, and their context."""

    asked: tuple[Task, ...]
    context: tuple[Task, ...] = ()
    prompt_context: PromptContext = NO_CONTEXT


@dataclass(frozen=True)
class Request:
    """A request that is ready to be sent."""

    kind: Kind
    tasks: tuple[AnchoredTask, ...]  # no code: there may be 100,000 of them in memory
    model: str
    body: Body
    size: int  # bytes of the hunk bodies that are asked about
    max_tokens: int
    cached_prefix: CachedPrefix | None = None

    @property
    def purpose(self) -> Literal["ask", "primer"]:
        return "primer" if self.cached_prefix and self.cached_prefix.is_primer else "ask"


def group_tasks(
    asked: Sequence[Task],
    known: Iterable[Task],
    solo_task_ids: Collection[TaskId] = (),
    effort: str | None = None,
) -> Iterator[RequestTasks]:
    """Group whole files up to the limits of a request; a larger file takes several requests.

    `known`: tasks of the same diff that are answered or in flight. `solo_task_ids`: each needs a
    request of its own, because the shared one was refused or truncated.
    """
    known_by_path = tasks_by_path(known)
    yield from (_with_context([task], known_by_path) for task in asked if task.id in solo_task_ids)
    current: list[Task] = []
    for group in _groups([task for task in asked if task.id not in solo_task_ids], effort):
        if current and not _fits([*current, *group], effort):
            yield _with_context(current, known_by_path)
            current = []
        current += group
    if current:
        yield _with_context(current, known_by_path)


def _groups(asked: Sequence[Task], effort: str | None) -> Iterator[list[Task]]:
    """Tasks of one file that stay together: those that fit a request, and at least one."""
    group: list[Task] = []
    for task in asked:
        apart = bool(group) and group[0].path != task.path
        if apart or (group and not _fits([*group, task], effort)):
            yield group
            group = []
        group.append(task)
    if group:
        yield group


def _fits(tasks: Sequence[Task], effort: str | None) -> bool:
    """True if one request can ask about these tasks."""
    size = total_size(tasks)
    is_small = size <= REQUEST_BYTES and len(tasks) <= REQUEST_TASKS
    return is_small and is_output_bounded(size, len(tasks), effort)


def total_size(tasks: Iterable[Task]) -> int:
    """Bytes of hunk bodies."""
    return sum(len(task.hunk.body) for task in tasks)


def _with_context(asked: list[Task], known_by_path: dict[str, list[Task]]) -> RequestTasks:
    room = CONTEXT_SHARE * total_size(asked)
    context: list[Task] = []
    for path in dict.fromkeys(task.path for task in asked):
        for task in known_by_path.get(path, []):
            room -= len(task.hunk.body)
            if room < 0:
                return RequestTasks(tuple(asked), tuple(context))
            context.append(task)
    return RequestTasks(tuple(asked), tuple(context))


def build_request(
    kind: Kind,
    group: RequestTasks,
    config: Config,
    max_tokens: int,
    definitions: Mapping[TaskId, str],
    store_body: StoreBody = InMemoryBody,
    cached_prefix: CachedPrefix | None = None,
) -> Request:
    output: dict[str, object] = {"format": {"type": "json_schema", "schema": kinds.answer_schema()}}
    if config.effort:
        output["effort"] = config.effort
    tasks = tuple(
        AnchoredTask.from_hunk(task.id, task.path, task.hunk, definitions.get(task.id, ""))
        for task in group.asked
    )
    common = _shared(group, config)
    own = rendering.render_files(group.asked, tasks, group.context, group.prompt_context.snippets)
    system = [_block(kinds.render_system(kind))]
    content = [_block(text) for text in (common, own) if text]
    if cached_prefix:
        (content if common else system)[0]["cache_control"] = FOR_AN_HOUR
    params = {
        "model": config.model,
        "max_tokens": max_tokens,
        "system": system,
        "messages": [{"role": "user", "content": content}],
        "output_config": output,
    }
    body, size = store_body(to_json(params)), total_size(group.asked)
    return Request(kind, tasks, config.model, body, size, max_tokens, cached_prefix)


def shared_prefix(kind: Kind, group: RequestTasks, config: Config) -> str:
    """The text before the files. Requests with an equal prefix can share a prompt cache."""
    return kinds.render_system(kind) + _shared(group, config)


def _shared(group: RequestTasks, config: Config) -> str:
    return rendering.render_shared(
        rules.rules_with_instruction(config.rules, group.asked), group.prompt_context
    )


def _block(text: str) -> dict[str, object]:
    return {"type": "text", "text": text}
