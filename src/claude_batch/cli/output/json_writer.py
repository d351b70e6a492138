"""Write results as JSON: money as exact numbers, times in UTC."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from decimal import Decimal

from pydantic import BaseModel


def document(value: object) -> str:
    """`value` as indented JSON. Decimals keep all their digits."""
    return _write(value, "")


def _write(value: object, indent: str) -> str:
    if isinstance(value, Decimal):
        digits = format(value, "f")
        return digits.rstrip("0").rstrip(".") if "." in digits else digits
    if isinstance(value, datetime):
        return json.dumps(value.astimezone(UTC).isoformat().replace("+00:00", "Z"))
    if isinstance(value, BaseModel):
        value = {name: getattr(value, name) for name in type(value).model_fields}
    elif is_dataclass(value) and not isinstance(value, type):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Mapping):
        inner = indent + "  "
        rows = [f"{json.dumps(str(key))}: {_write(item, inner)}" for key, item in value.items()]
        return _block("{", rows, "}", indent)
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return _block("[", [_write(item, indent + "  ") for item in value], "]", indent)
    return json.dumps(value)


def _block(opening: str, rows: Sequence[str], closing: str, indent: str) -> str:
    if not rows:
        return opening + closing
    inner = f"\n{indent}  "
    return opening + inner + f",{inner}".join(rows) + f"\n{indent}{closing}"
