from __future__ import annotations

import msgspec
import orjson
import pytest

from smsgw.admin.api.problems import Refused, body_of, faulty, kept
from smsgw.admin.api.shapes import PutBody, ReplayBody, RollbackBody, ShadowBody
from smsgw.policy.faults import Fault


def refused(octets: bytes) -> Refused:
    """Return the refusal of a body."""
    with pytest.raises(Refused) as error:
        body_of(octets, PutBody)
    return error.value


def test_a_body_is_read_as_its_shape():
    """What is not given has its default; nothing at all is an empty object."""
    assert body_of(b'{"version": "abc"}', RollbackBody) == RollbackBody(version="abc")
    assert body_of(b"", RollbackBody) == RollbackBody()


@pytest.mark.parametrize("octets", [b"{", b"[]", b"3", b'{"files": "\xff"}', b'{"reason": "\\ud800"}', b"NaN"])
def test_what_is_no_json_object_is_400(octets: bytes):
    """Cut short, another type, no UTF-8, half a character."""
    assert refused(octets).status == 400


def test_every_fault_of_a_body_is_told_at_once():
    """Unknown keys, missing ones, wrong types, each with its place and the keys that there are."""
    error = refused(b'{"flies": [], "files": [{"name": 1}, 2], "lists": {"a": 1}}')
    assert error.status == 422
    assert {fault.key: fault.message for fault in error.problem.faults} == {
        "": "Object contains unknown field `flies`",
        "files[0]": "Object missing required field `text`",
        "files[0].name": "Expected `str`, got `int`",
        "files[1]": "Expected `object`, got `int`",
        "lists[...]": "Expected `str`, got `int`",
    }
    assert all("files, lists, reason" in fault.hint for fault in error.problem.faults)


def test_faults_of_a_set_are_told_in_parts():
    """As they are, and how many."""
    error = faulty([Fault("m", "f.toml", 3, "k", "h"), Fault("n")])
    assert (error.status, error.problem.error, error.problem.message) == (422, "faulty", "2 faults: nothing was changed")
    assert faulty([Fault("n")]).problem.message == "1 fault: nothing was changed"
    first = error.problem.faults[0]
    assert (first.file, first.line, first.key, first.message, first.hint) == ("f.toml", 3, "k", "m", "h")


def test_a_reason_that_the_store_cannot_write_is_a_fault():
    """It would look as if the database were away, for good."""
    assert kept("reason", "as it was") == "as it was"
    error = refused(b'{"files": [], "reason": "a\\u0000b"}')
    assert (error.status, [fault.key for fault in error.problem.faults]) == (422, ["reason"])
    with pytest.raises(Refused):
        kept("reason", "\ud800")


@pytest.mark.parametrize("kind", [PutBody, RollbackBody, ShadowBody, ReplayBody])
def test_a_reason_has_a_limit(kind: type[msgspec.Struct]):
    """Over it every body is refused with 422, at its key and with the limit; so is one in a query."""
    body = {"files": [], "on": True, "reason": "x" * 500}
    told = {name: value for name, value in body.items() if name in kind.__struct_fields__}
    assert body_of(orjson.dumps(told), kind).reason == "x" * 500  # type: ignore[attr-defined]
    for ask in (lambda: body_of(orjson.dumps({**told, "reason": "x" * 501}), kind), lambda: kept("reason", "x" * 501)):
        with pytest.raises(Refused) as error:
            ask()
        (fault,) = error.value.problem.faults
        assert (error.value.status, fault.key) == (422, "reason")
        assert "500" in fault.message
