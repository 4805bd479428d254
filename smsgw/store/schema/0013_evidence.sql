-- Evidence: the audit as a chain of hashes, how long content is kept and who may not lose it, what was purged, what was reported.

-- The audit as a chain ----------------------------------------------------------------------------------------------
-- Each row has its place, the hash of the row before it, and its own: SHA-256 of the hash before it, its place (8 octets, big-endian)
-- and the SHA-256 of its content. smsgw.store.chain says the same in Python, so that a reader need not trust this database.
ALTER TABLE audit ADD COLUMN number int8, ADD COLUMN previous bytea, ADD COLUMN hash bytea;
CREATE UNIQUE INDEX audit_number ON audit (number);
CREATE INDEX audit_unchained ON audit (id) WHERE hash IS NULL;
CREATE INDEX audit_name ON audit (name, id);

-- The newest place and hash. Whoever adds rows holds this row from its COMMIT's beginning to its end: that makes the order.
CREATE TABLE audit_head (
    one    boolean PRIMARY KEY DEFAULT true CHECK (one),
    number int8  NOT NULL,
    hash   bytea NOT NULL
) WITH (fillfactor = 50);
INSERT INTO audit_head (number, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

CREATE FUNCTION audit_content(a audit) RETURNS bytea LANGUAGE sql STABLE AS $$
-- The SHA-256 of what a row says: each field as its length in octets, a colon and itself, or as a dash where it is NULL.
    SELECT sha256(convert_to(string_agg(CASE WHEN u.field IS NULL THEN '-' ELSE octet_length(u.field) || ':' || u.field END,
                                        ',' ORDER BY u.n), 'UTF8'))
    FROM unnest(ARRAY[a.id::text, (extract(epoch FROM a.at) * 1000000)::int8::text, a.actor, a.kind, a.name, a.old::text, a.new::text,
                      a.reason]) WITH ORDINALITY AS u(field, n)
$$;

CREATE FUNCTION chain_audit() RETURNS trigger LANGUAGE plpgsql AS $$
-- At the COMMIT that brings rows, all of them at once: no lock of this is held while any other one is waited for. A transaction that
-- reads an old snapshot (repeatable read) may find the head moved on, and fails then: it is for reading.
DECLARE
    head  audit_head;
    fresh audit;
    own   bytea;
BEGIN
    PERFORM 1 FROM audit a WHERE a.id = NEW.id AND a.hash IS NULL;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT * INTO STRICT head FROM audit_head FOR UPDATE;
    FOR fresh IN SELECT * FROM audit a WHERE a.hash IS NULL ORDER BY a.id LOOP
        head.number := head.number + 1;
        own := sha256(head.hash || int8send(head.number) || audit_content(fresh));
        UPDATE audit a SET number = head.number, previous = head.hash, hash = own WHERE a.id = fresh.id;
        head.hash := own;
    END LOOP;
    UPDATE audit_head h SET number = head.number, hash = head.hash;
    RETURN NULL;
END $$;

DO $$
DECLARE
    head audit_head;
    old  audit;
    own  bytea;
BEGIN
    SELECT * INTO STRICT head FROM audit_head;
    FOR old IN SELECT * FROM audit a ORDER BY a.id LOOP
        head.number := head.number + 1;
        own := sha256(head.hash || int8send(head.number) || audit_content(old));
        UPDATE audit a SET number = head.number, previous = head.hash, hash = own WHERE a.id = old.id;
        head.hash := own;
    END LOOP;
    UPDATE audit_head h SET number = head.number, hash = head.hash;
END $$;

CREATE CONSTRAINT TRIGGER chain AFTER INSERT ON audit DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION chain_audit();

CREATE FUNCTION keep_evidence() RETURNS trigger LANGUAGE plpgsql AS $$
-- What was written down stays as it is.
BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted: they are evidence', TG_TABLE_NAME USING ERRCODE = 'SG002';
END $$;
-- A row gets its place in the chain once, in the transaction that brings it.
CREATE TRIGGER keep_update BEFORE UPDATE ON audit FOR EACH ROW
    WHEN (OLD.hash IS NOT NULL OR (NEW.id, NEW.at, NEW.actor, NEW.kind, NEW.name, NEW.old, NEW.new, NEW.reason)
          IS DISTINCT FROM (OLD.id, OLD.at, OLD.actor, OLD.kind, OLD.name, OLD.old, OLD.new, OLD.reason))
    EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_rows BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON audit EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_rows BEFORE DELETE ON audit_head FOR EACH ROW EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON audit_head EXECUTE FUNCTION keep_evidence();

-- Retention ---------------------------------------------------------------------------------------------------------
-- How long what accounts' messages say is kept, and the numbers of their messages. A class for each, for good: content of it is
-- still to be dropped in its time when nobody names it any more (`live` false).
CREATE TABLE retention (
    name         text PRIMARY KEY,
    class        int2 GENERATED ALWAYS AS IDENTITY UNIQUE,
    profile      text NOT NULL CHECK (profile IN ('cn_port', 'eu_min', 'custom')),
    content_h    int4 NOT NULL CHECK (content_h >= 0),
    numbers_days int4 NOT NULL DEFAULT 0,     -- after so many days hashes take the place of numbers; 0: never
    encrypted    boolean NOT NULL DEFAULT false,
    live         boolean NOT NULL DEFAULT true,
    hashed_till  int8 NOT NULL DEFAULT 0,     -- messages before this id have been looked at, of these accounts
    hashed_of    int4[] NOT NULL DEFAULT '{}',
    left_open    int8[] NOT NULL DEFAULT '{}' -- those of them that were still open then
);

CREATE FUNCTION put_retention(p_name text, p_profile text, p_content_h int4, p_numbers_days int4, p_encrypted boolean)
RETURNS void LANGUAGE plpgsql AS $$
-- Make or change one. The partitions of a new class are made before they are attached: nobody who writes waits for that.
DECLARE
    klass int2;
    today int8 := (extract(epoch FROM clock_timestamp())::int8 / 86400 - 1735689600 / 86400);
    day   int8 := 86400000::int8 << 22;
    named text;
BEGIN
    INSERT INTO retention AS r (name, profile, content_h, numbers_days, encrypted)
    VALUES (p_name, p_profile, p_content_h, p_numbers_days, p_encrypted)
    ON CONFLICT (name) DO UPDATE SET profile = excluded.profile, content_h = excluded.content_h,
        numbers_days = excluded.numbers_days, encrypted = excluded.encrypted, live = true
    RETURNING r.class INTO klass;
    named := format('content_%s', klass);
    IF to_regclass(named) IS NULL THEN
        EXECUTE format('CREATE TABLE %I (LIKE content INCLUDING DEFAULTS INCLUDING CONSTRAINTS) PARTITION BY RANGE (id)', named);
        EXECUTE format('CREATE TABLE %I PARTITION OF %I DEFAULT', named || '_default', named);
        FOR n IN today - 1 .. today + 7 LOOP
            EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%s) TO (%s)',
                           named || '_' || to_char(date '2025-01-01' + n::int, 'YYYYMMDD'), named, n * day, (n + 1) * day);
        END LOOP;
        EXECUTE format('ALTER TABLE content ATTACH PARTITION %I FOR VALUES IN (%s)', named, klass);
    END IF;
    INSERT INTO partitioned (parent, retention_days) VALUES (named, (p_content_h + 23) / 24)
    ON CONFLICT (parent) DO UPDATE SET retention_days = excluded.retention_days;
