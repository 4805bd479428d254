-- The books as evidence: who booked what and why, under which reference, never changed afterwards; and closed cycles as documents.

ALTER TABLE ledger DROP CONSTRAINT ledger_kind_check,
    ADD CONSTRAINT ledger_kind_check CHECK (kind IN ('opening', 'debit', 'refund', 'top_up', 'adjustment', 'settlement'));
-- What a tenant's contract says beside the columns: only what differs from the defaults of the model.
ALTER TABLE tenant ADD COLUMN IF NOT EXISTS settings jsonb NOT NULL DEFAULT '{}';

-- What a person's own system calls the booking: whoever is not sure that it was booked asks again with the same one.
ALTER TABLE ledger ADD COLUMN reference text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX ledger_reference ON ledger (tenant, reference) WHERE reference <> '';
CREATE INDEX ledger_tenant ON ledger (tenant, id);

-- When a refund was booked decides which cycle it belongs to; who gave it and why is empty where the contract's rule did.
ALTER TABLE refund ADD COLUMN at timestamptz,
    ADD COLUMN actor text NOT NULL DEFAULT 'smsgw', ADD COLUMN reason text NOT NULL DEFAULT '';
UPDATE refund SET at = to_timestamp(day::int8 * 86400);
ALTER TABLE refund ALTER COLUMN at SET DEFAULT now(), ALTER COLUMN at SET NOT NULL;
CREATE INDEX refund_at ON refund USING brin (at);

CREATE FUNCTION keep_books() RETURNS trigger LANGUAGE plpgsql AS $$
-- What was booked stays as it is: a mistake is put right by another row.
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted: book another one that puts it right', TG_TABLE_NAME
        USING ERRCODE = 'SG002';
END $$;
-- The folded rows of a day are added to by book(), and by nothing else is anything about them changed.
CREATE TRIGGER keep_update BEFORE UPDATE ON ledger FOR EACH ROW
    WHEN (OLD.kind NOT IN ('debit', 'refund')
          OR (NEW.id, NEW.tenant, NEW.kind, NEW.day, NEW.actor, NEW.reason, NEW.reference)
             IS DISTINCT FROM (OLD.id, OLD.tenant, OLD.kind, OLD.day, OLD.actor, OLD.reason, OLD.reference)
          OR NEW.messages < OLD.messages)
    EXECUTE FUNCTION keep_books();
CREATE TRIGGER keep_rows BEFORE DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION keep_books();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON ledger EXECUTE FUNCTION keep_books();
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON refund FOR EACH ROW EXECUTE FUNCTION keep_books();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON refund EXECUTE FUNCTION keep_books();

-- A closed cycle of a tenant, or, the other way round, of a partner: its content, word for word, and what was made of it.
CREATE TABLE statement (
    id        int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    direction text NOT NULL CHECK (direction IN ('tenant', 'partner')),
    party     text NOT NULL,                  -- the tenant's name, or the partner's who brought tenants
    cycle     text NOT NULL,                  -- 2026-11: the month in which it starts
    from_ms   int8 NOT NULL,
    until_ms  int8 NOT NULL,
    closing   int8 NOT NULL,                  -- the balance at its end: the next one opens with it
    content   text NOT NULL,
    sha256    text NOT NULL,
    actor     text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    UNIQUE (direction, party, cycle)
);
CREATE TABLE statement_file (
    statement int8 NOT NULL REFERENCES statement,
    name      text NOT NULL,                  -- acme-2026-11.pdf
    sha256    text NOT NULL,
    body      bytea NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (statement, name)
);
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON statement FOR EACH ROW EXECUTE FUNCTION keep_books();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON statement EXECUTE FUNCTION keep_books();
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON statement_file FOR EACH ROW EXECUTE FUNCTION keep_books();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON statement_file EXECUTE FUNCTION keep_books();

-- Thresholds that a tenant was told of; gone once its balance has risen to them again.
CREATE TABLE balance_alarm (
    tenant    int4 NOT NULL,
    threshold int8 NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, threshold)
);

-- How a notice gets to its tenant: one row for each address, tried again until it is there or given up.
ALTER TABLE notice ADD COLUMN planned_at timestamptz;
CREATE INDEX notice_unplanned ON notice (id) WHERE planned_at IS NULL;
CREATE TABLE notice_delivery (
    notice  int8 NOT NULL REFERENCES notice ON DELETE CASCADE,
    channel text NOT NULL CHECK (channel IN ('webhook', 'mail')),
    target  text NOT NULL,
    state   text NOT NULL CHECK (state IN ('open', 'done', 'failed', 'capped')),
    tries   int4 NOT NULL DEFAULT 0,
    due     timestamptz NOT NULL DEFAULT now(),
    error   text NOT NULL DEFAULT '',
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (notice, channel, target)
);
CREATE INDEX notice_delivery_due ON notice_delivery (due) WHERE state = 'open';
