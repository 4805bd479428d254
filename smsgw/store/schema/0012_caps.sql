-- Caps: how many messages one recipient has had, from whom, in which window. Decided by the unit of work, for each new message, in
-- the transaction that stores it: cycle() is that of 0007 with held messages (0010), with classes of content (n_class), and with
-- f_caps, which it hands to debit(), and `over` in its answer; debit() and debit_one_by_one() are those of 0007 with what names
-- f_caps, capped, recipient_cap, told or over.

-- A counter: whose cap it is, and of which recipient, is in its key, a keyed hash. `times`: the moments (Unix, ms) of what was
-- counted, in the order of counting; those of a natural window all count, those of a rolling one while they are young enough.
CREATE TABLE recipient_cap (
    key    int8 PRIMARY KEY,
    times  int8[] NOT NULL DEFAULT '{}',
    keep_h int4 NOT NULL                      -- the hour since 1970 after which nobody asks for it
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000);
CREATE INDEX recipient_cap_age ON recipient_cap (keep_h);

-- When a step was last taken about an account's signs of pumping.
CREATE INDEX audit_pumping ON audit (name, id) WHERE actor = 'smsgw' AND reason = 'pumping';

CREATE FUNCTION capped(f_caps int8[]) RETURNS TABLE (
    n int4, message int8, cap int8, key int8, since int8, moment int8, most int8, keep_h int8
) LANGUAGE sql IMMUTABLE AS $$
-- The rows of f_caps; those of one message stand together.
    SELECT i, f_caps[i][1], f_caps[i][2], f_caps[i][3], f_caps[i][4], f_caps[i][5], f_caps[i][6], f_caps[i][7]
    FROM generate_subscripts(f_caps, 1) AS i
$$;

CREATE FUNCTION caps_in_order(p_ids int8[], f_caps int8[], p_tight int8[]) RETURNS jsonb LANGUAGE plpgsql AS $$
-- Which of these messages pass those of their counters that not all of them fit into, in the order in which they came, if nothing
-- else refuses one of them. Returns {refused: [[id, 'frequency', cap], …], over: [[id, cap], …] of caps that refuse nothing}.
DECLARE
    m       record;
    at      int;
    full_at int;
    taken   int8[] := array_fill(0::int8, ARRAY[cardinality(p_tight)]);
    refused jsonb := '[]';
    over    jsonb := '[]';
BEGIN
    FOR m IN
        SELECT u.id, array_agg(f.cap ORDER BY f.n) AS caps, array_agg(f.key ORDER BY f.n) AS keys,
               array_agg(f_caps[f.n][8] = 1 ORDER BY f.n) AS enforced,
               array_agg(f.most - (SELECT count(*) FROM unnest(c.times) AS t WHERE t > f.since) ORDER BY f.n) AS room
        FROM unnest(p_ids) WITH ORDINALITY AS u(id, n) JOIN capped(f_caps) AS f ON f.message = u.id
        JOIN recipient_cap c ON c.key = f.key
        WHERE f.key = ANY (p_tight) GROUP BY u.id, u.n ORDER BY u.n
    LOOP
        full_at := NULL;
        FOR i IN 1 .. cardinality(m.keys) LOOP
            IF m.enforced[i] AND taken[array_position(p_tight, m.keys[i])] >= m.room[i] THEN
                full_at := i;
                EXIT;
            END IF;
        END LOOP;
        IF full_at IS NOT NULL THEN
            refused := refused || jsonb_build_array(jsonb_build_array(m.id, 'frequency', m.caps[full_at]));
            CONTINUE;
        END IF;
        FOR i IN REVERSE cardinality(m.keys) .. 1 LOOP
            at := array_position(p_tight, m.keys[i]);
            IF NOT m.enforced[i] AND taken[at] >= m.room[i] THEN
                over := over || jsonb_build_array(jsonb_build_array(m.id, m.caps[i]));
            END IF;
            IF array_position(m.keys, m.keys[i]) = i THEN  -- two caps may share a counter, which counts a message once
                taken[at] := taken[at] + 1;
            END IF;
        END LOOP;
    END LOOP;
    RETURN jsonb_build_object('refused', refused) || CASE WHEN over = '[]' THEN '{}' ELSE jsonb_build_object('over', over) END;
