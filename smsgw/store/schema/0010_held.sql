-- Held messages: parts of long texts, kept until the whole can be judged, and what a person has to look at. And the unit of work
-- that writes them. Its answer may say `held` [id, …]: texts that are now to be judged.

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

DROP FUNCTION cycle(int4, int8, int8, int4, int8, int8, bytea, int8[], int4[], int4[], int2[], int2[], int2[], int2[], int2[],
    int2[], int4[], int4[], int8[], int8[], text[], text[], int4[], int4[], int4[], int2[], int8[], int8[], int8[], int8[],
    int8[], int8[], int4[], text[], int8[], int8[], int4[], text[], int8[], int4[], int2[], int2[], int2[], int4[], int8[],
    int8[], int8[], int8[], int4[], text[], int8[], int4[], int8[], int2[], int4[], int4[], int8[], int4[], int4[], int8[],
    int8[], int2[], int8[], int4[], int4[], int4[], int8[], int4[], int2[], int8[], int8[], int4[], int8[], int4[], int4[],
    int8, int4[], int8[], text[], text[], int8[], int4[], int4[], text[], int8[], int4[], int4[], int8[]);

CREATE FUNCTION cycle(
    p_node int4, p_epoch int8, p_seq int8, p_day int4, p_low_water int8, p_last_ms int8, p_blob bytea,
    -- new messages, in arrival order
    n_id int8[], n_tenant int4[], n_account int4[], n_state int2[], n_mode int2[], n_basis int2[], n_registered int2[],
    n_parts int2[], n_attempt int2[], n_command int4[], n_link int4[], n_price int8[], n_expires int8[], n_source text[],
    n_destination text[], n_at int4[], n_length int4[], n_class int2[],
    -- quotas of their accounts, a row for each window that one of them falls into; their places in duplicate windows
    q_account int4[], q_span int2[], q_since int8[], q_start int8[], q_till int8[], q_messages int8[], q_parts int8[],
    u_message int8[], u_account int4[], u_hash text[], u_expires int8[],
    s_message int8[], s_account int4[], s_short text[],
    -- those of them that are held: parts of long texts, and single ones that a person has to look at
    h_message int8[], h_account int4[], h_key text[], h_part int2[], h_total int2[], h_due int8[], h_hash text[],
    -- changes
    c_id int8[], c_rev int4[], c_state int2[], c_attempt int2[], c_resends int2[], c_link int4[], c_error int8[],
    c_sent int8[], c_done int8[], c_refund int8[], c_tenant int4[], c_upstream text[],
    -- owed: new ones (message 0: not of a message), done ones, put back ones (node 0: free)
    o_id int8[], o_account int4[], o_message int8[], o_kind int2[], o_command int4[], o_node int4[], o_expires int8[],
    o_at int4[], o_length int4[],
    d_id int8[],
    b_id int8[], b_tries int2[], b_due int8[], b_node int4[],
    l_account int4[], l_count int4[],
    -- waiting: put, taken out, claimed; references; orphans
    w_id int8[], w_link int4[], w_state int2[], w_due int8[], w_expires int8[], w_node int4[],
    x_id int8[],
    k_link int4[], k_count int4[],
    r_at int8, r_link int4[], r_message int8[], r_upstream text[], r_destination text[],
    p_id int8[], p_link int4[], p_command int4[], p_upstream text[], p_expires int8[], p_at int4[], p_length int4[],
    g_id int8[]
) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    result   jsonb := '{}';
    refused  jsonb := '[]';
    out_ids  int8[] := '{}';
    applied  int8[];
    missing  int8[] := '{}';
    found_id int8[];
    n        int;
    now_ms   int8 := (extract(epoch FROM clock_timestamp()) * 1000)::int8;
