"""The settings of the HTTP API: where it listens, and how much it lets be asked of it.

Never here: who may ask (tokens are in the database).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

_Some = Annotated[int, Meta(ge=1, le=2**31 - 1)]
_Few = Annotated[int, Meta(ge=1, le=64)]


class Api(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`listen`: "" is off. `connections`: at the same time; `idle_s`: of one without a request; `head_s`: until a head has come.

    `requests`: at the same time; `checks`, `replays`: those of them that judge whole sets, or stored texts.

    `max_body`: octets; `body_s`: until a body has come; `failures`: of one address in a minute before it is asked to wait.
    """

    listen: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    max_body: _Some = 16_777_216
    body_s: Annotated[float, Meta(ge=1, le=3_600)] = 30.0
    connections: _Some = 256
    head_s: Annotated[float, Meta(ge=1, le=3_600)] = 10.0
    idle_s: Annotated[float, Meta(ge=1, le=3_600)] = 30.0
    requests: _Some = 64
    checks: _Few = 1
    replays: _Few = 1
    replay_most: _Some = 100_000
    failures: _Some = 20