END $$;

CREATE FUNCTION lock_caps(p_ids int8[], f_caps int8[]) RETURNS void LANGUAGE plpgsql AS $$
-- Make the counters that are not there and lock those that are, in one go and in the order of their keys; WHERE false: no row changes.
BEGIN
    INSERT INTO recipient_cap AS c (key, keep_h)
        SELECT f.key, max(f.keep_h)::int4 FROM capped(f_caps) AS f JOIN unnest(p_ids) AS u(id) ON u.id = f.message
        GROUP BY f.key ORDER BY f.key
        ON CONFLICT (key) DO UPDATE SET keep_h = excluded.keep_h WHERE false;
END $$;

CREATE FUNCTION count_caps(p_ids int8[], f_caps int8[]) RETURNS void LANGUAGE plpgsql AS $$
-- Count these messages, each once in each of its counters. A counter keeps the last thousand moments, and none that was over a minute
-- ago: so late may a message come that was accepted before another.
BEGIN
    UPDATE recipient_cap c SET keep_h = greatest(c.keep_h, s.keep_h),
        times = ARRAY(SELECT a.t FROM unnest(c.times || s.moments) WITH ORDINALITY AS a(t, n)
                      WHERE a.t > s.since - 60000 AND a.n > cardinality(c.times) + cardinality(s.moments) - 1000)
    FROM (SELECT d.key, array_agg(d.moment ORDER BY d.n) AS moments, min(d.since) AS since, max(d.keep_h)::int4 AS keep_h
          FROM (SELECT DISTINCT ON (f.key, f.message) f.* FROM capped(f_caps) AS f JOIN unnest(p_ids) AS u(id) ON u.id = f.message
                ORDER BY f.key, f.message) d
          GROUP BY d.key) s
    WHERE c.key = s.key;
END $$;

CREATE FUNCTION decide_capped(
    d_id int8[], d_parts int4[], d_was int2[], d_state int2[], d_due int8[], d_forget int8[], d_error int8[], d_reason text[],
    d_rule text[], f_caps int8[], f_error int8[], f_rule text[]
) RETURNS jsonb LANGUAGE plpgsql AS $$
-- Let verdicts fall on held texts of which some are counted by caps (f_caps, with the text for the message; f_error and f_rule: what is
-- told of a text that is over it), all in one statement, so that nobody holds a counter while it waits for a network. Counters are
-- locked before texts, as in cycle(), and a text that somebody else has locked is left alone. Returns {fell: [id, …], refused, over}.
DECLARE
    told jsonb;
    fell int8[];
    full_ids int8[];
BEGIN
    PERFORM lock_caps(d_id, f_caps);
    SELECT coalesce(array_agg(l.id), '{}') INTO fell FROM (
        SELECT h.id FROM held_text h JOIN unnest(d_id, d_parts, d_was) AS d(id, parts, was)
            ON h.id = d.id AND h.parts = d.parts AND h.state = d.was
        ORDER BY h.id FOR UPDATE OF h SKIP LOCKED) l;
    told := caps_in_order(ARRAY(SELECT d.id FROM unnest(d_id) WITH ORDINALITY AS d(id, n) WHERE d.id = ANY (fell) ORDER BY d.n),
                          f_caps, ARRAY(SELECT DISTINCT f.key FROM capped(f_caps) AS f));
    SELECT coalesce(array_agg((r ->> 0)::int8), '{}') INTO full_ids FROM jsonb_array_elements(told -> 'refused') AS r;
    UPDATE held_text h SET state = u.state, judged = h.parts, due_ms = u.due, forget_ms = u.forget, error = u.error,
           reason = u.reason, rule = u.rule
    FROM (
        SELECT d.id, d.due, d.forget, CASE WHEN o.n IS NULL THEN d.state ELSE 3 END AS state,
               CASE WHEN o.n IS NULL THEN d.error ELSE f_error[o.n] END AS error,
               CASE WHEN o.n IS NULL THEN d.reason ELSE 'frequency' END AS reason,
               CASE WHEN o.n IS NULL THEN d.rule ELSE f_rule[o.n] END AS rule
        FROM unnest(d_id, d_state, d_due, d_forget, d_error, d_reason, d_rule) AS d(id, state, due, forget, error, reason, rule)
        LEFT JOIN (SELECT f.message, f.n FROM jsonb_array_elements(told -> 'refused') AS r
                   JOIN capped(f_caps) AS f ON f.message = (r ->> 0)::int8 AND f.cap = (r ->> 2)::int8) o ON o.message = d.id
    ) u WHERE h.id = u.id AND h.id = ANY (fell);
    PERFORM count_caps(ARRAY(SELECT f FROM unnest(fell) AS f WHERE f <> ALL (full_ids)), f_caps);
    RETURN told || jsonb_build_object('fell', to_jsonb(fell));
