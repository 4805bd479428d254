-- What is on record about recipients: who has refused marketing, who is on a block list, who has consented; and complaints.
-- Never a phone number: `number` is a keyed hash (64 bits), whose key lies outside the database. `masked` has its middle hidden.

-- Within what a mark holds. owner: the account's id, the tenant's for `tenant`, 0 for `platform`. key: a signature or a service number.
CREATE TABLE mark_scope (
    id    int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind  text NOT NULL CHECK (kind IN ('opt_out', 'block', 'consent')),
    level text NOT NULL CHECK (level IN ('platform', 'tenant', 'account', 'signature', 'number')),
    owner int4 NOT NULL,
    key   text NOT NULL DEFAULT '',
    UNIQUE (kind, level, owner, key)
);

-- One row for a number within a scope. `change` rises in the order of commits: nodes read what is above the one they know.
CREATE TABLE mark (
    number int8 NOT NULL,
    scope  int4 NOT NULL REFERENCES mark_scope,
    active boolean NOT NULL,
    change int8 NOT NULL,
    at     timestamptz NOT NULL,
    PRIMARY KEY (number, scope)
);
CREATE INDEX mark_changed ON mark (change);
CREATE SEQUENCE mark_change;

-- Each change of a mark, for good: when, by what, by whom. `reference`: ids of evidence; `word`: the keyword that a handset sent.
CREATE TABLE mark_event (
    id        int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL,
    number    int8 NOT NULL,
    scope     int4 NOT NULL REFERENCES mark_scope,
    active    boolean NOT NULL,
    source    text NOT NULL,
    word      text NOT NULL DEFAULT '',
    service   text NOT NULL DEFAULT '',       -- the service number that the handset wrote to
    reference text NOT NULL DEFAULT '',
    actor     text NOT NULL,
    reason    text NOT NULL DEFAULT ''
);
CREATE INDEX mark_event_of ON mark_event (number, id);
CREATE FUNCTION keep_mark_events() RETURNS trigger LANGUAGE plpgsql AS $$
-- Who refused, and who took it back when, is evidence: it is added to and never changed.
BEGIN
    RAISE EXCEPTION 'rows of mark_event are never changed or deleted' USING ERRCODE = 'SG002';
END $$;
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON mark_event FOR EACH ROW EXECUTE FUNCTION keep_mark_events();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON mark_event EXECUTE FUNCTION keep_mark_events();

CREATE FUNCTION put_marks(
    p_number int8[], p_scope int4[], p_active boolean[], p_at timestamptz[], p_source text[], p_word text[], p_service text[],
    p_reference text[], p_actor text[], p_reason text[], p_create boolean[])
RETURNS int LANGUAGE plpgsql AS $$
-- Set marks, in the order given; returns how many differ from before. A number stands at most once in a scope of one call.
-- p_create: whether a mark that is not there is made: what a handset takes back has to be there. The caller holds the lock.
DECLARE
    changed int;
BEGIN
    WITH wanted AS (
        SELECT * FROM unnest(p_number, p_scope, p_active, p_at, p_source, p_word, p_service, p_reference, p_actor, p_reason, p_create)
            WITH ORDINALITY AS u(number, scope, active, at, source, word, service, reference, actor, reason, made, place)
    ), differing AS (
        SELECT w.* FROM wanted w LEFT JOIN mark m ON m.number = w.number AND m.scope = w.scope
        WHERE m.active IS DISTINCT FROM w.active AND (m.number IS NOT NULL OR w.made)
    ), written AS (
        INSERT INTO mark (number, scope, active, change, at)
        SELECT d.number, d.scope, d.active, nextval('mark_change'), d.at FROM differing d ORDER BY d.place
        ON CONFLICT (number, scope) DO UPDATE SET active = excluded.active, change = excluded.change, at = excluded.at
        RETURNING 1
    ), noted AS (
        INSERT INTO mark_event (at, number, scope, active, source, word, service, reference, actor, reason)
        SELECT d.at, d.number, d.scope, d.active, d.source, d.word, d.service, d.reference, d.actor, d.reason
        FROM differing d ORDER BY d.place
        RETURNING 1
    )
    SELECT count(*) INTO changed FROM noted;
    IF changed > 0 THEN
        NOTIFY smsgw_marks;
    END IF;
    RETURN changed;
END $$;

-- That a recipient wanted marketing: where and when he said so, and how it can be proved. Kept when it is withdrawn.
CREATE TABLE consent (
    id        int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account   int4 NOT NULL,
    number    int8 NOT NULL,
    source    text NOT NULL,
    given     timestamptz NOT NULL,
    proof     text NOT NULL,
    actor     text NOT NULL,
    at        timestamptz NOT NULL DEFAULT now(),
    withdrawn timestamptz,
    withdrawn_by text NOT NULL DEFAULT '',
    withdrawn_why text NOT NULL DEFAULT '',
    UNIQUE (account, number, given, source)
);
CREATE INDEX consent_of ON consent (number, account);

CREATE TABLE complaint (
    id        int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source    text NOT NULL CHECK (source IN ('12321', 'carrier', 'tenant', 'end_user')),
    number    int8 NOT NULL,
    masked    text NOT NULL,
    day       date NOT NULL,                  -- the day of the message that is complained of
    received  timestamptz NOT NULL DEFAULT now(),
    due       date NOT NULL,
    blocked   text NOT NULL DEFAULT '',       -- the block list that the number was put on: platform, account, or none
    reference text NOT NULL DEFAULT '',       -- the number of whoever passed it on
    note      text NOT NULL DEFAULT '',
    actor     text NOT NULL,
    outcome   text NOT NULL DEFAULT '',
    closed    timestamptz,
    closed_by text NOT NULL DEFAULT ''
);
CREATE INDEX complaint_open ON complaint (due) WHERE closed IS NULL;
CREATE INDEX complaint_received ON complaint (received);
CREATE UNIQUE INDEX complaint_reference ON complaint (source, reference) WHERE reference <> '';

-- The messages that a complaint was found to mean. signature: of the text, where it has one.
CREATE TABLE complaint_message (
    complaint int8 NOT NULL REFERENCES complaint,
    message   int8 NOT NULL,
    account   int4 NOT NULL,
    tenant    int4 NOT NULL,
    sender    text NOT NULL,
    signature text NOT NULL DEFAULT '',
    PRIMARY KEY (complaint, message)
);
CREATE INDEX complaint_message_account ON complaint_message (account);
