-- Who was deleted from provisioning: whoever comes back by the same name gets the same id, and with it the balance, the receipts
-- that are owed and the references that messages on their way hold. What a rollback brings back also gets its secrets.
CREATE TABLE retired (
    kind    text NOT NULL,
    name    text NOT NULL,
    id      int4 NOT NULL,
    owner   int4 NOT NULL DEFAULT 0,          -- tenant of an account, carrier of a link: under another one it is somebody else
    secrets text[] NOT NULL DEFAULT '{}',     -- hashes of an account; a link's password, sealed or a reference
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, name)
);
