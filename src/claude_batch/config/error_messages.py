"""What is wrong with a configuration, in two sentences: key, what stands there, what may stand.

The words come from the JSON Schema, so that a new key needs none of its own.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]
Location = tuple[int | str, ...]

# pydantic puts the tags of a union into a location as if they were keys.
BUILT_IN_KIND = "<built-in kind>"
OWN_KIND = "<own kind>"


def describe_errors(
    errors: Sequence[Mapping[str, Any]], schema: Schema, where: str = ""
) -> tuple[str, str]:
    """Problem and remedy for the errors that pydantic found; `where` goes before each key.

    One is told in full. An unknown key comes first: it often explains the others.
    """
    first = min(errors, key=lambda error: error["type"] != "extra_forbidden")
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    problem, remedy = _describe(first, schema, where)
    return problem + more, remedy


def _describe(error: Mapping[str, Any], schema: Schema, where: str) -> tuple[str, str]:
    location: Location = error["loc"]
    key = f"`{where}{_path(location)}`"
    if error["type"] == "extra_forbidden":
        return f"unknown key {key}", _suggest_key(_path(location), schema, where)
    spot = _schema_at(location, schema)
    wanted = str(error.get("ctx", {}).get("error", "")) or _expected(spot, schema)
    if error["type"] == "missing":
        return f"{key} is missing", f"add it: {wanted}"
    remedy = "correct it"
    if "default" in spot:
        remedy = f"correct it, or leave it out for the default, {_shown(spot['default'])}"
    if isinstance(error["input"], str):
        near = difflib.get_close_matches(error["input"], _choices(spot, schema), n=1)
        remedy = did_you_mean(f'"{near[0]}"') if near else remedy
    return f"{key} is {_shown(error['input'])}, but it must be {wanted}", remedy


def did_you_mean(name: str) -> str:
    return f"did you mean {name}?"


def _path(location: Location) -> str:
    """`rules[0].path`"""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        elif part not in (BUILT_IN_KIND, OWN_KIND):
            text += f".{part}" if text else part
    return text


def _suggest_key(path: str, schema: Schema, where: str) -> str:
    keys = {key: key.rpartition(".")[2] for key in _keys(schema, schema)}
    last = path.rpartition(".")[2]
    near = [key for key, name in keys.items() if name == last]
    near += difflib.get_close_matches(path, keys, n=1)
    near += [
        key
        for name in difflib.get_close_matches(last, keys.values(), n=1)
        for key in keys
        if keys[key] == name
    ]
    if near:
        return did_you_mean(f"`{where}{near[0]}`")
    return "known keys are " + ", ".join(f"`{key}`" for key in schema["properties"])


def _keys(node: Schema, schema: Schema) -> Iterator[str]:
    """Every key with those that lead to it."""
    for name, child in _resolved(node, schema).get("properties", {}).items():
        yield name
        spot = _resolved(child, schema)
        each = spot.get("items") or spot.get("additionalProperties") or {}
        for inside in (spot, *_branches(_resolved(each, schema), schema)):
            yield from (f"{name}.{key}" for key in _keys(inside, schema))


def _schema_at(location: Location, schema: Schema) -> Schema:
    """The part of the schema that speaks about a location."""
    spot: Schema = schema
    for part in location:
        inner = _resolved(spot, schema)
        if isinstance(part, int):
            spot = inner["items"]
        elif part in inner.get("properties", {}):
            spot = inner["properties"][part]
        elif part != OWN_KIND and inner.get("additionalProperties"):
            spot = inner["additionalProperties"]  # a table whose keys are names of the user's own
        elif part == OWN_KIND:
            spot = next(one for one in _branches(inner, schema) if one.get("type") == "object")
    return spot


def _resolved(node: Schema, schema: Schema) -> Schema:
    """Without the reference; what stands beside it (a default) stays."""
    if "$ref" not in node:
        return node
    named: Schema = schema["$defs"][node["$ref"].rpartition("/")[2]]
    return {**named, **{key: value for key, value in node.items() if key != "$ref"}}


def _branches(node: Schema, schema: Schema) -> list[Schema]:
    found = node.get("anyOf") or node.get("oneOf") or [node]
    return [_resolved(one, schema) for one in found]


def _choices(node: Schema, schema: Schema) -> list[str]:
    return [
        name for one in _branches(_resolved(node, schema), schema) for name in one.get("enum", [])
    ]


def _expected(node: Schema, schema: Schema) -> str:
    branches = _branches(_resolved(node, schema), schema)
    return ", or ".join(_plain(one, schema) for one in branches)


def _plain(node: Schema, schema: Schema) -> str:
    match node:
        case {"const": value}:
            return _shown(value)
        case {"enum": values}:
            return "one of " + ", ".join(f'"{value}"' for value in values)
        case {"type": "integer" | "number" as kind, "minimum": low, "maximum": high}:
            return f"a {'whole ' * (kind == 'integer')}number from {low} to {high}"
        case {"type": "array", "items": items}:
            return f"a list; each item is {_expected(items, schema)}"
        case {"type": "object", "properties": keys}:
            return "a table with " + ", ".join(f"`{key}`" for key in keys)
        case {"type": "object"}:
            return "a table with a table for each name"
        case {"type": "string"}:
            return _text(node)
        case _:
            return "something else"


def _text(node: Schema) -> str:
    if "pattern" in node:
        return f"text that matches {node['pattern']}"
    return f"text of 1 to {node['maxLength']} characters" if "maxLength" in node else "text"


def _shown(value: object) -> str:
    """As TOML has it, cut where it is long."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value if len(value) <= 40 else value[:40] + "…"}"'
        case dict():
            return "a table"
        case list() | tuple():
            return f"[{', '.join(map(_shown, value[:5]))}{', …' * (len(value) > 5)}]"
        case _:
            return str(value)
