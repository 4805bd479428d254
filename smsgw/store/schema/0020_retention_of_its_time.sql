-- What is sent is kept by the retention of its time: which one an account was of, since when; and a retention's profile is for good.

-- From this message id on an account was of this class (0: of none). Its first row holds from its beginning.
CREATE TABLE account_retention (
    account  int4 NOT NULL,
    since_id int8 NOT NULL,
    class    int2 NOT NULL,
    PRIMARY KEY (account, since_id)
);
CREATE INDEX account_retention_class ON account_retention (class);

CREATE FUNCTION id_now() RETURNS int8 LANGUAGE sql STABLE AS $$
-- The least message id of this transaction's moment.
    SELECT greatest(0, (extract(epoch FROM now()) * 1000)::int8 - 1735689600000) << 22
$$;
CREATE FUNCTION note_retention() RETURNS trigger LANGUAGE plpgsql AS $$
-- Note which class an account is of now, where that is another one than before.
DECLARE
    present int2 := coalesce((SELECT r.class FROM retention r WHERE r.name = NEW.settings ->> 'retention'), 0);
BEGIN
    IF present IS DISTINCT FROM (SELECT h.class FROM account_retention h WHERE h.account = NEW.id ORDER BY h.since_id DESC LIMIT 1) THEN
        INSERT INTO account_retention (account, since_id, class) VALUES (NEW.id, id_now(), present)
        ON CONFLICT (account, since_id) DO UPDATE SET class = excluded.class;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION note_retentions() RETURNS trigger LANGUAGE plpgsql AS $$
-- The same for each account: a name may mean another class now.
BEGIN
    INSERT INTO account_retention (account, since_id, class)
    SELECT a.id, id_now(), coalesce(r.class, 0)
    FROM account a LEFT JOIN retention r ON r.name = a.settings ->> 'retention'
    LEFT JOIN LATERAL (SELECT h.class FROM account_retention h WHERE h.account = a.id ORDER BY h.since_id DESC LIMIT 1) n ON true
    WHERE n.class IS DISTINCT FROM coalesce(r.class, 0)
    ON CONFLICT (account, since_id) DO UPDATE SET class = excluded.class;
    RETURN NULL;
END $$;
CREATE TRIGGER note_retention AFTER INSERT OR UPDATE OF settings ON account FOR EACH ROW EXECUTE FUNCTION note_retention();
CREATE TRIGGER note_retention AFTER INSERT OR UPDATE OF name ON retention FOR EACH STATEMENT EXECUTE FUNCTION note_retentions();

-- Nobody knows what was before: the present one always was.
INSERT INTO account_retention (account, since_id, class)
SELECT a.id, 0, coalesce(r.class, 0) FROM account a LEFT JOIN retention r ON r.name = a.settings ->> 'retention';
INSERT INTO account_retention (account, since_id, class)
SELECT u.id, 0, r.class FROM retention r CROSS JOIN unnest(r.hashed_of) AS u(id)
WHERE NOT EXISTS (SELECT FROM account a WHERE a.id = u.id) ON CONFLICT DO NOTHING;

-- The ids of the messages that an account sent while it was of a class, and a minute more: nodes follow a change within a second of
-- its COMMIT.
CREATE VIEW retention_span AS
    SELECT h.account, h.class, coalesce(r.profile = 'cn_port', false) AS by_law, r.content_h,
           CASE WHEN row_number() OVER w = 1 THEN 0 ELSE h.since_id END AS from_id,
           coalesce(lead(h.since_id) OVER w + (60000::int8 << 22), 9223372036854775807) AS until_id
    FROM account_retention h LEFT JOIN retention r ON r.class = h.class
    WINDOW w AS (PARTITION BY h.account ORDER BY h.since_id);

CREATE FUNCTION set_retention(p_name text, p_profile text, p_content_h int4, p_numbers_days int4, p_encrypted boolean)
RETURNS void LANGUAGE plpgsql AS $$
-- Make or change one. One of another profile takes the name over: what was sent under it stays with the class that it had.
BEGIN
    UPDATE retention SET name = format('%s #%s', name, class), live = false WHERE name = p_name AND profile <> p_profile;
    PERFORM put_retention(p_name, p_profile, p_content_h, p_numbers_days, p_encrypted);
END $$;

-- What the law keeps is hashed in a walk of its own, that is so much later.
ALTER TABLE retention ADD COLUMN law_till int8 NOT NULL DEFAULT 0, ADD COLUMN law_open int8[] NOT NULL DEFAULT '{}';
