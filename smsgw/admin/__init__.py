"""What an operator sees and changes of a running gateway: metrics, health, tables, a doctor, systemd; settings applied and secrets sealed.

Nothing here is needed to carry a message: a failure in this room is answered to whoever asked, and ends there.
"""

from __future__ import annotations
