"""`smsgw demo`: a whole gateway on one terminal, with nothing but this package.

    cli.py     options, terminal, exit status
    scene.py   who takes part: settings, provisioning, habits of the two carriers
    cast.py    the three tenants; one is an aiosmpplib ESME as its users run it
    stage.py   the run: database, carriers, gateway, tenants; one carrier is cut part way, and comes back
    screen.py  the live table
    check.py   what was submitted, against the books

Promises: everything lives in a directory of its own that is removed at the end; nothing listens beyond loopback; the gateway is the
one that `smsgw serve` runs.
"""

from __future__ import annotations
