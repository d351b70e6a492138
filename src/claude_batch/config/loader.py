"""The table of a TOML file as a Config, with what flags say, and as a JSON Schema."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError

from claude_batch.config.error_messages import describe_errors, did_you_mean
from claude_batch.config.model import Budget, Config, OwnKind
from claude_batch.errors import BadConfig, BadUsage

OWN_FILE = ".claude-batch.toml"
PYPROJECT = "pyproject.toml"
TABLE = "claude-batch"  # under [tool] in pyproject.toml


def choose_config(files: Mapping[str, bytes | None]) -> Config:
    """The configuration of a repository from the files of its root by name; None: no such file.

    Raises BadConfig, also where both files configure us.
    """
    own, project = files.get(OWN_FILE), files.get(PYPROJECT)
    # A pyproject.toml that is not about us may be as broken as it likes.
    mentioned = project is not None and re.search(rb"claude.batch", project)
    ours = _table(PYPROJECT, project) if project is not None and mentioned else None
    if own is not None and ours is not None:
        raise BadConfig(
            f"{OWN_FILE} and [tool.{TABLE}] in {PYPROJECT} both configure claude-batch",
            "move everything into one of them and delete the other",
        )
    if own is not None:
        return parse_config(OWN_FILE, own)
    return _validated(PYPROJECT, ours or {})


def parse_config(name: str, data: bytes) -> Config:
    """One file, whose name says where in it the table is. Raises BadConfig."""
    return _validated(name, _table(name, data) or {})


def override_config(config: Config, **changes: object) -> Config:
    """With what flags or inputs said; None and "" said nothing. Raises BadUsage.

    Text is read as its key wants it: "5", "review,security", "off". `kinds` may name those of the
    user's own that the configuration has. `budget` is the dollars of one pull request.
    """
    said = {key: _said(key, value) for key, value in changes.items() if value not in (None, "")}
    if "kinds" in said:
        own = {kind.name: kind for kind in config.kinds if isinstance(kind, OwnKind)}
        said["kinds"] = tuple(own.get(str(kind), kind) for kind in _listed(said["kinds"]))
    if "budget" in said:
        budget = {key: getattr(config.budget, key) for key in Budget.model_fields}
        said["budget"] = budget | {"pull_request": said["budget"]}
    try:
        held = {key: getattr(config, key) for key in Config.model_fields}
        return Config.model_validate(held | said)
    except ValidationError as error:
        raise BadUsage(*describe_errors(error.errors(), build_schema())) from error


def _listed(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else (value,)


def _said(key: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    if value == "off" and key in ("effort", "fail_on", "budget"):
        return False
    if key in ("kinds", "exclude"):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    try:
        return {"max_comments": int, "budget": Decimal}.get(key, str)(value)
    except (ValueError, InvalidOperation):
        return value


def _table(name: str, data: bytes) -> dict[str, Any] | None:
    """Our table of a file; None where a pyproject.toml has none. Amounts come as Decimal."""
    try:
        loaded = tomllib.loads(data.decode("utf-8-sig"), parse_float=Decimal)
    except UnicodeDecodeError as error:
        raise BadConfig(f"{name} is not UTF-8", "save it as UTF-8") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise BadConfig(f"{name} is not TOML: {error}", "correct it: https://toml.io") from error
    if not name.endswith(PYPROJECT):
        return loaded
    tool = loaded.get("tool", {})
    if not isinstance(tool, dict) or not isinstance(tool.get(TABLE, {}), dict):
        raise BadConfig(f"{name}: tool.{TABLE} is not a table", f"write [tool.{TABLE}]")
    if "claude_batch" in tool:
        raise BadConfig(f"{name}: unknown table tool.claude_batch", did_you_mean(f"tool.{TABLE}"))
    return tool.get(TABLE)


def _validated(name: str, table: dict[str, Any]) -> Config:
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        where = f"tool.{TABLE}." if name.endswith(PYPROJECT) else ""
        problem, remedy = describe_errors(error.errors(), build_schema(), where)
        raise BadConfig(f"{name}: {problem}", remedy) from error


def build_schema() -> dict[str, Any]:
    """JSON Schema of the table, as it is written in TOML."""
    made: dict[str, Any] = _as_toml(Config.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def render_schema() -> str:
    """What config.schema.json holds."""
    return json.dumps(build_schema(), indent=2) + "\n"


def _as_toml(node: Any) -> Any:
    """pydantic's schema speaks of nulls, of amounts as text, and of a default for each table."""
    if isinstance(node, list):
        return [_as_toml(item) for item in node]
    if node == {"type": "null"}:
        return {"const": False}
    if not isinstance(node, dict):
        return node
    made = {key: _as_toml(value) for key, value in node.items() if key != "title"}
    match made:
        case {"default": dict()}:
            del made["default"]
        case {"default": None}:
            made["default"] = False
        case {"default": str(amount), "type": "number"}:
            made["default"] = json.loads(amount)
        case {"default": str(amount), "anyOf": [{"type": "number"}, *_]}:
            made["default"] = json.loads(amount)
        case _:
            pass
    return made
