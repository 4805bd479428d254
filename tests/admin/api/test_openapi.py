from __future__ import annotations

import re

import pytest

from smsgw.admin.api.openapi import document
from smsgw.admin.api.server import DOCUMENT, ROUTES
from smsgw.admin.tokens import PERMISSIONS
from tests import openapi


def test_the_kept_document_is_that_of_the_source():
    """docs/openapi.json says what the routes and shapes say; `python -m tests.openapi` writes it anew."""
    assert openapi.FILE.read_text(encoding="utf-8") == openapi.text()


def test_every_route_is_in_it_and_no_other():
    """Methods and paths, what each needs, its body; the document itself, for which nothing is needed."""
    told = document()
    found = {(method, path): one for path, methods in told["paths"].items() for method, one in methods.items()}
    assert set(found) == {(route.method.lower(), route.path) for route in ROUTES} | {("get", DOCUMENT)}
    for route in ROUTES:
        one = found[route.method.lower(), route.path]
        assert (one["operationId"], tuple(one["x-needs"]), "requestBody" in one) == (route.id, route.needs, route.body is not None)
        assert set(route.needs) <= set(PERMISSIONS)
    assert found["get", DOCUMENT]["security"] == []
    assert told["openapi"] == "3.1.0"


def test_every_reference_leads_somewhere():
    """Each schema that is named is there, and each that is there is named."""
    named = set(re.findall(r'"#/components/schemas/(\w+)"', openapi.text()))
    assert named == set(document()["components"]["schemas"])


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"error": "x", "message": "y"}, []),
        ({"error": "x"}, ["answer.message is missing"]),
        ({"error": "x", "message": 3}, ["answer.message is no string"]),
        ({"error": "x", "message": "y", "faults": [{}]}, 5),
        ({"error": "x", "message": "y", "more": 1}, ["answer.more is not told"]),
        ([], ["answer is no object"]),
    ],
)
def test_the_check_of_answers_finds_what_does_not_fit(answer: object, told: list[str] | int):
    """What is missing, of another type, or not in the document: the API's tests hold every answer against it."""
    found = openapi.differences("PUT", "/v1/policies/x?dry_run=1", 422, answer)
    assert (len(found) if isinstance(told, int) else found) == told
    assert openapi.differences("PUT", "/v1/policies/x", 418, {}) != []
