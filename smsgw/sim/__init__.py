"""Simulated ends: a carrier (SMSC) and a tenant (ESME), for tests, demo and bench. On `wire` and `smpp` alone.

    carrier.py  Carrier: answers submit_sm, sends receipts; every fault of the field as a setting or at run time
    fates.py    Fate: what becomes of a message there, drawn from a seed; notations of message ids
    tenant.py   Tenant: N sessions × window, closed loop or fixed rate; matches receipts to the ids it was given
    ledgers.py  what either end saw, counted; the oracle of crash tests
    texts.py    texts that carry their index, so that a lost, doubled or altered message shows
    agenda.py   what is to be done later, in order of time
    latency.py  percentiles in constant memory

    python -m smsgw.sim carrier --help      python -m smsgw.sim tenant --help

Promises: the same seed and the same order of arrival give the same fates; everything is bounded in count; time comes
from the clock passed in. Never here: anything of the gateway, so that nothing of it is tested by itself.
"""

from __future__ import annotations