END $$;

DROP FUNCTION debit_one_by_one(int8[], int4[], int4[], int8[], int2[], int4[], int4[], int2[], int8[], int8[], int8[], int8[],
    int8[]);
DROP FUNCTION debit(int4, int8[], int4[], int4[], int8[], int2[], int4[], int2[], int8[], int8[], int8[], int8[], int8[],
    int8[], int4[], text[], int8[]);

CREATE FUNCTION debit_one_by_one(
    p_ids int8[], p_accounts int4[], p_tenants int4[], p_prices int8[], p_parts int2[], p_bad int4[],
    q_account int4[], q_span int2[], q_since int8[], q_start int8[], q_till int8[], q_messages int8[], q_parts int8[],
    f_caps int8[]
) RETURNS jsonb LANGUAGE plpgsql AS $$
-- The slow way, for tenants whose sums do not fit: in arrival order, exactly the affordable messages pass.
-- Returns {refused: [[id, reason], …], for caps [id, 'frequency', cap], over: [[id, cap], …] of caps that refuse nothing}.
DECLARE
    m record;
    fits boolean;
    refused jsonb := '[]';
    over jsonb := '[]';
    full_cap int8;
BEGIN
    FOR m IN
        SELECT u.id, u.account, u.tenant, u.price, u.parts, ((u.id >> 22) + 1735689600000) / 1000 AS moment, f.first, f.last
        FROM unnest(p_ids, p_accounts, p_tenants, p_prices, p_parts) WITH ORDINALITY AS u(id, account, tenant, price, parts, n)
        LEFT JOIN (SELECT c.message, min(c.n) AS first, max(c.n) AS last FROM capped(f_caps) AS c GROUP BY c.message) f
            ON f.message = u.id
        WHERE u.tenant = ANY (p_bad) ORDER BY u.n
    LOOP
        IF m.first IS NOT NULL THEN
            SELECT f_caps[i][2] INTO full_cap
            FROM generate_series(m.first, m.last) AS i JOIN recipient_cap c ON c.key = f_caps[i][3]
            WHERE f_caps[i][8] = 1 AND (SELECT count(*) FROM unnest(c.times) AS t WHERE t > f_caps[i][4]) >= f_caps[i][6]
            ORDER BY i LIMIT 1;
            IF FOUND THEN
                refused := refused || jsonb_build_array(jsonb_build_array(m.id, 'frequency', full_cap));
                CONTINUE;
            END IF;
        END IF;
        SELECT b.amount - m.price >= -b.credit_limit INTO fits FROM balance b WHERE b.tenant = m.tenant;
        IF NOT coalesce(fits, false) THEN
            refused := refused || jsonb_build_array(jsonb_build_array(m.id, 'balance'));
            CONTINUE;
        END IF;
        SELECT bool_and((l.messages = 0 OR k.used + 1 <= l.messages) AND (l.parts = 0 OR k.parts + m.parts <= l.parts)) INTO fits
        FROM unnest(q_account, q_span, q_since, q_start, q_till, q_messages, q_parts)
            AS l(account, span, since, start, till, messages, parts),
            LATERAL quota_used(l.account, l.span, l.since, l.start) AS k
        WHERE l.account = m.account AND m.moment >= l.start AND m.moment < l.till;
        IF NOT coalesce(fits, true) THEN
            refused := refused || jsonb_build_array(jsonb_build_array(m.id, 'quota'));
            CONTINUE;
        END IF;
        UPDATE balance SET amount = amount - m.price WHERE tenant = m.tenant;
        UPDATE quota k SET used = k.used + 1, parts = k.parts + m.parts, first_id = least(k.first_id, m.id)
        FROM unnest(q_account, q_span, q_start, q_till) AS l(account, span, start, till)
        WHERE l.account = m.account AND m.moment >= l.start AND m.moment < l.till
          AND k.account = l.account AND k.span = l.span AND k.start = l.start;
        IF m.first IS NOT NULL THEN
            SELECT over || coalesce(jsonb_agg(jsonb_build_array(m.id, f_caps[i][2])), '[]') INTO over
            FROM generate_series(m.first, m.last) AS i JOIN recipient_cap c ON c.key = f_caps[i][3]
            WHERE f_caps[i][8] = 0 AND (SELECT count(*) FROM unnest(c.times) AS t WHERE t > f_caps[i][4]) >= f_caps[i][6];
            PERFORM count_caps(ARRAY[m.id], f_caps[m.first : m.last]);
        END IF;
    END LOOP;
    RETURN jsonb_build_object('refused', refused) || CASE WHEN over = '[]' THEN '{}' ELSE jsonb_build_object('over', over) END;
