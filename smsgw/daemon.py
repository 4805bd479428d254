"""The composition root: every long-lived object is built here, once, and passed to constructors. Nowhere else.

`run` is a daemon's life: store → seat → journeys → links and listeners → ticker → drain. All tasks live in one TaskGroup; the death
of one that must not die (the unit of work, the ticker) ends the process. `serve` is `run` in a process of its own: uvloop,
signals, limits, exit codes.

Stopping (SIGTERM): no new connection, no new submit (ESME_RSYSERR); what is unanswered is decided and answered; binds are
unbound on both sides; the unit of work empties its queues; the embedded server stops last. `drain_s` bounds all of it.
"""

from __future__ import annotations

import structlog

TICK_S = 0.1
log = structlog.get_logger()