END $$;

-- Whose messages must not be lost, whatever the retention says, until somebody releases them.
CREATE TABLE legal_hold (
    id          int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant      int4 NOT NULL,
    account     int4,                         -- NULL: all of the tenant
    from_id     int8 NOT NULL,
    until_id    int8 NOT NULL,                -- the first id that is not meant
    reason      text NOT NULL,
    actor       text NOT NULL,
    at          timestamptz NOT NULL DEFAULT now(),
    released_at timestamptz,
    CHECK (from_id < until_id)
);
CREATE INDEX legal_hold_tenant ON legal_hold (tenant) WHERE released_at IS NULL;

CREATE FUNCTION legally_held(p_tenant int4, p_account int4, p_id int8) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM legal_hold h WHERE h.released_at IS NULL AND h.tenant = p_tenant
                   AND (h.account IS NULL OR h.account = p_account) AND p_id >= h.from_id AND p_id < h.until_id)
$$;

-- What is left of content that somebody had purged: that it was there, and the SHA-256 of it.
CREATE TABLE tombstone (
    message int8  PRIMARY KEY,
    octets  int4  NOT NULL,
    sha256  bytea NOT NULL,
    actor   text  NOT NULL,
    reason  text  NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON tombstone FOR EACH ROW EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON tombstone EXECUTE FUNCTION keep_evidence();

-- What was written for an authority, and under which hash.
CREATE TABLE authority_report (
    id         int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind       text NOT NULL CHECK (kind IN ('tenant', 'account')),
    name       text NOT NULL,
    tenant     int4 NOT NULL,
    from_id    int8 NOT NULL,
    until_id   int8 NOT NULL,
    authority  text NOT NULL,
    reference  text NOT NULL,
    frozen     boolean NOT NULL,
    sha256     text NOT NULL,                 -- of its manifest
    actor      text NOT NULL,
    reported_at timestamptz NOT NULL DEFAULT now()
);
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON authority_report FOR EACH ROW EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON authority_report EXECUTE FUNCTION keep_evidence();
