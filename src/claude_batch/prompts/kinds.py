"""Kinds of tasks, and the prompt templates that ship with the program."""

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


def find_kind(configured: str | OwnKind) -> Kind:
    """Raises KeyError for a name that is not built in."""
    if isinstance(configured, OwnKind):
        digest = hashlib.sha256(configured.prompt.encode()).hexdigest()
        return Kind(configured.name, f"{configured.name}@{digest}", configured.prompt)
    version = BUILT_IN_VERSIONS[configured]
    template = load_template(f"{configured}.{version}.md")
    return Kind(configured, f"{configured}@{version}", template)


@cache
def answer_schema() -> dict[str, object]:
    """The JSON Schema of an answer."""
    loaded: dict[str, object] = json.loads(load_template("answer.schema.json"))
    return loaded


def render_system(kind: Kind) -> str:
    """Render the system prompt: the same bytes for all requests of a kind, for the cache."""
    return f"{load_template(f'frame.{FRAME_VERSION}.md')}\nKind: {kind.name}\n\n{kind.instructions}"
