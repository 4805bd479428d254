-- Tokens of the HTTP API: who may ask what, until when. Their names stay, so that the audit's rows go on naming somebody.

CREATE TABLE api_token (
    name    text PRIMARY KEY,
    hash    bytea NOT NULL UNIQUE CHECK (octet_length(hash) = 32),  -- SHA-256: a token is 256 random bits, which nobody guesses
    may     text[] NOT NULL,
    actor   text NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    expires timestamptz,
    revoked timestamptz,
    used    timestamptz                       -- within a minute or so
);
