"""The side that binds to carriers: links, the pool that shares their room out, their pace and their habits.

`pool` answers who can take a message now; `link` is one bind and its session, `line` what the binds of a link share, `runner` the
task that keeps each alive; `pace` how fast, `dialect` in which form ids, `credentials` as whom, `trouble` why not, in
words for people.

Knows nothing of tenants: what a submit led to goes to callables that the daemon gives.
"""
