"""prompts/kinds."""

import hashlib
import json
from functools import cache
from importlib import resources

from claude_batch.config.model import OwnKind
from claude_batch.tasks.task import Kind

SHIPPED = {"review": 1, "refactor": 1, "security": 1, "docs": 1, "tests": 1}
FRAME = 1


@cache
def text(name: str) -> str:
    return resources.files("claude_batch").joinpath("prompts", "templates", name).read_text("utf-8")


def kind_of(wanted: str | OwnKind) -> Kind:
    """Raises KeyError for a name that does not ship."""
    if isinstance(wanted, OwnKind):
        hashed = hashlib.sha256(wanted.prompt.encode()).hexdigest()
        return Kind(wanted.name, f"{wanted.name}@{hashed}", wanted.prompt)
    version = SHIPPED[wanted]
    return Kind(wanted, f"{wanted}@{version}", text(f"{wanted}.{version}.md"))


@cache
def schema() -> dict[str, object]:
    """JSON Schema of an answer."""
    loaded: dict[str, object] = json.loads(text("answer.schema.json"))
    return loaded


def system(kind: Kind) -> str:
    """The same bytes for every request of a kind: what a cache could hold."""
    return f"{text(f'frame.{FRAME}.md')}\nKind: {kind.name}\n\n{kind.instructions}"
