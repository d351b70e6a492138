"""prompts/kinds."""

import hashlib
import json
from functools import cache
from importlib import resources

from claude_batch.config.model import OwnKind
from claude_batch.tasks.task import Kind

BUILT_IN_VERSIONS = {"review": 1, "refactor": 1, "security": 1, "docs": 1, "tests": 1}
FRAME_VERSION = 1


@cache
def load_template(name: str) -> str:
    return resources.files("claude_batch").joinpath("prompts", "templates", name).read_text("utf-8")


def find_kind(wanted: str | OwnKind) -> Kind:
    """Raises KeyError for a name that does not ship."""
    if isinstance(wanted, OwnKind):
        hashed = hashlib.sha256(wanted.prompt.encode()).hexdigest()
        return Kind(wanted.name, f"{wanted.name}@{hashed}", wanted.prompt)
    version = BUILT_IN_VERSIONS[wanted]
    return Kind(wanted, f"{wanted}@{version}", load_template(f"{wanted}.{version}.md"))


@cache
def answer_schema() -> dict[str, object]:
    """JSON Schema of an answer."""
    loaded: dict[str, object] = json.loads(load_template("answer.schema.json"))
    return loaded


def render_system(kind: Kind) -> str:
    """The same bytes for every request of a kind: what a cache could hold."""
    return f"{load_template(f'frame.{FRAME_VERSION}.md')}\nKind: {kind.name}\n\n{kind.instructions}"
