-- What was changed in a message, kept with it: words, by day as the message itself. Only what was changed has a row.

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
