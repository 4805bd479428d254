"""Why an address that a setting names cannot be listened on, in words for who wrote the setting.

Promises: the text names the setting, the address and what to do; the error stays an OSError with its number.
Never here: a socket.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_WHY: Final = {
    errno.EADDRINUSE: "is taken: another program listens there (ss -ltnp shows which); end it, or give another address",
    errno.EADDRNOTAVAIL: "is no address of this machine (ip address lists them); 0.0.0.0 stands for all of them",
    errno.EACCES: "may not be had: ports below 1024 are for root, or for who has CAP_NET_BIND_SERVICE; give a higher port",
}


class AddressRefused(OSError):
    """An address cannot be had; `str()` is for the operator."""

    def __str__(self) -> str:
        """Return the reason alone, without the number."""
        return str(self.strerror)


@contextmanager
def listening_for(setting: str, host: str | None, port: int) -> Iterator[None]:
    """Have what goes wrong within the block said of this setting. Raises AddressRefused."""
    try:
        yield
    except OSError as error:
        why = _WHY.get(error.errno or 0, f"cannot be listened on: {error.strerror or error}")
        where = f"[{host}]:{port}" if ":" in (host or "") else f"{host or ''}:{port}"
        raise AddressRefused(error.errno, f"{setting}: {where} {why}") from error
