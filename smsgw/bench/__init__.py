"""`smsgw bench`: what the whole life of a message costs, beside what the machine can do at all.

    cli.py        options → cases → table, JSON, plot; the exit status
    cases.py      direct, relay, gateway, judged: one case run from start to end
    ends.py       the load: tenant and carrier of `sim` as processes, or external tools; their reports read alike
    gateway.py    the gateway under test, as a process with a fresh database; its books afterwards
    rules.py      a rule set of any size, by which the case `judged` has the gateway judge
    relay.py      the yardstick: a bare relay in memory
    processes.py  CPU time from /proc, free ports, the calibration loop
    plot.py       the figures as SVG

A case counts only when nothing was lost, doubled or altered: the text of every message carries its index, each
acknowledged id must get one receipt, and the books must balance. A case that fails makes the exit status 1.

Machines drift by a factor of 1.6 within minutes: compare ratios to the relay of the same run, or look at `cal`, the
milliseconds that a fixed loop took around each case, and at `others`, the share of all cores that went to processes
which are none of the bench's.
"""

from __future__ import annotations
