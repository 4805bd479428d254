"""What an operator sees of a running gateway: metrics and health over HTTP, tables over a local socket, a doctor, systemd.

Nothing here is needed to carry a message: a failure in this room is answered to whoever asked, and ends there.
"""

from __future__ import annotations

from smsgw.admin.control import ControlServer
from smsgw.admin.http import AdminServer

__all__ = ["AdminServer", "ControlServer"]
