-- The unit of work: one call, one transaction, one COMMIT for everything that a cycle of the gateway has to make durable.
-- Raises SG001 when the node's epoch has been raised by someone else: the caller is fenced.
-- Returns NULL when all went as asked, else what did not, as jsonb (kept with the token for a replay):
--   refused   [[id, 'balance' | 'quota'], …]   new messages that failed a durable limit: nothing of them was written
--   unapplied [id, …]                          changes whose revision was no longer there
--   claimed   [id, …]                          waiting messages that are now this node's (link 0: those with something due)
--   leased    [id, …]                          owed rows that are now this node's

CREATE FUNCTION debit_one_by_one(
    p_ids int8[], p_accounts int4[], p_tenants int4[], p_prices int8[], p_bad int4[],
    p_quota_accounts int4[], p_quota_periods int4[], p_quota_limits int8[]
) RETURNS jsonb LANGUAGE plpgsql AS $$
-- The slow way, for tenants whose sums do not fit: in arrival order, exactly the affordable messages pass.
DECLARE
    m record;
    q record;
    fits boolean;
    refused jsonb := '[]';
BEGIN
    FOR m IN
        SELECT u.id, u.account, u.tenant, u.price
        FROM unnest(p_ids, p_accounts, p_tenants, p_prices) WITH ORDINALITY AS u(id, account, tenant, price, n)
        WHERE u.tenant = ANY (p_bad) ORDER BY u.n
    LOOP
        SELECT b.amount - m.price >= -b.credit_limit INTO fits FROM balance b WHERE b.tenant = m.tenant;
        IF NOT coalesce(fits, false) THEN
            refused := refused || jsonb_build_array(jsonb_build_array(m.id, 'balance'));
            CONTINUE;
        END IF;
        SELECT bool_and(k.used < u.lim) INTO fits
        FROM unnest(p_quota_accounts, p_quota_periods, p_quota_limits) AS u(account, period, lim)
        JOIN quota k ON k.account = u.account AND k.period = u.period
        WHERE u.account = m.account;
        IF NOT coalesce(fits, true) THEN
            refused := refused || jsonb_build_array(jsonb_build_array(m.id, 'quota'));
            CONTINUE;
        END IF;
        UPDATE balance SET amount = amount - m.price WHERE tenant = m.tenant;
        UPDATE quota k SET used = used + 1
        FROM unnest(p_quota_accounts, p_quota_periods) AS u(account, period)
        WHERE u.account = m.account AND k.account = u.account AND k.period = u.period;
    END LOOP;
    RETURN refused;
END $$;

CREATE FUNCTION debit(
    p_day int4, p_ids int8[], p_accounts int4[], p_tenants int4[], p_prices int8[],
    p_quota_accounts int4[], p_quota_periods int4[], p_quota_limits int8[]
) RETURNS jsonb LANGUAGE plpgsql AS $$
-- Take the price of new messages from their tenants' balances and count them in their quotas. Set-based when everything of a
-- tenant fits; else one by one for that tenant. Locks: tenants by id, then quotas by (account, period), always in that order.
DECLARE
    bad int4[];
    refused jsonb := '[]';
    refused_ids int8[];
BEGIN
    PERFORM 1 FROM balance WHERE tenant = ANY (p_tenants) ORDER BY tenant FOR UPDATE;
    IF cardinality(p_quota_accounts) > 0 THEN
        INSERT INTO quota (account, period)
            SELECT u.account, u.period FROM unnest(p_quota_accounts, p_quota_periods) AS u(account, period)
            ORDER BY 1, 2 ON CONFLICT DO NOTHING;
        PERFORM 1 FROM quota k WHERE (k.account, k.period) IN (SELECT * FROM unnest(p_quota_accounts, p_quota_periods))
            ORDER BY k.account, k.period FOR UPDATE;
    END IF;
    SELECT array_agg(s.tenant) INTO bad
    FROM (SELECT u.tenant, sum(u.price) AS price FROM unnest(p_tenants, p_prices) AS u(tenant, price) GROUP BY u.tenant) s
    LEFT JOIN balance b ON b.tenant = s.tenant
    WHERE b.tenant IS NULL OR b.amount - s.price < -b.credit_limit;
    IF cardinality(p_quota_accounts) > 0 THEN
        SELECT array_cat(coalesce(bad, '{}'), coalesce(array_agg(DISTINCT n.tenant), '{}')) INTO bad
        FROM (SELECT u.account, u.tenant, count(*) AS n
              FROM unnest(p_accounts, p_tenants) AS u(account, tenant) GROUP BY 1, 2) n
        JOIN unnest(p_quota_accounts, p_quota_periods, p_quota_limits) AS l(account, period, lim) ON l.account = n.account
        JOIN quota k ON k.account = l.account AND k.period = l.period
        WHERE k.used + n.n > l.lim;
    END IF;
    bad := coalesce(bad, '{}');
    UPDATE balance b SET amount = b.amount - s.price
    FROM (SELECT u.tenant, sum(u.price)::int8 AS price FROM unnest(p_tenants, p_prices) AS u(tenant, price)
          WHERE u.tenant <> ALL (bad) GROUP BY u.tenant) s
    WHERE b.tenant = s.tenant;
    IF cardinality(p_quota_accounts) > 0 THEN
        UPDATE quota k SET used = k.used + n.n
        FROM (SELECT u.account, count(*) AS n FROM unnest(p_accounts, p_tenants) AS u(account, tenant)
              WHERE u.tenant <> ALL (bad) GROUP BY u.account) n
        JOIN unnest(p_quota_accounts, p_quota_periods) AS l(account, period) ON l.account = n.account
        WHERE k.account = l.account AND k.period = l.period;
    END IF;
    IF cardinality(bad) > 0 THEN
        refused := debit_one_by_one(p_ids, p_accounts, p_tenants, p_prices, bad,
                                    p_quota_accounts, p_quota_periods, p_quota_limits);
    END IF;
    SELECT coalesce(array_agg((r ->> 0)::int8), '{}') INTO refused_ids FROM jsonb_array_elements(refused) AS r;
    PERFORM book(p_day, 'debit', array_agg(s.tenant), array_agg(-s.price), array_agg(s.n))
    FROM (SELECT u.tenant, sum(u.price)::int8 AS price, count(*) AS n
          FROM unnest(p_ids, p_tenants, p_prices) AS u(id, tenant, price)
          WHERE u.id <> ALL (refused_ids) GROUP BY u.tenant ORDER BY u.tenant) s
    HAVING count(*) > 0;
    RETURN refused;