BEGIN
    INSERT INTO commit_token (node, epoch, seq) VALUES (p_node, p_epoch, p_seq) ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        SELECT t.answer INTO result FROM commit_token t WHERE t.node = p_node AND t.epoch = p_epoch AND t.seq = p_seq;
        RETURN result;
    END IF;
    PERFORM 1 FROM node WHERE id = p_node AND epoch = p_epoch FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'node % was taken over: epoch % has passed', p_node, p_epoch USING ERRCODE = 'SG001';
    END IF;

    -- changes first: their refunds may pay for what is new
    IF cardinality(c_id) > 0 THEN
        WITH done AS (
            UPDATE message m SET
                rev = m.rev + 1, state = c.state, attempt = c.attempt, resends = c.resends, link = c.link, error = c.error,
                sent_ms = c.sent, done_ms = c.done, refund = c.refund, upstream_id = c.upstream
            FROM unnest(c_id, c_rev, c_state, c_attempt, c_resends, c_link, c_error, c_sent, c_done, c_refund, c_upstream)
                AS c(id, rev, state, attempt, resends, link, error, sent, done, refund, upstream)
            WHERE m.id = c.id AND m.rev = c.rev
            RETURNING m.id
        ) SELECT array_agg(id) INTO applied FROM done;
        applied := coalesce(applied, '{}');
        IF cardinality(applied) < cardinality(c_id) THEN
            SELECT array_agg(c) INTO missing FROM unnest(c_id) AS c WHERE c <> ALL (applied);
            result := result || jsonb_build_object('unapplied', to_jsonb(missing));
        END IF;
        IF EXISTS (SELECT 1 FROM unnest(c_refund) AS r WHERE r > 0) THEN
            -- all balances of this cycle at once: to lock those of the refunds first would break the order of tenants
            PERFORM 1 FROM balance WHERE tenant = ANY (n_tenant) OR tenant = ANY (
                SELECT c.tenant FROM unnest(c_tenant, c_refund) AS c(tenant, refund) WHERE c.refund > 0)
            ORDER BY tenant FOR UPDATE;
            PERFORM repay(p_day, array_agg(c.id), array_agg(c.tenant), array_agg(c.refund))
            FROM unnest(c_id, c_tenant, c_refund) AS c(id, tenant, refund)
            WHERE c.refund > 0 AND c.id <> ALL (missing) HAVING count(*) > 0;
        END IF;
    END IF;

    IF cardinality(n_id) > 0 THEN
        refused := debit(p_day, n_id, n_account, n_tenant, n_price, n_parts, q_account, q_span, q_since, q_start, q_till,
                         q_messages, q_parts, u_message, u_account, u_hash, u_expires);
        IF refused <> '[]' THEN
            result := result || jsonb_build_object('refused', refused);
            SELECT array_agg((r ->> 0)::int8) INTO out_ids FROM jsonb_array_elements(refused) AS r;
        END IF;
        INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, attempt, command, link, debit_day,
                             price, expires_ms, source, destination)
        SELECT u.id, u.tenant, u.account, u.state, u.mode, u.basis, u.registered, u.parts, u.attempt, u.command, u.link,
               p_day, u.price, u.expires, u.source, u.destination
        FROM unnest(n_id, n_tenant, n_account, n_state, n_mode, n_basis, n_registered, n_parts, n_attempt, n_command, n_link,
                    n_price, n_expires, n_source, n_destination)
            AS u(id, tenant, account, state, mode, basis, registered, parts, attempt, command, link, price, expires, source,
                 destination)
        WHERE u.id <> ALL (out_ids);
        INSERT INTO content (class, id, body)
        SELECT u.class, u.id, substring(p_blob FROM u.at FOR u.length)
        FROM unnest(n_id, n_at, n_length, n_class) AS u(id, at, length, class) WHERE u.id <> ALL (out_ids);
        IF cardinality(s_message) > 0 THEN
            INSERT INTO short_id (account, short, message)
            SELECT u.account, u.short, u.message FROM unnest(s_account, s_short, s_message) AS u(account, short, message)
            WHERE u.message <> ALL (out_ids)
            ON CONFLICT (account, short) DO UPDATE SET message = excluded.message;
            UPDATE message m SET short_id = u.short FROM unnest(s_message, s_short) AS u(message, short)
            WHERE m.id = u.message AND u.message <> ALL (out_ids);
        END IF;
        IF cardinality(h_message) > 0 THEN
            found_id := hold(h_message, h_account, h_key, h_part, h_total, h_due, h_hash, out_ids, now_ms);
            IF cardinality(found_id) > 0 THEN
                result := result || jsonb_build_object('held', to_jsonb(found_id));
            END IF;
        END IF;
    END IF;

    IF cardinality(o_id) > 0 THEN
        INSERT INTO owed (id, account, message, kind, command, node, epoch, expires_ms, body)
        SELECT u.id, u.account, u.message, u.kind, u.command, u.node, CASE WHEN u.node = 0 THEN 0 ELSE p_epoch END,
               u.expires, substring(p_blob FROM u.at FOR u.length)
        FROM unnest(o_id, o_account, o_message, o_kind, o_command, o_node, o_expires, o_at, o_length)
            AS u(id, account, message, kind, command, node, expires, at, length)
        WHERE u.message <> ALL (missing);
    END IF;
    IF cardinality(d_id) > 0 THEN
        DELETE FROM owed WHERE id = ANY (d_id);
    END IF;
    IF cardinality(b_id) > 0 THEN
        UPDATE owed o SET tries = u.tries, due_ms = u.due, node = u.node, epoch = CASE WHEN u.node = 0 THEN 0 ELSE p_epoch END
        FROM unnest(b_id, b_tries, b_due, b_node) AS u(id, tries, due, node)
        WHERE o.id = u.id AND o.node = p_node AND o.epoch = p_epoch;
    END IF;

    IF cardinality(x_id) > 0 THEN
        DELETE FROM waiting WHERE id = ANY (x_id) AND id <> ALL (missing);
    END IF;
    IF cardinality(missing) > 0 THEN
        -- what somebody else has changed is his to judge: if it is still open, whoever claims its row next reads it afresh
        DELETE FROM waiting w USING message m WHERE w.id = ANY (missing) AND m.id = w.id AND m.state >= 10;
        UPDATE waiting w SET node = 0, epoch = 0, state = m.state, due_ms = CASE WHEN m.state = 3 THEN w.due_ms ELSE now_ms END
        FROM message m WHERE w.id = ANY (missing) AND w.node = p_node AND m.id = w.id AND m.state <> 4;
    END IF;
    IF cardinality(w_id) > 0 THEN
        INSERT INTO waiting (id, link, state, due_ms, expires_ms, node, epoch)
        SELECT u.id, u.link, u.state, u.due, u.expires, u.node, CASE WHEN u.node = 0 THEN 0 ELSE p_epoch END
        FROM unnest(w_id, w_link, w_state, w_due, w_expires, w_node) AS u(id, link, state, due, expires, node)
        WHERE u.id <> ALL (out_ids) AND u.id <> ALL (missing)
        ON CONFLICT (id) DO UPDATE SET link = excluded.link, state = excluded.state, due_ms = excluded.due_ms,
            expires_ms = excluded.expires_ms, node = excluded.node, epoch = excluded.epoch;
    END IF;
    IF cardinality(r_message) > 0 THEN
        INSERT INTO upstream_ref (at, link, message, upstream_id, destination)
        SELECT r_at, u.link, u.message, u.upstream, u.destination
        FROM unnest(r_link, r_message, r_upstream, r_destination) AS u(link, message, upstream, destination);
    END IF;
    IF cardinality(p_id) > 0 THEN
        INSERT INTO orphan (id, link, command, upstream_id, expires_ms, body)
        SELECT u.id, u.link, u.command, u.upstream, u.expires, substring(p_blob FROM u.at FOR u.length)
        FROM unnest(p_id, p_link, p_command, p_upstream, p_expires, p_at, p_length)
            AS u(id, link, command, upstream, expires, at, length);
    END IF;
    IF cardinality(g_id) > 0 THEN
        DELETE FROM orphan WHERE id = ANY (g_id);
    END IF;

    IF cardinality(k_link) > 0 THEN
        missing := '{}';
        FOR i IN 1 .. cardinality(k_link) LOOP
            IF k_link[i] <> 0 THEN
                SELECT array_agg(f.id) INTO found_id FROM (
                    SELECT w.id FROM waiting w WHERE w.link = k_link[i] AND w.node = 0 AND w.state = 3 AND w.due_ms <= now_ms
                    ORDER BY w.priority DESC, w.id LIMIT k_count[i] FOR UPDATE SKIP LOCKED) f;
            ELSE
                SELECT array_agg(f.id) INTO found_id FROM (
                    SELECT w.id FROM waiting w WHERE w.node = 0 AND w.state <> 3 AND w.due_ms > 0 AND w.due_ms <= now_ms
                    ORDER BY w.due_ms LIMIT k_count[i] FOR UPDATE SKIP LOCKED) f;
                SELECT array_cat(found_id, array_agg(f.id)) INTO found_id FROM (
                    SELECT w.id FROM waiting w WHERE w.node = 0 AND w.expires_ms > 0 AND w.expires_ms <= now_ms
                    ORDER BY w.expires_ms LIMIT k_count[i] FOR UPDATE SKIP LOCKED) f;
            END IF;
            found_id := coalesce(found_id, '{}');
            UPDATE waiting SET node = p_node, epoch = p_epoch WHERE id = ANY (found_id);
            missing := missing || found_id;
        END LOOP;
        result := result || jsonb_build_object('claimed', to_jsonb(missing));
    END IF;
    IF cardinality(l_account) > 0 THEN
        missing := '{}';
        FOR i IN 1 .. cardinality(l_account) LOOP
            -- found first, then marked: within the UPDATE the planner, which takes owed for small, would find them again for each row
            SELECT coalesce(array_agg(f.id), '{}') INTO found_id FROM (
                SELECT o.id FROM owed o WHERE o.account = l_account[i] AND o.node = 0 AND o.due_ms <= now_ms
                ORDER BY o.id LIMIT l_count[i] FOR UPDATE SKIP LOCKED) f;
            UPDATE owed SET node = p_node, epoch = p_epoch WHERE id = ANY (found_id);
            missing := missing || found_id;
        END LOOP;
        result := result || jsonb_build_object('leased', to_jsonb(missing));
    END IF;

    IF p_low_water > 0 THEN
        UPDATE node SET low_water = p_low_water, last_ms = greatest(last_ms, p_last_ms), heartbeat = clock_timestamp()
        WHERE id = p_node;
    END IF;
    IF result = '{}' THEN
        RETURN NULL;
    END IF;
    UPDATE commit_token t SET answer = result WHERE t.node = p_node AND t.epoch = p_epoch AND t.seq = p_seq;
    RETURN result;
END $$;
