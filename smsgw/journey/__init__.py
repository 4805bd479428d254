"""The product: what happens to a message, one journey a file, each on about one screen.

- `accept`: a tenant's submit_sm → decided, paid, durable → submit_sm_resp
- `dispatch`: a durable message → carrier → outcome → settled
- `receipt`: a carrier's receipt → matched, durable → owed to the tenant
- `deliver`: what is owed → the tenant's bound receiver → done
- `inbound`: a carrier's MO message → owner found, durable → owed
- `query`: a tenant's query_sm and its kin → answered from our own rows
- `hold`: parts of a text, and what a person has to see → judged once → released in order, or all refused
- `defer`: what waits for its recipient's hours → judged afresh when they begin
- `due`: what time brings: expiry, doubts, receipts that never came, rows that leave memory
- `recover`: what a start, or the death of another node, leaves to be taken up

Journeys know the parties only as callables and objects given to their constructors. They change a message in memory, hand it to
the unit of work and name the effect that follows its COMMIT; no task, no future and no await per message. `hold` alone judges what
it reads from the store, many texts at a time, in a task of its own.
"""
