-- Late fees that wait for a person, contracts whose end is the way out, where accounts bind from, and what tenants answer.

-- A late fee is a booking of its own kind.
ALTER TABLE ledger DROP CONSTRAINT ledger_kind_check,
    ADD CONSTRAINT ledger_kind_check
        CHECK (kind IN ('opening', 'debit', 'refund', 'top_up', 'adjustment', 'settlement', 'late_fee'));

-- What a contract says of paying late: shares, written as they are shown ("0.0005" a day), and days.
ALTER TABLE term
    ADD COLUMN fee_rate       text NOT NULL DEFAULT '0',
    ADD COLUMN fee_due_days   int4 NOT NULL DEFAULT 0,
    ADD COLUMN fee_grace_days int4 NOT NULL DEFAULT 0,
    ADD COLUMN fee_cap        text NOT NULL DEFAULT '0',
    DROP CONSTRAINT term_then_state_check,
    ADD CONSTRAINT term_then_state_check CHECK (then_state IN ('suspended_arrears', 'frozen', 'closing'));

-- What a tenant would owe for paying a closed cycle late: computed while it is open, final once a person has decided.
CREATE TABLE late_fee (
    tenant     int4 NOT NULL,
    cycle      text NOT NULL,
    owed       int8 NOT NULL CHECK (owed > 0),   -- what the cycle added to the debt
    amount     int8 NOT NULL CHECK (amount > 0),
    due        date NOT NULL,                    -- the last day on which paying was in time
    days       int4 NOT NULL,                    -- so many days after it something was unpaid
    as_of      date NOT NULL,                    -- computed up to the end of the day before
    state      text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'posted', 'withdrawn')),
    ledger     int8,
    actor      text NOT NULL DEFAULT 'smsgw',
    reason     text NOT NULL DEFAULT '',
    decided_at timestamptz,
    PRIMARY KEY (tenant, cycle),
    CHECK ((state = 'posted') = (ledger IS NOT NULL)),
    CHECK ((state = 'open') = (decided_at IS NULL))
);
CREATE TRIGGER keep_update BEFORE UPDATE ON late_fee FOR EACH ROW WHEN (OLD.state <> 'open') EXECUTE FUNCTION keep_books();
CREATE TRIGGER keep_rows BEFORE DELETE ON late_fee FOR EACH ROW WHEN (OLD.state <> 'open') EXECUTE FUNCTION keep_books();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON late_fee EXECUTE FUNCTION keep_books();

-- Where an account was bound from; of those that were not seen for longest some are forgotten.
CREATE TABLE account_source (
    account  int4 NOT NULL,
    address  text NOT NULL,
    first_at timestamptz NOT NULL DEFAULT now(),
    last_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, address)
);

-- A live bind says where it is from, so that all nodes together see one account in two places.
ALTER TABLE bind ADD COLUMN address text NOT NULL DEFAULT '';
CREATE FUNCTION claim_bind(
    p_node int4, p_epoch int8, p_session int8, p_account int4, p_kind text, p_limit int4, p_of_kind int4, p_address text
) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    IF NOT claim_bind(p_node, p_epoch, p_session, p_account, p_kind, p_limit, p_of_kind) THEN
        RETURN false;
    END IF;
    UPDATE bind SET address = p_address WHERE node = p_node AND epoch = p_epoch AND session = p_session;
    RETURN true;
END $$;

-- What a tenant answered to a step of the ladder (a row of the audit), and what became of it. It changes no state by itself.
CREATE TABLE appeal (
    id         int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT now(),
    kind       text NOT NULL CHECK (kind IN ('tenant', 'account')),
    subject    int4 NOT NULL,
    step       int8 NOT NULL,                    -- the number of its audit row
    said_by    text NOT NULL,                    -- who of the tenant
    text       text NOT NULL,
    actor      text NOT NULL,                    -- who wrote it down
    outcome    text NOT NULL DEFAULT '',         -- kept, eased or lifted; '': not answered yet
    outcome_by text NOT NULL DEFAULT '',
    outcome_at timestamptz,
    CHECK ((outcome = '') = (outcome_at IS NULL)),
    CHECK (outcome IN ('', 'kept', 'eased', 'lifted'))
);
CREATE INDEX appeal_subject ON appeal (kind, subject, id);
CREATE TRIGGER keep_update BEFORE UPDATE ON appeal FOR EACH ROW
    WHEN (OLD.outcome <> ''
          OR (NEW.id, NEW.at, NEW.kind, NEW.subject, NEW.step, NEW.said_by, NEW.text, NEW.actor)
             IS DISTINCT FROM (OLD.id, OLD.at, OLD.kind, OLD.subject, OLD.step, OLD.said_by, OLD.text, OLD.actor))
    EXECUTE FUNCTION keep_books();
CREATE TRIGGER keep_rows BEFORE DELETE ON appeal FOR EACH ROW EXECUTE FUNCTION keep_books();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON appeal EXECUTE FUNCTION keep_books();
