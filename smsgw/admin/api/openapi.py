"""The OpenAPI 3.1 document of the HTTP API: made of the routes and the shapes, so that it cannot say anything else than they do.

Never here: a route, a shape.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

import msgspec

from smsgw import __version__
from smsgw.admin.api import shapes
from smsgw.admin.api.server import DOCUMENT, ROUTES, Route
from smsgw.admin.tokens import PERMISSIONS

_REF: Final = "#/components/schemas/{name}"
_QUERIES: Final = {
    "version": "A version that the set has or had: all of it, or at least its first 8 characters.",
    "reason": "Why: it goes into the audit.",
    "dry_run": "1: check, prove, compare and count, change nothing.",
}
_STATUSES: Final = {
    400: "No JSON, or a header that cannot be read.",
    401: "No token that works.",
    403: "The token lacks a permission, which is named.",
    404: "No such set, version or rule, and no such name.",
    408: "The body did not come in time.",
    409: "Not as things stand: the message says why.",
    412: "Another version is in force than If-Match or If-None-Match says.",
    413: "The body is too large.",
    415: "The body is encoded.",
    422: "Faults: every one, with file, line, key and what to do. Nothing was changed.",
    429: "Too many requests without a token that works, from this address.",
    500: "A fault of ours.",
    503: "A limit is reached, or the database is away: come again.",
}
_ALWAYS: Final = (401, 403, 429, 500, 503)


def document() -> dict[str, Any]:
    """Return the document."""
    structs = [kind for _, kind in inspect.getmembers(shapes, inspect.isclass) if issubclass(kind, msgspec.Struct)]
    _, schemas = msgspec.json.schema_components(structs, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in ROUTES:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    paths[DOCUMENT] = {"get": {"operationId": "openapi", "summary": "This document.", "security": [],
                               "responses": {"200": {"description": "OpenAPI 3.1, as JSON."}}}}  # fmt: skip
    said = "; ".join(f"{name}: {what}" for name, what in PERMISSIONS.items())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "smsgw",
            "version": __version__,
            "description": "Rule sets of a gateway, seen and changed by programs; messages that are not to be sent, cancelled."
            f" Permissions of tokens: {said}.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "smsgw token add"}},
        },
        "security": [{"token": []}],
    }


def _operation(route: Route) -> dict[str, Any]:
    answer = _of(route.answer)
    success = {"description": "Done.", **_json({"type": "array", "items": answer} if route.many else answer)}
    if not route.many:
        success["headers"] = {"ETag": {"schema": {"type": "string"}, "description": "The version, in quotes."}}
    statuses = {*_ALWAYS, *route.errors, *((400, 408, 413, 415, 422) if route.body else ()), *((400, 412) if route.guarded else ())}
    responses = {"200": success} | ({"201": {**success, "description": "Done: the set is new."}} if route.method == "PUT" else {})
    if route.method == "GET" and not route.many:
        responses["304"] = {"description": "It is the version that If-None-Match names."}
    responses |= {str(status): {"description": _STATUSES[status], **_json(_of(shapes.Problem))} for status in sorted(statuses)}
    made: dict[str, Any] = {
        "operationId": route.id,
        "summary": route.summary,
        "x-needs": list(route.needs),
        "parameters": _parameters(route),
        "responses": responses,
    }
    if route.body is not None:
        made["requestBody"] = {"required": True, **_json(_of(route.body))}
    return made


def _parameters(route: Route) -> list[dict[str, Any]]:
    text = {"type": "string"}
    found: list[dict[str, Any]] = []
    if "{name}" in route.path:
        found.append(
            {"name": "name", "in": "path", "required": True, "schema": text, "description": "The set, as accounts name it."}
        )
    if "{number}" in route.path:
        found.append(
            {"name": "number", "in": "path", "required": True, "schema": text, "description": "The cancellation, by its number."}
        )
    found += [{"name": name, "in": "query", "schema": text, "description": _QUERIES[name]} for name in route.query]
    if route.guarded:
        said = 'Only if this version is in force: "…", or * for any.'
        found.append({"name": "If-Match", "in": "header", "schema": text, "description": said})
        said = "*: only if there is no such set yet."
        found.append({"name": "If-None-Match", "in": "header", "schema": text, "description": said})
    return found


def _of(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}
