"""The product: what happens to a message, one journey a file, each on about one screen.

- `accept`: a tenant's submit_sm → decided, paid, durable → submit_sm_resp
- `dispatch`: a durable message → carrier → outcome → settled
- `receipt`: a carrier's receipt → matched, durable → owed to the tenant
- `deliver`: what is owed → the tenant's bound receiver → done
- `inbound`: a carrier's MO message → owner found, durable → owed
- `optout`: an MO that is a keyword → on record → inbound; `reply`: what its set answers → to the handset, like any message
- `query`: a tenant's query_sm and its kin → answered from our own rows
- `hold`: parts of a text, and what a person has to see → judged once → released in order, or all refused
- `cancel`: what was accepted and is not to be sent → ended where it waits → paid back
- `defer`: what waits for its recipient's hours → judged afresh when they begin
- `due`: what time brings: expiry, doubts, receipts that never came, rows that leave memory
- `recover`: what a start, or the death of another node, leaves to be taken up

What they share: `desk` is what lies at hand for all of them (directory, unit of work, meters, clock), `reading` makes a message of
a PDU, `transform` is what is changed in it, `arrival` a receipt on the table, `weigh` what is to become of a held text, `holdings`
how much is held, `ending` the money and the receipt at the end, `recall` what memory does not know, `limits` what other nodes are
told of token buckets, `jobs` what has to wait.

Journeys know the parties only as callables and objects given to their constructors. They change a message in memory, hand it to
the unit of work and name the effect that follows its COMMIT; no task, no future and no await per message. `hold` alone judges what
it reads from the store, many texts at a time, in a task of its own.
"""