END $$;

CREATE FUNCTION debit(
    p_day int4, p_ids int8[], p_accounts int4[], p_tenants int4[], p_prices int8[], p_parts int2[],
    q_account int4[], q_span int2[], q_since int8[], q_start int8[], q_till int8[], q_messages int8[], q_parts int8[],
    u_message int8[], u_account int4[], u_hash text[], u_expires int8[], f_caps int8[]
) RETURNS jsonb LANGUAGE plpgsql AS $$
-- Take the price of new messages from their tenants' balances and count them in their quotas. Set-based when everything of a
-- tenant fits; else one by one for that tenant. Locks: tenants by id, then counters of caps by key, and nothing else: one order for
-- all. An account has one tenant, so whoever counts in its quotas or looks for its duplicates holds that tenant's balance: they need
-- no locks of their own. A counter of the platform has no tenant, so it needs one.
-- Returns what debit_one_by_one does; for duplicates [id, 'duplicate', id of the first, its short id].
DECLARE
    bad int4[];
    tight int8[] := '{}';
    all_ids int8[];
    all_accounts int4[];
    all_tenants int4[];
    all_prices int8[];
    all_parts int2[];
    told jsonb := '{"refused": []}';
    refused jsonb := '[]';
    refused_ids int8[];
    doubles jsonb := '[]';
    double_ids int8[];
