"""Load the configuration from TOML, apply the flags, and build its JSON Schema."""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from pydantic import ValidationError

from claude_batch.config.error_messages import describe_errors, did_you_mean
from claude_batch.config.model import CommentLimits, Config, LaneTable, OwnKind
from claude_batch.errors import BadConfig, BadUsage

OWN_FILE = ".claude-batch.toml"
PYPROJECT = "pyproject.toml"
TABLE = "claude-batch"  # under [tool] in pyproject.toml


def choose_config(files: Mapping[str, bytes | None]) -> Config:
    """The configuration of a repository from the files of its root by name; None: no such file.

    Raises BadConfig, also if both files have a configuration.
    """
    own, project = files.get(OWN_FILE), files.get(PYPROJECT)
    # A pyproject.toml that does not name the program may be invalid TOML.
    is_named = project is not None and re.search(rb"claude.batch", project)
    project_table = _load_table(PYPROJECT, project) if project is not None and is_named else None
    if own is not None and project_table is not None:
        raise BadConfig(
            f"{OWN_FILE} and [tool.{TABLE}] in {PYPROJECT} both configure claude-batch",
            "move everything into one of them and delete the other",
        )
    if own is not None:
        return parse_config(OWN_FILE, own)
    return _validate(PYPROJECT, project_table or {})


def parse_config(name: str, data: bytes) -> Config:
    """Parse one file. Its name decides where the table is. Raises BadConfig."""
    return _validate(name, _load_table(name, data) or {})


def override_config(config: Config, **changes: object) -> Config:
    """The configuration with the values of flags or inputs. Raises BadUsage.

    None and "" leave a key as it is. Text is converted to the key's type: "5",
    "review,security", "off". `kinds` may name the configuration's own kinds. `budget` is the
    dollars of one pull request, `max_comments` the inline comments of an open one.
    """
    values = {
        key: _convert(key, value) for key, value in changes.items() if value not in (None, "")
    }
    if "kinds" in values:
        own = {kind.name: kind for kind in config.kinds if isinstance(kind, OwnKind)}
        values["kinds"] = tuple(own.get(str(kind), kind) for kind in _as_list(values["kinds"]))
    if "budget" in values:
        values["budget"] = dict(config.budget) | {"pull_request": values["budget"]}
    if "lane" in values and isinstance(config.lane, LaneTable):
        values["lane"] = dict(config.lane) | {"default": values["lane"]}
    if "max_comments" in values and isinstance(config.max_comments, CommentLimits):
        values["max_comments"] = dict(config.max_comments) | {"open": values["max_comments"]}
    try:
        return Config.model_validate(dict(config) | values)
    except ValidationError as error:
        raise BadUsage(*describe_errors(error.errors())) from error


def _as_list(value: object) -> Sequence[object]:
    return value if isinstance(value, list | tuple) else (value,)


def _convert(key: str, value: object) -> object:
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


def _load_table(name: str, data: bytes) -> dict[str, Any] | None:
    """The program's table of a file, with amounts as Decimal; None if pyproject.toml has none."""
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


def _validate(name: str, table: dict[str, Any]) -> Config:
    try:
        return Config.model_validate(table)
    except ValidationError as error:
        prefix = f"tool.{TABLE}." if name.endswith(PYPROJECT) else ""
        problem, remedy = describe_errors(error.errors(), prefix)
        raise BadConfig(f"{name}: {problem}", remedy) from error


def build_schema() -> dict[str, Any]:
    """The JSON Schema of the table as it is written in TOML."""
    schema: dict[str, Any] = _as_toml(Config.model_json_schema())
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def render_schema() -> str:
    """The text of config/schema.json."""
    return json.dumps(build_schema(), indent=2) + "\n"


def _as_toml(node: Any) -> Any:
    # pydantic's schema has nulls, amounts as text, titles, and a default for each table.
    if isinstance(node, list):
        return [_as_toml(item) for item in node]
    if node == {"type": "null"}:
        return {"const": False}
    if not isinstance(node, dict):
        return node
    schema = {key: _key_as_toml(key, value) for key, value in node.items() if key != "title"}
    match schema:
        case {"default": dict()}:
            del schema["default"]
        case {"default": None}:
            schema["default"] = False
        case {"default": str(amount), "type": "number"}:
            schema["default"] = json.loads(amount)
        case {"default": str(amount), "anyOf": [{"type": "number"}, *_]}:
            schema["default"] = json.loads(amount)
        case _:
            pass
    return schema


def _key_as_toml(key: str, value: Any) -> Any:
    if key != "properties":
        return _as_toml(value)
    # Not as a schema of its own: a key of a table may be called `default`.
    return {name: _as_toml(spot) for name, spot in value.items()}
