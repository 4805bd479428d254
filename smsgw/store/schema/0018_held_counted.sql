-- Held texts (0010) are counted for their recipients (0012) once, whoever lets them go, a person too.

ALTER TABLE held_text ADD COLUMN counted boolean NOT NULL DEFAULT false;  -- its recipient's caps have been asked
UPDATE held_text SET counted = true WHERE state > 1 AND (actor = '' OR done);

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
