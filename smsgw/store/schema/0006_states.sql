-- The states of contracts and accounts, what their tenants are told, who they are, how long the contract lasts, and secrets in turn.

-- What was decided of a tenant or an account. No row: active. Kept by id and beside provisioning, so that a file neither makes nor
-- ends a state. `under`: the decisions that hold again when this one's time is over, the strictest first.
CREATE TABLE standing (
    kind     text NOT NULL CHECK (kind IN ('tenant', 'account')),
    subject  int4 NOT NULL,
    state    text NOT NULL CHECK (state IN ('limited', 'closing', 'suspended_arrears', 'frozen', 'closed')),
    reason   text NOT NULL,
    evidence text[] NOT NULL DEFAULT '{}',
    actor    text NOT NULL,
    since    timestamptz NOT NULL,
    until    timestamptz,
    rate     int4 NOT NULL DEFAULT 0,         -- limited: parts per second
    under    jsonb NOT NULL DEFAULT '[]',
    PRIMARY KEY (kind, subject),
    CHECK ((rate > 0) = (state = 'limited')),
    CHECK (until IS NULL OR state NOT IN ('closing', 'closed'))
);
CREATE INDEX standing_until ON standing (until) WHERE until IS NOT NULL;

-- What tenants are told. `coalesce_key`: one notice of its kind, however often its cause comes again.
CREATE TABLE notice (
    id           int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at           timestamptz NOT NULL DEFAULT now(),
    tenant       int4 NOT NULL,
    account      int4,
    kind         text NOT NULL,
    params       jsonb NOT NULL DEFAULT '{}',
    coalesce_key text,
    told_at      timestamptz
);
CREATE UNIQUE INDEX notice_once ON notice (coalesce_key) WHERE coalesce_key IS NOT NULL;
CREATE INDEX notice_untold ON notice (id) WHERE told_at IS NULL;
CREATE INDEX notice_tenant ON notice (tenant, id);

-- Who a tenant is: every version is kept, the newest holds.
CREATE TABLE profile (
    tenant  int4 NOT NULL,
    version int4 NOT NULL,
    fields  jsonb NOT NULL,
    actor   text NOT NULL,
    reason  text NOT NULL DEFAULT '',
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, version)
);

-- How long a contract lasts, and until when its tenant's identity counts as verified. `then`: the state that follows.
CREATE TABLE term (
    tenant        int4 PRIMARY KEY,
    starts        date,
    ends          date,                       -- the last day
    grace_days    int4 NOT NULL DEFAULT 0,
    remind_days   int4[] NOT NULL DEFAULT '{30,7,1}',
    then_state    text NOT NULL DEFAULT 'suspended_arrears' CHECK (then_state IN ('suspended_arrears', 'frozen')),
    verified_till date,
    gate          text NOT NULL DEFAULT 'none' CHECK (gate IN ('none', 'limited', 'frozen')),
    gate_rate     int4 NOT NULL DEFAULT 1
);

-- Secrets take turns: each has a number to name it by, and may have an end.
ALTER TABLE secret ADD COLUMN id int8 GENERATED ALWAYS AS IDENTITY UNIQUE;
ALTER TABLE secret ADD COLUMN actor text NOT NULL DEFAULT '';
ALTER TABLE secret ADD COLUMN until timestamptz;
ALTER TABLE secret ADD COLUMN used_at timestamptz;
ALTER TABLE secret ADD COLUMN used_from text NOT NULL DEFAULT '';

CREATE FUNCTION claim_bind(
    p_node int4, p_epoch int8, p_session int8, p_account int4, p_kind text, p_limit int4, p_of_kind int4
) RETURNS boolean LANGUAGE plpgsql AS $$
-- Count a bind over all nodes; false when the account has its number already, of all kinds or of this one (0: no limit). One call
-- and no wait for the disk, because five hundred may come at once beside traffic: what a crash of the server forgets are at most
-- the binds of its last moment, counted too low until they end.
DECLARE
    every int8;
    same  int8;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    PERFORM pg_advisory_xact_lock(1397576514, p_account);
    IF p_limit > 0 OR p_of_kind > 0 THEN
        SELECT count(*), count(*) FILTER (WHERE b.kind = p_kind) INTO every, same FROM bind b WHERE b.account = p_account;
        IF (p_limit > 0 AND every >= p_limit) OR (p_of_kind > 0 AND same >= p_of_kind) THEN
            RETURN false;
        END IF;
    END IF;
    INSERT INTO bind (node, epoch, session, account, kind) VALUES (p_node, p_epoch, p_session, p_account, p_kind);
    RETURN true;
END $$;
