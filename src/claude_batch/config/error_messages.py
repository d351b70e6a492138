"""Describe the errors of a configuration: the problem and the remedy, one sentence each."""

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from claude_batch.config.model import (
    BUILT_IN_KIND,
    TAGS,
    Budget,
    CommentLimits,
    Config,
    ConfigTable,
    CustomRates,
    LaneTable,
    LedgerConfig,
    OwnKind,
    PathRule,
)

TABLES: dict[str, type[ConfigTable]] = {
    "": Config,
    "kinds.": OwnKind,
    "rules.": PathRule,
    "budget.": Budget,
    "prices.": CustomRates,
    "state.": LedgerConfig,
    "lane.": LaneTable,
    "max_comments.": CommentLimits,
}
KEYS = {table + key: key for table, model in TABLES.items() for key in model.model_fields}
# Error types whose message names a type of Python.
TOML_TYPES = {
    "decimal_type": "must be a number",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "tuple_type": "must be a list",
}


def describe_errors(errors: Sequence[Mapping[str, Any]], prefix: str = "") -> tuple[str, str]:
    """Return problem and remedy for the errors that pydantic found; `prefix` precedes each key.

    Only one error is described in full.
    """
    # An unknown key comes first because it often explains the others.
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    problem, remedy = _describe(first, prefix)
    return problem + more, remedy


def did_you_mean(name: str) -> str:
    return f"did you mean {name}?"


def _describe(error: Mapping[str, Any], prefix: str) -> tuple[str, str]:
    path = _format_path(error["loc"])
    key = f"`{prefix}{path}`"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}", _suggest_key(path, prefix)
    if error["type"] == "missing":
        return f"{key} is missing", "add it"
    problem = f"{key} is {_format_value(error['input'])}, but it {_describe_expected(error)}"
    choices = re.findall(r"'([^']*)'", error.get("ctx", {}).get("expected", ""))
    nearest = difflib.get_close_matches(str(error["input"]), choices, n=1)
    return problem, did_you_mean(f'"{nearest[0]}"') if nearest else "correct it"


def _describe_expected(error: Mapping[str, Any]) -> str:
    """Return pydantic's message, or that of our own validator, as "must be ..."."""
    own_error = error.get("ctx", {}).get("error")
    message = TOML_TYPES.get(error["type"]) or str(own_error or error["msg"])
    if error["loc"][-1] == BUILT_IN_KIND:
        message += ", or a table with `name` and `prompt`"
    return re.sub(r"^\w+ should ", "must ", message)


def _format_path(location: Sequence[int | str]) -> str:
    """Return a location as `rules[0].path`."""
    # pydantic puts the tags of a union into a location as if they were keys.
    parts = [part for part in location if part not in TAGS]
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts)
    return path.removeprefix(".")


def _suggest_key(path: str, prefix: str) -> str:
    name = path.rpartition(".")[2]
    similar_names = difflib.get_close_matches(name, KEYS.values(), n=1)
    candidates = [
        *(key for key in KEYS if KEYS[key] == name),
        *difflib.get_close_matches(path, KEYS, n=1),
        *(key for key in KEYS if KEYS[key] in similar_names),
    ]
    if candidates:
        return did_you_mean(f"`{prefix}{candidates[0]}`")
    return "known keys are " + ", ".join(f"`{key}`" for key in Config.model_fields)


def _format_value(value: object) -> str:
    """Return a value in TOML's notation, shortened."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value if len(value) <= 40 else value[:40] + "…"}"'
        case dict():
            return "a table"
        case list() | tuple():
            items = ", ".join(map(_format_value, value[:5]))
            return f"[{items}{', …' * (len(value) > 5)}]"
        case _:
            return str(value)
