"""smsgw: a durable, billed SMPP gateway. This is its map; nothing happens here.

Rooms, a folder for each party or station that a message passes:

    __main__, cli/   the command line: a thin face of admin/ and of files; imports when a command runs
    demo/  bench/    `smsgw demo` and `smsgw bench`: the daemon between simulated ends; what it costs beside a bare relay
    process.py       the daemon as a process: uvloop, signals, limits, exit codes
    daemon.py        the composition root: builds every part once, wires them, one TaskGroup, the ticker, the drain
    ground.py        what a node stands on: server, schema, keys, what is provisioned, its seat
    admin/           seeing and steering: metrics and health over HTTP, show, doctor, systemd; provisioning and sealed passwords;
                     the HTTP API of rule sets (api/)
    journey/         THE PRODUCT: what happens to a message, one journey a file
    tenants/         the side that tenants bind to: listener, bind, session, registry
    carriers/        the side that binds to carriers: links and their binds, the pool that shares their room, pace, dialect
    sim/             simulated carrier and tenants, for tests, demo and bench
    reports/         closing documents, partners' statements, differences with a carrier's file, bundles: pure
    notices/         what tenants are told, outside SMPP: signed webhooks and mail
    directory.py     the Directory: all that is provisioned, one immutable snapshot that the data path reads
    contracts/       what was agreed with a tenant and how it stands: the table of states, the term
    compliance/      what recipients refuse, lists of them, working days, rates of complaints
    policy/          may it go? token buckets; texts judged by compiled rule sets; what a refusal says to its tenant
    numbering/       what a number tells: country, operator, zones
    routing/         which links, in which order? the longest prefix
    receipts/        which message a receipt means, what a carrier's codes mean; what its tenant is owed
    billing/         prices by part and prefix; what a final state gives back, what paying late costs; integers
    store/           PostgreSQL, the only SQL: the unit of work, its schema, the embedded server, the invariants of the books
    model.py         the domain's words: messages, what is owed, and, from below, outcomes, states, what is provisioned
    provisioned.py   what ops provision, as frozen values
    states.py        the states of a message, tables only
    outcomes.py      what became of a submit: Outcome, Rejected
    spans.py         minute, hour, day, month, by a zone's calendar: what quotas and caps are counted in
    wire.py          an smpp.Session on a socket: coalesced writes, back-pressure, time
    smpp/            the language, sans-IO: PDUs, TLVs, the session's state table, text, receipts, times; usable alone
    client/          `smsgw.client`, the tenants' library, on aiosmpplib; it knows the language alone
    telemetry/       logs, meters and their collector, the message record line, the lag probe, garbage, which build runs
    config/          the process's own settings: every limit has its name and its default there

Journeys. MT, in two halves joined by a durable row:

    accept     submit_sm → read, admitted, judged, routed, priced → COMMIT → submit_sm_resp
    dispatch   durable message → a link with room → Sent | Refused | Throttled | Unknown → settled in the next cycle

Receipts and MO, in two halves joined by a durable row:

    receipt, inbound   a carrier's deliver_sm → its message, or the number's owner → COMMIT → deliver_sm_resp
    optout     an MO that is a keyword → on record → inbound; what is on record → the marks that policies ask
    reply      what the keyword's set answers → stored with what is on record → to the handset, like any message
    deliver            what is owed → a bound receiver of the account → its answer → done

What may not go yet, in two halves joined by a durable text:

    accept     a part of a long text, or what a person has to see → HELD, answered → COMMIT
    hold       the text is whole, decided, or its time is over → weighed, judged once → released in order, or all refused
    cancel     what is not to be sent, by a filter → ended where it waits, in memory, store or held → paid back
    defer      SCHEDULED until its recipient's hours begin → judged afresh → on its way, or refused

Within them: `reading` makes a message of a PDU and `transform` what is changed in it, `arrival` is a receipt on the table,
`weigh` says what is to become of a held text, `holdings` how much is held. Beside them: `query` answers from our own rows,
`due` does what time brings, `recover` takes up what a start or a dead node left, `ending` gives money back and owes the
receipt, `recall` reads what memory does not know, `limits` tells the other nodes what token buckets have let through, `jobs`
does for these what has to wait.
Journeys of messages never await: they hand work to `store.commit` and name the effect that follows its COMMIT; only what runs
beside them (recall, recover, limits, hold, optout) waits for the store.

Layers, imports go down only (import-linter holds them; `|`: independent of each other):

    __main__ > cli > demo | bench > process > daemon > ground > admin > journey > tenants | carriers | reports | notices | sim
      > directory > contracts | compliance > policy | routing | receipts | billing > numbering > store
      > model | wire > provisioned > states | spans | outcomes > smpp > config | telemetry

`tenants` and `carriers` know nothing of each other; `client` stands beside the chain, on `smpp` alone; only `store` imports
asyncpg; `smpp` knows no socket and no clock.

The data path, from the wire to the rows and back, is also built as machine code from this same source (`make compiled`; its modules
are named in pyproject.toml): half the CPU a message. So there a class takes no attribute that it does not declare, and types are
exact.

Words. Policy: a rule set that accounts name. Finding: what one rule objects. Verdict: what findings add up to.
Tenant: a contract, with its balance and prices. Account: one system_id of a tenant. Carrier: an operator. Link: one
upstream connection, with its binds. Message, MessageId, Part. Route, Tariff. Receipt: never "dlr". Outcome: what became of a
submit. Rejected: a status for the peer, a reason for log and metric. Money: an integer of 10⁻⁶ of the currency. Owed: what an
account is to be given.
Standing: how a contract or an account stands, by a Decision of somebody. Restriction: what that means for an account's submits.
Mark: what is on record of a recipient within a scope: an opt-out, a block list, a consent. By the keyed hash of his number.
States: HELD SCHEDULED QUEUED SUBMITTING IN_DOUBT SENT, then final DELIVERED FAILED REFUSED REJECTED EXPIRED CANCELLED UNKNOWN.
"""

from __future__ import annotations

__version__ = "0.1.0"
