"""The side that tenants bind to: addresses that listen, who may bind, their sessions, who is bound now.

It faces tenants as `carriers` faces carriers; the two know nothing of each other. What becomes of a message is decided by the
journeys, which the daemon hands in as callables.
"""
