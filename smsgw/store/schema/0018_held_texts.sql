-- Held texts (0010) are counted for their recipients (0012) once, whoever lets them go, a person too. And all parts of a cycle are put to
-- their texts at once: one by one they cost PostgreSQL more than all else that is done for them.

ALTER TABLE held_text
    ADD COLUMN counted boolean NOT NULL DEFAULT false,  -- its recipient's caps have been asked
    ADD COLUMN numbers int2[] NOT NULL DEFAULT '{}';    -- which of its parts have come
UPDATE held_text h SET counted = h.state > 1 AND (h.actor = '' OR h.done),
    numbers = ARRAY(SELECT DISTINCT p.part FROM held_part p WHERE p.text = h.id);

-- Whoever puts a part has its text before him, and forget_held() takes both: to look each text up once more cost a tenth of it all.
ALTER TABLE held_part DROP CONSTRAINT held_part_text_fkey;

CREATE FUNCTION hold_at_once(
    h_message int8[], h_account int4[], h_key text[], h_part int2[], h_total int2[], h_due int8[], h_hash text[],
    p_refused int8[], p_now_ms int8
) RETURNS int8[] LANGUAGE plpgsql AS $$
-- Put held messages to their texts; returns the texts that are now to be judged: those that are whole, in which a part contradicts
-- another, or of which a part comes after the verdict. Whoever judges them has two seconds; then they are anybody's. The balance of
-- the tenant is locked, so no other node puts parts of the same account now. Texts to which a part comes that is there already, or
-- comes twice, are left to hold_in_order(); all others are put at once, by keys, whatever the planner takes the tables for.
DECLARE
    odd   uuid[];
    ready int8[];
BEGIN
    SELECT coalesce(array_agg(g.key), '{}') INTO odd
    FROM (SELECT u.key::uuid AS key, array_agg(u.part) AS numbers, count(*) > count(DISTINCT u.part) AS twice
          FROM unnest(h_message, h_key, h_part, h_total) AS u(message, key, part, total)
          WHERE u.total > 1 AND u.message <> ALL (p_refused) GROUP BY u.key) g
    WHERE g.twice OR (SELECT h.numbers FROM held_text h WHERE h.key = g.key AND h.joins) && g.numbers;
    WITH p AS (
        SELECT u.message, u.account, nullif(u.key, '')::uuid AS key, u.part, u.total, u.due, nullif(u.hash, '')::uuid AS hash, u.n
        FROM unnest(h_message, h_account, h_key, h_part, h_total, h_due, h_hash) WITH ORDINALITY
            AS u(message, account, key, part, total, due, hash, n)
        WHERE u.message <> ALL (p_refused) AND (u.total = 1 OR u.key::uuid <> ALL (odd))
    ), t AS (
        INSERT INTO held_text AS h (id, account, key, total, parts, numbers, complete, joins, due_ms, since_ms)
        SELECT (array_agg(p.message ORDER BY p.n))[1], p.account, p.key, p.total, count(*), array_agg(p.part),
               count(*) = p.total, count(*) < p.total, CASE WHEN count(*) = p.total THEN p_now_ms + 2000 ELSE min(p.due) END, p_now_ms
        FROM p GROUP BY p.account, p.key, p.total, CASE WHEN p.total = 1 THEN p.message END ORDER BY min(p.n)
        ON CONFLICT (key) WHERE joins DO UPDATE SET
            parts = h.parts + excluded.parts, numbers = h.numbers || excluded.numbers, done = false,
            complete = NOT h.conflict AND cardinality(h.numbers || excluded.numbers) = h.total,
            joins = h.state > 0 OR h.conflict OR cardinality(h.numbers || excluded.numbers) < h.total,
            due_ms = CASE WHEN h.state = 1 THEN h.due_ms
                          WHEN h.state > 1 OR h.conflict OR cardinality(h.numbers || excluded.numbers) = h.total THEN p_now_ms + 2000
                          ELSE least(h.due_ms, excluded.due_ms) END
        RETURNING h.id, h.key, h.complete OR h.conflict OR h.state > 1 AS ready
    ), put AS (
        INSERT INTO held_part (message, text, part, hash)
        SELECT p.message, coalesce(t.id, p.message), p.part, p.hash FROM p LEFT JOIN t ON t.key = p.key
    ) SELECT coalesce(array_agg(t.id ORDER BY t.id), '{}') INTO ready FROM t WHERE t.ready;
    IF odd <> '{}' THEN
        ready := ready || hold_in_order(h_message, h_account, h_key, h_part, h_total, h_due, h_hash, p_refused, p_now_ms, odd);
    END IF;
    RETURN ready;
