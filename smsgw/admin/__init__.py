"""What an operator sees and changes of a gateway: metrics, health, tables, a doctor, systemd; provisioning, sealed secrets.

    seen         http, control, shown, doctor, tracing, why, audited, evidence, systemd
    provisioned  provisioning (apply, rollback) of provisioning_file, by three_way; the values in access_, contract_, naming_ and
                 retention_values; remarks; editing by hand; credentials, sealing, tokens
    rule sets    policy_files, policy_sets, policy_export, replaying; reviewing of what they hold; recipients, complaints
    contracts    standing, terms, ladder, appeals, anomalies, prices, quotas, books, arrears, late_fees, closing and closer
    kept         contents and content_keys, exporting, signing, reporting, purging; cancelling; reasons; keeping for all

Nothing here is needed to carry a message: a failure in this room is answered to whoever asked, and ends there.
"""

from __future__ import annotations