BEGIN
    PERFORM 1 FROM balance WHERE tenant = ANY (p_tenants) ORDER BY tenant FOR UPDATE;
    IF cardinality(u_message) > 0 THEN
        SELECT coalesce(jsonb_agg(jsonb_build_array(s.message, 'duplicate', s.first, coalesce(m.short_id, '')) ORDER BY s.n), '[]'),
               coalesce(array_agg(s.message), '{}')
        INTO doubles, double_ids
        FROM (SELECT u.message, u.n, coalesce(d.message, nullif(
                  first_value(u.message) OVER (PARTITION BY u.account, u.hash ORDER BY u.n), u.message)) AS first
              FROM unnest(u_message, u_account, u_hash) WITH ORDINALITY AS u(message, account, hash, n)
              LEFT JOIN duplicate d ON d.account = u.account AND d.hash = u.hash::uuid
                   AND d.expires_ms > (u.message >> 22) + 1735689600000) s
        LEFT JOIN message m ON m.id = s.first
        WHERE s.first IS NOT NULL;
        IF cardinality(double_ids) > 0 THEN
            SELECT coalesce(array_agg(u.id ORDER BY u.n), '{}'), array_agg(u.account ORDER BY u.n), array_agg(u.tenant ORDER BY u.n),
                   array_agg(u.price ORDER BY u.n), array_agg(u.parts ORDER BY u.n)
            INTO p_ids, p_accounts, p_tenants, p_prices, p_parts
            FROM unnest(p_ids, p_accounts, p_tenants, p_prices, p_parts) WITH ORDINALITY AS u(id, account, tenant, price, parts, n)
            WHERE u.id <> ALL (double_ids);
        END IF;
    END IF;
    IF cardinality(f_caps) > 0 THEN
        PERFORM lock_caps(p_ids, f_caps);
        SELECT coalesce(array_agg(DISTINCT f.key), '{}') INTO tight
        FROM (SELECT k.message, k.key, k.since, k.most, count(*) OVER (PARTITION BY k.key) AS n FROM capped(f_caps) AS k) f
        JOIN unnest(p_ids) AS u(id) ON u.id = f.message
        JOIN recipient_cap c ON c.key = f.key
        WHERE f.n + (SELECT count(*) FROM unnest(c.times) AS t WHERE t > f.since) > f.most;
        IF cardinality(tight) > 0 THEN
            told := caps_in_order(p_ids, f_caps, tight);
            refused := told -> 'refused';
            all_ids := p_ids; all_accounts := p_accounts; all_tenants := p_tenants; all_prices := p_prices; all_parts := p_parts;
            SELECT coalesce(array_agg((r ->> 0)::int8), '{}') INTO refused_ids FROM jsonb_array_elements(refused) AS r;
            SELECT coalesce(array_agg(u.id ORDER BY u.n), '{}'), array_agg(u.account ORDER BY u.n), array_agg(u.tenant ORDER BY u.n),
                   array_agg(u.price ORDER BY u.n), array_agg(u.parts ORDER BY u.n)
            INTO p_ids, p_accounts, p_tenants, p_prices, p_parts
            FROM unnest(p_ids, p_accounts, p_tenants, p_prices, p_parts) WITH ORDINALITY AS u(id, account, tenant, price, parts, n)
            WHERE u.id <> ALL (refused_ids);
        END IF;
    END IF;
    SELECT array_agg(s.tenant) INTO bad
    FROM (SELECT u.tenant, sum(u.price) AS price FROM unnest(p_tenants, p_prices) AS u(tenant, price) GROUP BY u.tenant) s
    LEFT JOIN balance b ON b.tenant = s.tenant
    WHERE b.tenant IS NULL OR b.amount - s.price < -b.credit_limit;
    IF cardinality(q_account) > 0 THEN
        INSERT INTO quota (account, span, start, till)
            SELECT l.account, l.span, l.start, l.till FROM unnest(q_account, q_span, q_start, q_till) AS l(account, span, start, till)
            ORDER BY 1, 2, 3 ON CONFLICT DO NOTHING;
        SELECT array_cat(coalesce(bad, '{}'), coalesce(array_agg(DISTINCT n.tenant), '{}')) INTO bad
        FROM (SELECT u.account, u.tenant, count(*) AS n, sum(u.parts) AS parts
              FROM unnest(p_accounts, p_tenants, p_parts) AS u(account, tenant, parts) GROUP BY 1, 2) n
        JOIN unnest(q_account, q_span, q_since, q_start, q_messages, q_parts) AS l(account, span, since, start, messages, parts)
            ON l.account = n.account,
        LATERAL quota_used(l.account, l.span, l.since, l.start) AS k
        WHERE l.messages > 0 AND k.used + n.n > l.messages OR l.parts > 0 AND k.parts + n.parts > l.parts;
    END IF;
    bad := coalesce(bad, '{}');
    IF cardinality(bad) > 0 AND cardinality(tight) > 0 THEN
        -- what money or a quota refuses leaves its place under a cap to another: all who share such a cap go one by one
        p_ids := all_ids; p_accounts := all_accounts; p_tenants := all_tenants; p_prices := all_prices; p_parts := all_parts;
        SELECT bad || coalesce(array_agg(DISTINCT u.tenant), '{}') INTO bad
        FROM unnest(p_ids, p_tenants) AS u(id, tenant) JOIN capped(f_caps) AS f ON f.message = u.id WHERE f.key = ANY (tight);
    END IF;
    UPDATE balance b SET amount = b.amount - s.price
    FROM (SELECT u.tenant, sum(u.price)::int8 AS price FROM unnest(p_tenants, p_prices) AS u(tenant, price)
          WHERE u.tenant <> ALL (bad) GROUP BY u.tenant) s
    WHERE b.tenant = s.tenant;
    IF cardinality(q_account) > 0 THEN
        UPDATE quota k SET used = k.used + s.n, parts = k.parts + s.parts, first_id = least(k.first_id, s.first_id)
        FROM (SELECT l.account, l.span, l.start, count(*) AS n, sum(u.parts) AS parts, min(u.id) AS first_id
              FROM unnest(p_ids, p_accounts, p_tenants, p_parts) AS u(id, account, tenant, parts)
              JOIN unnest(q_account, q_span, q_start, q_till) AS l(account, span, start, till) ON l.account = u.account
                   AND ((u.id >> 22) + 1735689600000) / 1000 >= l.start AND ((u.id >> 22) + 1735689600000) / 1000 < l.till
              WHERE u.tenant <> ALL (bad) GROUP BY 1, 2, 3) s
        WHERE k.account = s.account AND k.span = s.span AND k.start = s.start;
    END IF;
    IF cardinality(f_caps) > 0 THEN
        PERFORM count_caps(ARRAY(SELECT u.id FROM unnest(p_ids, p_tenants) AS u(id, tenant) WHERE u.tenant <> ALL (bad)), f_caps);
    END IF;
    IF cardinality(bad) > 0 THEN
        told := debit_one_by_one(p_ids, p_accounts, p_tenants, p_prices, p_parts, bad,
                                 q_account, q_span, q_since, q_start, q_till, q_messages, q_parts, f_caps);
        refused := told -> 'refused';
    END IF;
    SELECT coalesce(array_agg((r ->> 0)::int8), '{}') INTO refused_ids FROM jsonb_array_elements(refused) AS r;
    IF cardinality(u_message) > 0 THEN
        INSERT INTO duplicate (account, hash, message, expires_ms)
        SELECT u.account, u.hash::uuid, u.message, u.expires
        FROM unnest(u_message, u_account, u_hash, u_expires) AS u(message, account, hash, expires)
        WHERE u.message = ANY (p_ids) AND u.message <> ALL (refused_ids) ORDER BY 1, 2
        ON CONFLICT (account, hash) DO UPDATE SET message = excluded.message, expires_ms = excluded.expires_ms;
    END IF;
    PERFORM book(p_day, 'debit', array_agg(s.tenant), array_agg(-s.price), array_agg(s.n))
    FROM (SELECT u.tenant, sum(u.price)::int8 AS price, count(*) AS n
          FROM unnest(p_ids, p_tenants, p_prices) AS u(id, tenant, price)
          WHERE u.id <> ALL (refused_ids) GROUP BY u.tenant ORDER BY u.tenant) s
    HAVING count(*) > 0;
    IF doubles <> '[]' THEN
        -- the same as one of this very cycle: when that one was refused, so is this, for the same reason
        SELECT refused || jsonb_agg(CASE WHEN r IS NULL THEN d ELSE jsonb_set(r, '{0}', d -> 0) END) INTO refused
        FROM jsonb_array_elements(doubles) AS d LEFT JOIN jsonb_array_elements(refused) AS r ON r -> 0 = d -> 2;
    END IF;
    RETURN jsonb_set(told, '{refused}', refused);
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
    -- what they are counted by for their recipients: rows of message, cap, key, since, moment, most, hour to keep it, 1: it refuses
    f_caps int8[],
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
    told     jsonb;
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
        told := debit(p_day, n_id, n_account, n_tenant, n_price, n_parts, q_account, q_span, q_since, q_start, q_till,
                      q_messages, q_parts, u_message, u_account, u_hash, u_expires, f_caps);
        IF told ? 'over' THEN
            result := result || jsonb_build_object('over', told -> 'over');
        END IF;
        refused := told -> 'refused';
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
