"""The side that binds to carriers: links, the pool that shares their room out, their pace and their habits.

Knows nothing of tenants: what a submit led to goes to callables that the daemon gives.
"""