END $$;

CREATE FUNCTION book(p_day int4, p_kind text, p_tenants int4[], p_amounts int8[], p_messages int8[])
RETURNS void LANGUAGE plpgsql AS $$
-- Fold amounts into the tenants' ledger row of this kind and day. The caller holds the tenants' balance rows.
DECLARE
    n int;
BEGIN
    UPDATE ledger l SET amount = l.amount + s.amount, messages = l.messages + s.n, at = now()
    FROM unnest(p_tenants, p_amounts, p_messages) AS s(tenant, amount, n)
    WHERE l.tenant = s.tenant AND l.day = p_day AND l.kind = p_kind AND l.kind IN ('debit', 'refund');
    GET DIAGNOSTICS n = ROW_COUNT;
    IF n < cardinality(p_tenants) THEN
        INSERT INTO ledger (tenant, kind, day, amount, messages)
        SELECT s.tenant, p_kind, p_day, s.amount, s.n
        FROM unnest(p_tenants, p_amounts, p_messages) AS s(tenant, amount, n)
        WHERE NOT EXISTS (SELECT 1 FROM ledger l WHERE l.tenant = s.tenant AND l.day = p_day AND l.kind = p_kind
                            AND l.kind IN ('debit', 'refund'));
    END IF;
END $$;

CREATE FUNCTION repay(p_day int4, p_ids int8[], p_tenants int4[], p_amounts int8[])
RETURNS void LANGUAGE plpgsql AS $$
-- Give money back for these messages, at most once each.
DECLARE
    given record;
BEGIN
    PERFORM 1 FROM balance WHERE tenant = ANY (p_tenants) ORDER BY tenant FOR UPDATE;
    WITH fresh AS (
        INSERT INTO refund (message, tenant, day, amount)
        SELECT u.id, u.tenant, p_day, u.amount FROM unnest(p_ids, p_tenants, p_amounts) AS u(id, tenant, amount)
        ON CONFLICT (message) DO NOTHING RETURNING tenant, amount
    ), sums AS (
        SELECT tenant, sum(amount)::int8 AS amount, count(*) AS n FROM fresh GROUP BY tenant ORDER BY tenant
    ), credited AS (
        UPDATE balance b SET amount = b.amount + s.amount FROM sums s WHERE b.tenant = s.tenant
    )
    SELECT array_agg(s.tenant) AS tenants, array_agg(s.amount) AS amounts, array_agg(s.n) AS messages INTO given FROM sums s;
    IF given.tenants IS NOT NULL THEN
        PERFORM book(p_day, 'refund', given.tenants, given.amounts, given.messages);
    END IF;
END $$;

CREATE FUNCTION cycle(
    p_node int4, p_epoch int8, p_seq int8, p_day int4, p_low_water int8, p_last_ms int8, p_blob bytea,
    -- new messages, in arrival order
    n_id int8[], n_tenant int4[], n_account int4[], n_state int2[], n_mode int2[], n_basis int2[], n_registered int2[],
    n_parts int2[], n_attempt int2[], n_command int4[], n_link int4[], n_price int8[], n_expires int8[], n_source text[],
    n_destination text[], n_at int4[], n_length int4[],
    q_account int4[], q_period int4[], q_limit int8[],
    s_message int8[], s_account int4[], s_short text[],
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
        refused := debit(p_day, n_id, n_account, n_tenant, n_price, q_account, q_period, q_limit);
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
        SELECT 0, u.id, substring(p_blob FROM u.at FOR u.length)
        FROM unnest(n_id, n_at, n_length) AS u(id, at, length) WHERE u.id <> ALL (out_ids);
        IF cardinality(s_message) > 0 THEN
            INSERT INTO short_id (account, short, message)
            SELECT u.account, u.short, u.message FROM unnest(s_account, s_short, s_message) AS u(account, short, message)
            WHERE u.message <> ALL (out_ids)
            ON CONFLICT (account, short) DO UPDATE SET message = excluded.message;
            UPDATE message m SET short_id = u.short FROM unnest(s_message, s_short) AS u(message, short)
            WHERE m.id = u.message AND u.message <> ALL (out_ids);
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
