"""Write results as JSON: money as exact numbers, times in UTC."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import BaseModel

Json = Mapping[str, object]


def select(value: object, *names: str, **renamed: str) -> Json:
    """The named attributes of a result. `key="name"` gives an attribute another JSON key."""
    names_by_key = {name: name for name in names} | renamed
    return {key: getattr(value, name) for key, name in names_by_key.items()}


def item_list(items: Sequence[object]) -> Json:
    return {"items": items, "total": len(items)}


def write_json(value: object) -> str:
    """`value` as indented JSON. Dataclasses and models are objects of their fields."""
    return _write(value, "")


def _write(value: object, indent: str) -> str:
    if isinstance(value, Decimal):
        digits = format(value, "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    if isinstance(value, datetime):
        return json.dumps(value.astimezone(UTC).isoformat().replace("+00:00", "Z"))
    if isinstance(value, BaseModel):
        value = dict(value)
    elif is_dataclass(value) and not isinstance(value, type):
        value = select(value, *(field.name for field in fields(value)))
    inner = indent + "  "
    if isinstance(value, Mapping):
        members = [f"{json.dumps(str(key))}: {_write(item, inner)}" for key, item in value.items()]
        return _block("{", members, "}", indent)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _block("[", [_write(item, inner) for item in value], "]", indent)
    return json.dumps(value)


def _block(opening: str, members: Sequence[str], closing: str, indent: str) -> str:
    if not members:
        return opening + closing
    inner = f"\n{indent}  "
    return opening + inner + f",{inner}".join(members) + f"\n{indent}{closing}"
