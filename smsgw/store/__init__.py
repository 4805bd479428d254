"""PostgreSQL: the only room that holds SQL and imports asyncpg.

    the server       embedded, with server_files, server_user, processes, write_ahead; database (connecting), errors, migrations
    the unit of work queues → turns → batch → commit; ids, sealed (content at rest)
    nodes            nodes, binds, limits, quotas, partitions, examination; invariants: the books as SQL
    read back        messages, receipts, texts, traces, contents; holds, cancels, replies
    provisioned      provisioning, versions, provisioned (snapshots), policies, credentials, registers, kinds of changes, tokens
    money            balances, books, prices, statements, late_fees, alarms
    contracts        standing, terms, appeals, anomalies, notices and deliveries; purges, returns
    recipients       marks and mark_chain, consents, complaints
    evidence         audits and chain, dossiers, exports, retentions, legal_holds

Promises that what it reports as committed is durable. Must never decide policy, price or routes: it keeps what the
rooms above decided.
"""

from __future__ import annotations
