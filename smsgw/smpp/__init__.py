"""The language: SMPP 3.4 with the parts of 5.0 and 3.3 that a gateway meets. Sans-IO, standard library only, usable alone.

Octets in, events out; time is an argument. Nothing here knows a socket, a clock, a tenant or a carrier.
"""
