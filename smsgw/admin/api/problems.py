"""What was wrong with a request: a status, a constant word, what to do, and every fault.

Never here: a text that quotes content, a token or a number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
import orjson

from smsgw.admin.api import shapes
from smsgw.admin.reasons import fault_of
from smsgw.policy.faults import Fault
from smsgw.policy.shape import shaped

Body = TypeVar("Body", bound=msgspec.Struct)


class Refused(Exception):
    """A request that is not done; it becomes the answer."""

    def __init__(  # noqa: PLR0917 - what its answer has
        self,
        status: int,
        error: str,
        message: str,
        faults: Iterable[shapes.Fault] = (),
        version: str = "",
        permission: str = "",
        retry_after_s: int = 0,
    ) -> None:
        """`retry_after_s`: when to come again, where that is of use."""
        super().__init__(message)
        self.status = status
        self.problem = shapes.Problem(error, message, list(faults), version, permission)
        self.retry_after_s = retry_after_s


def faulty(faults: Iterable[Fault]) -> Refused:
    """Return the refusal of a rule set or a body, with everything that is wrong."""
    listed = [shapes.Fault(one.file, one.line, one.key, one.message, one.hint) for one in faults]
    counted = "1 fault" if len(listed) == 1 else f"{len(listed)} faults"
    return Refused(422, "faulty", f"{counted}: nothing was changed", listed)


def body_of(octets: bytes, kind: type[Body]) -> Body:
    """Read a body. Raises Refused: 400 for no JSON, 422 with every fault for one of another shape."""
    try:
        raw: Any = orjson.loads(octets or b"{}")
    except orjson.JSONDecodeError as error:
        raise Refused(400, "no_json", f"the body is no JSON in UTF-8: line {error.lineno}, column {error.colno}") from None
    if not isinstance(raw, dict):
        raise Refused(400, "no_json", "the body has to be a JSON object: {…}")
    found = shaped(raw, kind)
    if found.faults:
        hint = f"the keys are {', '.join(field.encode_name for field in msgspec.structs.fields(kind))}"
        raise faulty([Fault(one.what, key=one.path, hint=hint) for one in found.faults])
    if "reason" in found.values:
        kept("reason", found.values["reason"])
    return kind(**found.values)


def kept(key: str, text: str) -> str:
    """Return a text that is to be kept, as a reason is. Raises Refused for what is too long, or has no way into the store."""
    fault = fault_of(text)
    if fault:
        what, _, hint = fault.partition(": ")
        raise faulty([Fault(f"it {what}", key=key, hint=hint)])
    return text