END $$;

CREATE FUNCTION hold_in_order(
    h_message int8[], h_account int4[], h_key text[], h_part int2[], h_total int2[], h_due int8[], h_hash text[],
    p_refused int8[], p_now_ms int8, p_keys uuid[]
) RETURNS int8[] LANGUAGE plpgsql AS $$
-- That of 0010 for the parts of these texts: put them in the order in which they came. A text that was whole, or that has this part
-- already and was decided, is over: its reference stands for another text now.
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
        WHERE u.message <> ALL (p_refused) AND u.total > 1 AND u.key::uuid = ANY (p_keys) ORDER BY u.n
    LOOP
        t := NULL;
        there := false;
        SELECT * INTO t FROM held_text h WHERE h.key = p.key::uuid AND h.joins FOR UPDATE;
        IF t.id IS NOT NULL THEN
            there := p.part = ANY (t.numbers);
            IF there AND t.state <> 0 THEN
                UPDATE held_text SET joins = false WHERE id = t.id;
                t := NULL;
                there := false;
            END IF;
        END IF;
        IF t.id IS NULL THEN
            INSERT INTO held_text (id, account, key, total, joins, due_ms, since_ms)
            VALUES (p.message, p.account, p.key::uuid, p.total, true, p.due, p_now_ms) RETURNING * INTO t;
        END IF;
        IF there THEN
            SELECT h.hash INTO twin FROM held_part h WHERE h.text = t.id AND h.part = p.part LIMIT 1;
            t.conflict := t.conflict OR twin IS DISTINCT FROM p.hash::uuid;
        ELSE
            t.numbers := t.numbers || p.part;
        END IF;
        INSERT INTO held_part (message, text, part, hash) VALUES (p.message, t.id, p.part, nullif(p.hash, '')::uuid);
        t.parts := t.parts + 1;
        t.due_ms := CASE WHEN t.state = 0 THEN least(t.due_ms, p.due) ELSE t.due_ms END;
        t.complete := NOT t.conflict AND t.total = cardinality(t.numbers);
        IF t.complete OR t.conflict OR t.state > 1 THEN
            ready := ready || t.id;
            t.due_ms := CASE WHEN t.state = 1 THEN t.due_ms ELSE p_now_ms + 2000 END;
        END IF;
        UPDATE held_text SET parts = t.parts, numbers = t.numbers, due_ms = t.due_ms, conflict = t.conflict, complete = t.complete,
               joins = joins AND NOT (t.complete AND t.state = 0), done = false
        WHERE id = t.id;
    END LOOP;
    RETURN ready;
END $$;

-- It takes the place of 0010's function: hold(), or hold_parts() where hold() has come to do more and calls it so.
DO $$
DECLARE
    takes text := '(int8[], int4[], text[], int2[], int2[], int8[], text[], int8[], int8)';
    name  text := CASE WHEN to_regprocedure('hold_parts' || takes) IS NULL THEN 'hold' ELSE 'hold_parts' END;
BEGIN
    EXECUTE format('DROP FUNCTION %I%s', name, takes);
    EXECUTE format('ALTER FUNCTION hold_at_once%s RENAME TO %I', takes, name);
END $$;

CREATE FUNCTION forget_held(p_now_ms int8, p_limit int4) RETURNS int4 LANGUAGE plpgsql SET enable_seqscan = off AS $$
-- Drop texts that are done and whose late parts are waited for no longer, with their parts, the oldest first; returns how many.
DECLARE
    gone int8[];
