-- Held messages: parts of long texts, kept until the whole can be judged, and what a person has to look at. The unit of
-- work that writes them, by hold(), is in 0012; its answer may say `held` [id, …]: texts that are now to be judged.

-- A text: all parts of a long message, or a message by itself. Its id is that of the first of its messages to come. `due_ms`: when
-- somebody has to look at it again, whoever comes first; 0: nobody. Who does moves it on, so that others leave it alone meanwhile.
CREATE TABLE held_text (
    id       int8 PRIMARY KEY,
    account  int4 NOT NULL,
    key      uuid,                            -- keyed hash of account, addresses, reference, width and total; NULL: no long message
    total    int2 NOT NULL,
    parts    int4 NOT NULL DEFAULT 0,         -- messages of it so far
    judged   int4 NOT NULL DEFAULT 0,         -- how many of them the verdict was about
    joins    boolean NOT NULL,                -- whether more parts may come to it
    complete boolean NOT NULL DEFAULT false,
    conflict boolean NOT NULL DEFAULT false,  -- one part came twice, with other octets
    state    int2 NOT NULL DEFAULT 0,         -- 0 open, 1 in review, 2 released, 3 refused, 4 expired
    due_ms   int8 NOT NULL,
    since_ms int8 NOT NULL,
    error    int8 NOT NULL DEFAULT 0,         -- refused: the status that its receipts tell
    reason   text NOT NULL DEFAULT '',
    rule     text NOT NULL DEFAULT '',        -- set@version:rule:span
    actor    text NOT NULL DEFAULT '',        -- who decided; '': smsgw itself
    done     boolean NOT NULL DEFAULT false,  -- its messages have gone the way of the verdict
    forget_ms int8 NOT NULL DEFAULT 0         -- decided: until when a part that comes late shares the verdict
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 2000);
CREATE UNIQUE INDEX held_text_key ON held_text (key) WHERE joins;
CREATE INDEX held_text_due ON held_text (due_ms) WHERE due_ms > 0;
CREATE INDEX held_text_open ON held_text (account) WHERE state < 2;
CREATE INDEX held_text_done ON held_text (forget_ms) WHERE done;
CREATE TABLE held_part (
    message int8 PRIMARY KEY,
    text    int8 NOT NULL REFERENCES held_text ON DELETE CASCADE,
    part    int2 NOT NULL,
    hash    uuid                              -- of coding and octets
);
CREATE INDEX held_part_text ON held_part (text);

CREATE FUNCTION hold(
    h_message int8[], h_account int4[], h_key text[], h_part int2[], h_total int2[], h_due int8[], h_hash text[],
    p_refused int8[], p_now_ms int8
) RETURNS int8[] LANGUAGE plpgsql AS $$
-- Put held messages to their texts, in the order in which they came; returns the texts that are now to be judged: those that are
-- whole, in which a part contradicts another, or of which a part comes after the verdict. Whoever judges them has two seconds;
-- then they are anybody's. The balance of the tenant is locked, so no other node puts parts of the same account now.
-- A text that was whole, or that has this part already and was decided, is over: its reference stands for another text now.
DECLARE
    p     record;
    t     held_text;
    twin  uuid;
    there boolean;
    ready int8[] := '{}';
BEGIN
    FOR p IN
        SELECT * FROM unnest(h_message, h_account, h_key, h_part, h_total, h_due, h_hash) WITH ORDINALITY
            AS u(message, account, key, part, total, due, hash, n)
        WHERE u.message <> ALL (p_refused) ORDER BY u.n
    LOOP
        t := NULL;
        there := false;
        IF p.total > 1 THEN
            SELECT * INTO t FROM held_text h WHERE h.key = p.key::uuid AND h.joins FOR UPDATE;
            IF t.id IS NOT NULL THEN
                SELECT h.hash INTO twin FROM held_part h WHERE h.text = t.id AND h.part = p.part LIMIT 1;
                there := FOUND;
                IF there AND t.state <> 0 THEN
                    UPDATE held_text SET joins = false WHERE id = t.id;
                    t := NULL;
                    there := false;
                END IF;
            END IF;
        END IF;
        IF t.id IS NULL THEN
            INSERT INTO held_text (id, account, key, total, joins, due_ms, since_ms)
            VALUES (p.message, p.account, nullif(p.key, '')::uuid, p.total, p.total > 1, p.due, p_now_ms) RETURNING * INTO t;
        END IF;
        INSERT INTO held_part (message, text, part, hash) VALUES (p.message, t.id, p.part, nullif(p.hash, '')::uuid);
        t.parts := t.parts + 1;
        t.due_ms := CASE WHEN t.state = 0 THEN least(t.due_ms, p.due) ELSE t.due_ms END;
        t.conflict := t.conflict OR there AND twin <> p.hash::uuid;
        t.complete := t.total = 1
            OR NOT t.conflict AND t.total = (SELECT count(DISTINCT h.part) FROM held_part h WHERE h.text = t.id);
        IF t.complete OR t.conflict OR t.state > 1 THEN
            ready := ready || t.id;
            t.due_ms := CASE WHEN t.state = 1 THEN t.due_ms ELSE p_now_ms + 2000 END;
        END IF;
        UPDATE held_text SET parts = t.parts, due_ms = t.due_ms, conflict = t.conflict, complete = t.complete,
               joins = joins AND NOT (t.complete AND t.state = 0), done = false
        WHERE id = t.id;
    END LOOP;
    RETURN ready;
END $$;
