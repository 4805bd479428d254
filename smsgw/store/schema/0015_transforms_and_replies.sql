-- What was changed in a message, kept with it; and what the platform itself answers to keywords of handsets.

-- Only what was changed has a row, by day as the message itself.

-- words: source_replaced, source_default, registered_delivery, tlv_0x1400, …, blanks between. ton, npi: of the source as the tenant
-- wrote it (the address itself is the message's source); NULL: those of the body are the tenant's own.
CREATE TABLE transform (
    message int8 NOT NULL,
    words   text NOT NULL,
    ton     int2,
    npi     int2,
    PRIMARY KEY (message)
) PARTITION BY RANGE (message);
CREATE TABLE transform_default PARTITION OF transform DEFAULT;
INSERT INTO partitioned (parent, retention_days, storage)
    SELECT 'transform', retention_days, '' FROM partitioned WHERE parent = 'message';

-- cycle() hands the rows of what is held to hold(); those with a total of 0 are no parts of a text, but say what was changed in a new
-- message: its words (h_key), TON (h_part, -1: none) and NPI (h_due). So a message in which nothing was changed costs what it did.
ALTER FUNCTION hold(int8[], int4[], text[], int2[], int2[], int8[], text[], int8[], int8) RENAME TO hold_parts;

CREATE FUNCTION hold(
    h_message int8[], h_account int4[], h_key text[], h_part int2[], h_total int2[], h_due int8[], h_hash text[],
    p_refused int8[], p_now_ms int8
) RETURNS int8[] LANGUAGE plpgsql AS $$
-- Note what was changed in new messages, but for refused ones, and hold what is to be held: hold_parts() (0010), whose answer it gives.
BEGIN
    IF array_position(h_total, 0::int2) IS NULL THEN
        RETURN hold_parts(h_message, h_account, h_key, h_part, h_total, h_due, h_hash, p_refused, p_now_ms);
    END IF;
    INSERT INTO transform (message, words, ton, npi)
    SELECT u.message, u.words, nullif(u.ton, -1), CASE WHEN u.ton >= 0 THEN u.npi END
    FROM unnest(h_message, h_key, h_part, h_total, h_due) AS u(message, words, ton, total, npi)
    WHERE u.total = 0 AND u.message <> ALL (p_refused);
    IF NOT 0 < ANY (h_total) THEN
        RETURN '{}';
    END IF;
    RETURN hold_parts(k.message, k.account, k.key, k.part, k.total, k.due, k.hash, p_refused, p_now_ms)
    FROM (SELECT array_agg(u.message ORDER BY u.n) AS message, array_agg(u.account ORDER BY u.n) AS account,
                 array_agg(u.key ORDER BY u.n) AS key, array_agg(u.part ORDER BY u.n) AS part,
                 array_agg(u.total ORDER BY u.n) AS total, array_agg(u.due ORDER BY u.n) AS due,
                 array_agg(u.hash ORDER BY u.n) AS hash
          FROM unnest(h_message, h_account, h_key, h_part, h_total, h_due, h_hash) WITH ORDINALITY
              AS u(message, account, key, part, total, due, hash, n)
          WHERE u.total > 0) k;
END $$;

-- Messages of the platform's own: answers to keywords. means: refuse, resume, help.
CREATE TABLE reply (
    message int8 NOT NULL,
    means   text NOT NULL,
    PRIMARY KEY (message)
) PARTITION BY RANGE (message);
CREATE TABLE reply_default PARTITION OF reply DEFAULT;
INSERT INTO partitioned (parent, retention_days, storage)
    SELECT 'reply', retention_days, '' FROM partitioned WHERE parent = 'message';

-- The last answer that a recipient got from a service number. number: a keyed hash, as in mark.
CREATE TABLE reply_last (
    number  int8 NOT NULL,
    service text NOT NULL,
    message int8 NOT NULL,
    means   text NOT NULL,
    PRIMARY KEY (number, service)
);
CREATE INDEX reply_last_message ON reply_last (message);

CREATE FUNCTION put_replies(
    p_id int8[], p_tenant int4[], p_account int4[], p_link int4[], p_class int2[], p_expires int8[], p_source text[],
    p_destination text[], p_body bytea[], p_number int8[], p_service text[], p_means text[], p_reference text[], p_since int8)
RETURNS int8[] LANGUAGE plpgsql AS $$
-- Store answers as messages that wait for their link: free of charge (debit_day -1: no debit is theirs, no quota counts them), and
-- with all their resends used up, so that one in doubt is never sent again. Returns the ids of those that were stored: one a recipient
-- and service number since p_since; and what changes nothing is not confirmed again, however late it comes (a carrier may send an MO
-- message twice). The caller has put the marks, in this transaction, and holds their lock; a number stands once in a call.
DECLARE
    given int8[];
BEGIN
    SELECT coalesce(array_agg(u.id), '{}') INTO given
    FROM unnest(p_id, p_number, p_service, p_means, p_reference) AS u(id, number, service, means, reference)
    LEFT JOIN reply_last l ON l.number = u.number AND l.service = u.service
    WHERE l.message IS NULL OR l.message < p_since AND (u.means = 'help' OR l.means <> u.means
        OR EXISTS (SELECT 1 FROM mark_event e WHERE e.number = u.number AND e.reference = u.reference));
    INSERT INTO reply_last (number, service, message, means)
    SELECT u.number, u.service, u.id, u.means FROM unnest(p_id, p_number, p_service, p_means) AS u(id, number, service, means)
    WHERE u.id = ANY (given)
    ON CONFLICT (number, service) DO UPDATE SET message = excluded.message, means = excluded.means;
    INSERT INTO reply (message, means)
    SELECT u.id, u.means FROM unnest(p_id, p_means) AS u(id, means) WHERE u.id = ANY (given);
    INSERT INTO message (id, tenant, account, state, mode, basis, registered, parts, resends, command, link, debit_day, price,
                         expires_ms, source, destination)
    SELECT u.id, u.tenant, u.account, 3, 0, 0, 0, 1, 32767, 4, u.link, -1, 0, u.expires, u.source, u.destination
    FROM unnest(p_id, p_tenant, p_account, p_link, p_expires, p_source, p_destination)
        AS u(id, tenant, account, link, expires, source, destination)
    WHERE u.id = ANY (given);
    INSERT INTO content (class, id, body)
    SELECT u.class, u.id, u.body FROM unnest(p_id, p_class, p_body) AS u(id, class, body) WHERE u.id = ANY (given);
    INSERT INTO waiting (id, link, state, expires_ms)
    SELECT u.id, u.link, 3, u.expires FROM unnest(p_id, p_link, p_expires) AS u(id, link, expires) WHERE u.id = ANY (given);
    RETURN given;
END $$;
