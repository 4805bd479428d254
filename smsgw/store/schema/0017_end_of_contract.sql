-- What recipients said, as a chain of hashes; their numbers as people may see them; and the end of a contract: what was deleted.

-- Marks as a chain --------------------------------------------------------------------------------------------------
-- One link for each row of mark_event: SHA-256 of the hash before it, its place (8 octets, big-endian) and the SHA-256 of what the row
-- says. smsgw.store.mark_chain says the same in Python. What the row said stays here as its hash alone when the row is purged.
CREATE TABLE mark_link (
    place   int8  PRIMARY KEY,
    event   int8  NOT NULL UNIQUE,
    content bytea NOT NULL,
    hash    bytea NOT NULL
);
CREATE TABLE mark_head (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    place int8  NOT NULL,
    hash  bytea NOT NULL
) WITH (fillfactor = 50);
INSERT INTO mark_head (place, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

CREATE FUNCTION mark_content(e mark_event) RETURNS bytea LANGUAGE sql STABLE AS $$
-- The SHA-256 of what a row says, with the scope that it names: numbers as they are, words as their length in octets, a colon, themselves.
    SELECT sha256(convert_to(concat_ws(',',
        e.id, (extract(epoch FROM e.at) * 1000000)::int8, e.number, e.active::int, s.owner,
        octet_length(s.kind) || ':' || s.kind, octet_length(s.level) || ':' || s.level, octet_length(s.key) || ':' || s.key,
        octet_length(e.source) || ':' || e.source, octet_length(e.word) || ':' || e.word,
        octet_length(e.service) || ':' || e.service, octet_length(e.reference) || ':' || e.reference,
        octet_length(e.actor) || ':' || e.actor, octet_length(e.reason) || ':' || e.reason), 'UTF8'))
    FROM mark_scope s WHERE s.id = e.scope
$$;

CREATE FUNCTION chain_marks() RETURNS trigger LANGUAGE plpgsql AS $$
-- With the statement that brings rows, all of them at once: hundreds of keywords are one statement, and cost one head. Whoever sets
-- marks holds their lock to his COMMIT (store.marks), so that the head is never waited for.
DECLARE
    head  mark_head;
    fresh mark_event;
    said  bytea;
BEGIN
    SELECT * INTO STRICT head FROM mark_head FOR UPDATE;
    FOR fresh IN SELECT * FROM brought b ORDER BY b.id LOOP
        head.place := head.place + 1;
        said := mark_content(fresh);
        head.hash := sha256(head.hash || int8send(head.place) || said);
        INSERT INTO mark_link (place, event, content, hash) VALUES (head.place, fresh.id, said, head.hash);
    END LOOP;
    UPDATE mark_head h SET place = head.place, hash = head.hash;
    RETURN NULL;
END $$;

-- Other nodes go on meanwhile: what one of them notes now waits, and is chained by the trigger.
LOCK TABLE mark_event IN SHARE ROW EXCLUSIVE MODE;

DO $$
DECLARE
    head mark_head;
    old  mark_event;
    said bytea;
BEGIN
    SELECT * INTO STRICT head FROM mark_head;
    FOR old IN SELECT * FROM mark_event e ORDER BY e.id LOOP
        head.place := head.place + 1;
        said := mark_content(old);
        head.hash := sha256(head.hash || int8send(head.place) || said);
        INSERT INTO mark_link (place, event, content, hash) VALUES (head.place, old.id, said, head.hash);
    END LOOP;
    UPDATE mark_head h SET place = head.place, hash = head.hash;
END $$;

CREATE TRIGGER chain AFTER INSERT ON mark_event REFERENCING NEW TABLE AS brought FOR EACH STATEMENT EXECUTE FUNCTION chain_marks();
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON mark_link FOR EACH ROW EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON mark_link EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_rows BEFORE DELETE ON mark_head FOR EACH ROW EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON mark_head EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON mark_scope FOR EACH ROW EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON mark_scope EXECUTE FUNCTION keep_evidence();

-- Rows of mark_event that went with the end of a contract, in the page (an audit row of it names its rows and their digest) that
-- took them. Nothing else may go.
CREATE TABLE mark_gone (
    event int8 PRIMARY KEY REFERENCES mark_link (event),
    page  int8 NOT NULL
);
CREATE INDEX mark_gone_page ON mark_gone (page);
CREATE SEQUENCE mark_gone_page_number;
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON mark_gone FOR EACH ROW EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON mark_gone EXECUTE FUNCTION keep_evidence();
CREATE FUNCTION mark_may_go(p_event int8) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT FROM mark_gone g WHERE g.event = p_event)
$$;
DROP TRIGGER keep_rows ON mark_event;
CREATE TRIGGER keep_update BEFORE UPDATE ON mark_event FOR EACH ROW EXECUTE FUNCTION keep_mark_events();
CREATE TRIGGER keep_rows BEFORE DELETE ON mark_event FOR EACH ROW WHEN (NOT mark_may_go(OLD.id)) EXECUTE FUNCTION keep_mark_events();
CREATE INDEX mark_event_scope ON mark_event (scope, id);
CREATE INDEX mark_scope_owner ON mark_scope (owner);

-- Numbers on record as people may see them, their middle hidden: one row for each, whoever has marks or consents of it.
CREATE TABLE recipient_mask (
    number int8 PRIMARY KEY,
    masked text NOT NULL
);

-- The end of a contract ---------------------------------------------------------------------------------------------
-- What was deleted of a tenant so far, by kind: added to in the transaction that deletes.
CREATE TABLE purge_done (
    tenant   int4 NOT NULL,
    kind     text NOT NULL,
    rows     int8 NOT NULL,
    first_at timestamptz NOT NULL,            -- of what was deleted: the oldest, the newest
    last_at  timestamptz NOT NULL,
    PRIMARY KEY (tenant, kind)
);

-- What was certified: canonical JSON, its hash and its signature.
CREATE TABLE deletion_certificate (
    id        int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant    int4 NOT NULL,
    name      text NOT NULL,
    content   text NOT NULL,
    sha256    text NOT NULL,
    signature bytea NOT NULL,
    public    bytea NOT NULL,
    at        timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX deletion_certificate_of ON deletion_certificate (name, id);
CREATE TRIGGER keep_rows BEFORE UPDATE OR DELETE ON deletion_certificate FOR EACH ROW EXECUTE FUNCTION keep_evidence();
CREATE TRIGGER keep_table BEFORE TRUNCATE ON deletion_certificate EXECUTE FUNCTION keep_evidence();
