-- Recovery, the same for a process that starts and for a node that takes another's work up.

CREATE FUNCTION adopt(p_node int4, p_now_ms int8) RETURNS jsonb LANGUAGE plpgsql AS $$
-- The caller holds the node's advisory lock and has raised its epoch. Spills every open row of the node, frees what it had
-- claimed and advances its low water. SUBMITTING without an answer becomes IN_DOUBT. Whatever is not QUEUED is due at once, but
-- for what had a time of its own: journey/due knows what each state needs. Returns how many rows of each kind were found. May be
-- run again at any point: it finds nothing twice.
DECLARE
    low    int8;
    found  int8[];
    high   int8;
    doubts int8;
    opened int8;
    refs   int8;
    freed  int8;
BEGIN
    -- the lock waits for a cycle of the dead process that is still being committed; after it nothing of that epoch can be
    SELECT low_water, last_ms INTO low, high FROM node WHERE id = p_node FOR UPDATE;
    high := (greatest(high, (SELECT coalesce(max(m.id), 0) >> 22 FROM message m), (SELECT coalesce(max(o.id), 0) >> 22 FROM owed o),
                      (SELECT coalesce(max(o.id), 0) >> 22 FROM orphan o)) + 1) << 22;
    -- Messages before their waiting rows, in order of id, as in a cycle: else the two could wait for each other. What another node
    -- is just settling is looked at once that is committed.
    SELECT array_agg(u.id ORDER BY u.id) INTO found FROM (
        SELECT m.id FROM message m WHERE m.id >= low AND m.id < high AND (m.id >> 12) & 1023 = p_node AND m.state < 6
        UNION SELECT w.id FROM waiting w WHERE w.node = p_node) u;
    PERFORM 1 FROM unnest(found) AS u(id) JOIN message m ON m.id = u.id ORDER BY m.id FOR UPDATE OF m;
    -- the claim owns a message, not its id: what another node has claimed is its own to settle
    UPDATE message m SET state = 5, rev = rev + 1
    FROM unnest(found) AS u(id)
    WHERE m.id = u.id AND m.state = 4 AND NOT EXISTS (SELECT 1 FROM waiting w WHERE w.id = m.id AND w.node NOT IN (0, p_node));
    GET DIAGNOSTICS doubts = ROW_COUNT;
    -- a claimed message that was sent waits no longer: its reference below is what its receipt will find
    DELETE FROM waiting w USING message m WHERE w.node = p_node AND m.id = w.id AND m.state >= 6;
    UPDATE waiting w SET node = 0, epoch = 0, state = m.state, due_ms = CASE WHEN m.state = 5 THEN p_now_ms ELSE w.due_ms END
    FROM message m WHERE w.node = p_node AND m.id = w.id;
    INSERT INTO waiting (id, link, state, due_ms, expires_ms)
        SELECT m.id, m.link, m.state, CASE WHEN m.state = 3 THEN 0 ELSE p_now_ms END,
               CASE WHEN m.state = 3 THEN m.expires_ms ELSE 0 END
        FROM message m
        WHERE m.id >= low AND m.id < high AND (m.id >> 12) & 1023 = p_node AND m.state < 6
        ON CONFLICT (id) DO NOTHING;
    GET DIAGNOSTICS opened = ROW_COUNT;
    INSERT INTO upstream_ref (at, link, message, upstream_id, destination)
        SELECT high, m.link, m.id, m.upstream_id, m.destination
        FROM message m
        WHERE m.id >= low AND m.id < high AND (m.id >> 12) & 1023 = p_node AND m.state = 6 AND m.upstream_id <> ''
          AND NOT EXISTS (SELECT 1 FROM upstream_ref r
                          WHERE r.upstream_id = m.upstream_id AND r.link = m.link AND r.message = m.id);
    GET DIAGNOSTICS refs = ROW_COUNT;
    UPDATE owed SET node = 0, epoch = 0 WHERE node = p_node;
    GET DIAGNOSTICS freed = ROW_COUNT;
    DELETE FROM bind WHERE node = p_node;
    UPDATE node SET low_water = high, last_ms = high >> 22, heartbeat = clock_timestamp() WHERE id = p_node;
    RETURN jsonb_build_object('in_doubt', doubts, 'waiting', opened, 'references', refs, 'owed', freed);
END $$;
