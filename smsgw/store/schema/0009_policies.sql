-- Rule sets. What a set is made of is kept by its hash and never changed, so that going back to a version is naming it again.

CREATE TABLE policy_content (
    version text PRIMARY KEY,                 -- SHA-256 of the content, in hex
    content bytea NOT NULL,                   -- the bundle of its files, deflated; lists of numbers as keyed hashes alone
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE policy (
    name    text PRIMARY KEY,
    version text NOT NULL REFERENCES policy_content,
    files   text[] NOT NULL
);
