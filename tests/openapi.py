"""The OpenAPI document as it is kept in docs/, and whether an answer is what it says.

`python -m tests.openapi` writes it anew after a route or a shape has changed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from smsgw.admin.api.openapi import document

FILE = Path(__file__).resolve().parents[1] / "docs" / "openapi.json"
DOCUMENT = document()
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


def text() -> str:
    """Return the document as the file has it."""
    return json.dumps(DOCUMENT, ensure_ascii=False, indent=1) + "\n"


def operation(method: str, path: str) -> Mapping[str, Any] | None:
    """Return what the document says of a request; None where it says nothing."""
    for template, found in DOCUMENT["paths"].items():
        if re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path.partition("?")[0]):
            return found.get(method.lower())  # type: ignore[no-any-return]
    return None


def differences(method: str, path: str, status: int, answer: Any) -> list[str]:
    """Return in what an answer differs from what the document says of it."""
    told = operation(method, path)
    if told is None:
        return []
    response = told["responses"].get(str(status))
    if response is None:
        return [f"{method} {path} is not said to answer {status}"]
    content = response.get("content")
    return list(misfits(answer, content["application/json"]["schema"], "answer")) if content else []


def misfits(value: Any, schema: Mapping[str, Any], at: str) -> Iterator[str]:
    """Yield where a value is not of a schema (those parts of JSON Schema that the document uses)."""
    if "$ref" in schema:
        schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "anyOf" in schema:
        if all(any(True for _ in misfits(value, one, at)) for one in schema["anyOf"]):
            yield f"{at} fits none"
        return
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        yield f"{at} is no {kind}"
        return
    if kind == "array":
        for number, one in enumerate(value):
            yield from misfits(one, schema.get("items", {}), f"{at}[{number}]")
    if kind == "object":
        known = schema.get("properties", {})
        more = schema.get("additionalProperties", not known)
        yield from (f"{at}.{name} is missing" for name in schema.get("required", ()) if name not in value)
        for name, one in value.items():
            if name in known:
                yield from misfits(one, known[name], f"{at}.{name}")
            elif isinstance(more, dict):
                yield from misfits(one, more, f"{at}.{name}")
            elif not more:
                yield f"{at}.{name} is not told"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