BEGIN
    SELECT coalesce(array_agg(l.id), '{}') INTO gone FROM (
        SELECT id FROM held_text WHERE done AND forget_ms <= p_now_ms AND state > 1
        ORDER BY forget_ms LIMIT p_limit FOR UPDATE SKIP LOCKED) l;
    DELETE FROM held_part WHERE text = ANY (gone);
    DELETE FROM held_text WHERE id = ANY (gone);
    RETURN cardinality(gone);
END $$;

DROP FUNCTION decide_capped(int8[], int4[], int2[], int2[], int8[], int8[], int8[], text[], text[], int8[], int8[], text[]);

CREATE FUNCTION decide_capped(
    d_id int8[], d_parts int4[], d_was int2[], d_state int2[], d_due int8[], d_forget int8[], d_error int8[], d_reason text[],
    d_rule text[], d_counts boolean[], f_caps int8[], f_error int8[], f_rule text[]
) RETURNS jsonb LANGUAGE plpgsql AS $$
-- That of 0012 with d_counts and counted: let verdicts fall on held texts of which some are counted by caps (f_caps, with the text for
-- the message; f_error and f_rule: what is told of a text that is over it), all in one statement, so that nobody holds a counter while
-- it waits for a network. A verdict that counts falls only where nobody has counted. Counters are locked before texts, as in cycle(),
-- and a text that somebody else has locked is left alone. Returns {fell: [id, …], refused, over}.
DECLARE
    told jsonb;
    fell int8[];
    full_ids int8[];
BEGIN
    PERFORM lock_caps(d_id, f_caps);
    SELECT coalesce(array_agg(l.id), '{}') INTO fell FROM (
        SELECT h.id FROM held_text h JOIN unnest(d_id, d_parts, d_was, d_counts) AS d(id, parts, was, counts)
            ON h.id = d.id AND h.parts = d.parts AND h.state = d.was AND NOT (d.counts AND h.counted)
        ORDER BY h.id FOR UPDATE OF h SKIP LOCKED) l;
    told := caps_in_order(ARRAY(SELECT d.id FROM unnest(d_id) WITH ORDINALITY AS d(id, n) WHERE d.id = ANY (fell) ORDER BY d.n),
                          f_caps, ARRAY(SELECT DISTINCT f.key FROM capped(f_caps) AS f));
    SELECT coalesce(array_agg((r ->> 0)::int8), '{}') INTO full_ids FROM jsonb_array_elements(told -> 'refused') AS r;
    UPDATE held_text h SET state = u.state, judged = h.parts, due_ms = u.due, forget_ms = u.forget, error = u.error,
           reason = u.reason, rule = u.rule, counted = h.counted OR u.counts
    FROM (
        SELECT d.id, d.due, d.forget, d.counts, CASE WHEN o.n IS NULL THEN d.state ELSE 3 END AS state,
               CASE WHEN o.n IS NULL THEN d.error ELSE f_error[o.n] END AS error,
               CASE WHEN o.n IS NULL THEN d.reason ELSE 'frequency' END AS reason,
               CASE WHEN o.n IS NULL THEN d.rule ELSE f_rule[o.n] END AS rule
        FROM unnest(d_id, d_state, d_due, d_forget, d_error, d_reason, d_rule, d_counts)
            AS d(id, state, due, forget, error, reason, rule, counts)
        LEFT JOIN (SELECT f.message, f.n FROM jsonb_array_elements(told -> 'refused') AS r
                   JOIN capped(f_caps) AS f ON f.message = (r ->> 0)::int8 AND f.cap = (r ->> 2)::int8) o ON o.message = d.id
    ) u WHERE h.id = u.id AND h.id = ANY (fell);
    PERFORM count_caps(ARRAY(SELECT f FROM unnest(fell) AS f WHERE f <> ALL (full_ids)), f_caps);
    RETURN told || jsonb_build_object('fell', to_jsonb(fell));
END $$;
