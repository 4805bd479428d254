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
