-- Messages, their content, what is owed, the books, and the one function that writes them: cycle() in 0003.
-- Times are int8 milliseconds since 1970 in hot rows (0 = none); money is int8 of 10^-6 of the currency.

CREATE TABLE node (
    id         int PRIMARY KEY,
    epoch      int8 NOT NULL DEFAULT 0,
    last_ms    int8 NOT NULL DEFAULT 0,       -- no MessageId of this node may be older: kept ahead of time
    low_water  int8 NOT NULL DEFAULT 0,       -- least open message id that is not spilled
    heartbeat  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE commit_token (
    node   int  NOT NULL,
    epoch  int8 NOT NULL,
    seq    int8 NOT NULL,
    answer jsonb,
    at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (node, epoch, seq)
);

-- The primary key only: no other index, so that every update stays on its page (HOT).
CREATE TABLE message (
    id          int8 NOT NULL,
    tenant      int4 NOT NULL,
    account     int4 NOT NULL,
    state       int2 NOT NULL,
    mode        int2 NOT NULL,
    basis       int2 NOT NULL,
    registered  int2 NOT NULL,
    parts       int2 NOT NULL,
    attempt     int2 NOT NULL DEFAULT 0,
    resends     int2 NOT NULL DEFAULT 0,
    command     int4 NOT NULL,
    rev         int4 NOT NULL DEFAULT 0,
    link        int4 NOT NULL DEFAULT 0,
    debit_day   int4 NOT NULL,
    price       int8 NOT NULL,
    refund      int8 NOT NULL DEFAULT 0,
    error       int8 NOT NULL DEFAULT 0,
    expires_ms  int8 NOT NULL DEFAULT 0,
    sent_ms     int8 NOT NULL DEFAULT 0,
    done_ms     int8 NOT NULL DEFAULT 0,
    source      text NOT NULL,
    destination text NOT NULL,
    short_id    text NOT NULL DEFAULT '',
    upstream_id text NOT NULL DEFAULT '',
    PRIMARY KEY (id)
) PARTITION BY RANGE (id);
CREATE TABLE message_default PARTITION OF message DEFAULT WITH (fillfactor = 55);

-- What a message says, apart from it: each retention class keeps its own time.
CREATE TABLE content (
    class int2  NOT NULL,
    id    int8  NOT NULL,
    body  bytea NOT NULL,
    PRIMARY KEY (class, id)
) PARTITION BY LIST (class);
CREATE TABLE content_0 PARTITION OF content FOR VALUES IN (0) PARTITION BY RANGE (id);
CREATE TABLE content_0_default PARTITION OF content_0 DEFAULT;

CREATE TABLE owed (
    id         int8  NOT NULL PRIMARY KEY,
    account    int4  NOT NULL,
    message    int8  NOT NULL,
    kind       int2  NOT NULL,
    tries      int2  NOT NULL DEFAULT 0,
    command    int4  NOT NULL,
    node       int4  NOT NULL DEFAULT 0,      -- who has it; 0 = free
    epoch      int8  NOT NULL DEFAULT 0,
    due_ms     int8  NOT NULL DEFAULT 0,
    expires_ms int8  NOT NULL,
    body       bytea NOT NULL
) WITH (fillfactor = 90, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX owed_free ON owed (account, id) WHERE node = 0;

CREATE TABLE waiting (
    id       int8 NOT NULL PRIMARY KEY,
    link     int4 NOT NULL,
    priority int2 NOT NULL DEFAULT 0,
    state    int2 NOT NULL,
    node     int4 NOT NULL DEFAULT 0,
    epoch    int8 NOT NULL DEFAULT 0,
    due_ms   int8 NOT NULL DEFAULT 0,         -- QUEUED: not before; else: when something must happen
    expires_ms int8 NOT NULL DEFAULT 0        -- QUEUED: validity_period; 0 = none
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX waiting_free ON waiting (link, priority DESC, id) WHERE node = 0 AND state = 3;
CREATE INDEX waiting_due ON waiting (due_ms) WHERE node = 0 AND state <> 3 AND due_ms > 0;
CREATE INDEX waiting_expiry ON waiting (expires_ms) WHERE node = 0 AND expires_ms > 0;

CREATE TABLE upstream_ref (
    at          int8 NOT NULL,                -- an id of the moment of writing: the partition key
    link        int4 NOT NULL,
    message     int8 NOT NULL,
    upstream_id text NOT NULL,
    destination text NOT NULL
) PARTITION BY RANGE (at);
CREATE TABLE upstream_ref_default PARTITION OF upstream_ref DEFAULT;
CREATE INDEX upstream_ref_key ON upstream_ref (upstream_id, link);

CREATE TABLE orphan (
    id          int8  NOT NULL PRIMARY KEY,
    link        int4  NOT NULL,
    command     int4  NOT NULL,
    upstream_id text  NOT NULL,
    body        bytea NOT NULL,
    expires_ms  int8  NOT NULL
);
CREATE INDEX orphan_key ON orphan (link, upstream_id);

CREATE TABLE short_id (
    account int4 NOT NULL,
    short   text NOT NULL,
    message int8 NOT NULL,
    PRIMARY KEY (account, short)
);
CREATE TABLE short_id_block (
    account int4 PRIMARY KEY,
    next    int8 NOT NULL
);

CREATE TABLE bind (
    node    int4 NOT NULL,
    epoch   int8 NOT NULL,
    session int8 NOT NULL,
    account int4 NOT NULL,
    kind    text NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (node, epoch, session)
);
CREATE INDEX bind_account ON bind (account);

-- The books ---------------------------------------------------------------------------------------------------------

CREATE TABLE balance (
    tenant       int4 PRIMARY KEY,
    amount       int8 NOT NULL,
    credit_limit int8 NOT NULL DEFAULT 0,
    CONSTRAINT balance_covers_credit_limit CHECK (amount >= -credit_limit)
) WITH (fillfactor = 30, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE ledger (
    id       int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant   int4 NOT NULL,
    kind     text NOT NULL CHECK (kind IN ('opening', 'debit', 'refund', 'top_up', 'adjustment')),
    day      int4 NOT NULL,                   -- days since 1970-01-01, UTC
    amount   int8 NOT NULL,
    messages int8 NOT NULL DEFAULT 0,
    actor    text NOT NULL DEFAULT 'smsgw',
    reason   text NOT NULL DEFAULT '',
    at       timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
-- Debits and refunds are folded to one row a tenant and day; everything else is a row of its own, for good.
CREATE UNIQUE INDEX ledger_folded ON ledger (tenant, day, kind) WHERE kind IN ('debit', 'refund');

CREATE TABLE refund (
    message int8 PRIMARY KEY,                 -- at most one a message
    tenant  int4 NOT NULL,
    day     int4 NOT NULL,
    amount  int8 NOT NULL CHECK (amount > 0)
);

CREATE TABLE quota (
    account int4 NOT NULL,
    period  int4 NOT NULL,                    -- a day as yyyymmdd, a month as yyyymm
    used    int8 NOT NULL DEFAULT 0,
    PRIMARY KEY (account, period)
) WITH (fillfactor = 50);

-- Tables that get a partition for each day ahead of time and lose it after `retention_days`.
CREATE TABLE partitioned (
    parent         text PRIMARY KEY,
    retention_days int NOT NULL,
    storage        text NOT NULL DEFAULT '',
    kept_from      int8 NOT NULL DEFAULT 0    -- ids below may have been dropped; 0 = none was
);
INSERT INTO partitioned (parent, retention_days, storage) VALUES
    ('message', 180, 'fillfactor = 55'),
    ('content_0', 180, ''),
    ('upstream_ref', 7, '');
