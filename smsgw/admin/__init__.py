"""What an operator sees and changes of a gateway: metrics, health, tables, a doctor, systemd; provisioning, sealed secrets.

Nothing here is needed to carry a message: a failure in this room is answered to whoever asked, and ends there.
"""

from __future__ import annotations
