-- What ops provision. Edited by `smsgw apply` and, row by row, by whoever else may; every change leaves an audit row.

CREATE TABLE tenant (
    id           int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name         text NOT NULL UNIQUE,
    currency     text NOT NULL,
    credit_limit int8 NOT NULL DEFAULT 0,
    basis        text NOT NULL DEFAULT 'submitted' CHECK (basis IN ('submitted', 'sent', 'delivered'))
);

CREATE TABLE account (
    id        int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant    int4 NOT NULL REFERENCES tenant,
    system_id text NOT NULL UNIQUE,
    settings  jsonb NOT NULL DEFAULT '{}'
);
CREATE TABLE secret (
    account int4 NOT NULL REFERENCES account ON DELETE CASCADE,
    hash    text NOT NULL,
    at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, hash)
);
CREATE TABLE number (
    number  text PRIMARY KEY,
    account int4 NOT NULL REFERENCES account ON DELETE CASCADE
);
CREATE TABLE carrier (
    id   int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE
);
CREATE TABLE link (
    id       int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    carrier  int4 NOT NULL REFERENCES carrier,
    name     text NOT NULL UNIQUE,
    settings jsonb NOT NULL DEFAULT '{}',
    password text NOT NULL DEFAULT ''         -- sealed with the key in data_dir, or a reference
);
CREATE TABLE route (
    id        int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    prefix    text NOT NULL UNIQUE,
    links     text[] NOT NULL,
    part_rule text NOT NULL DEFAULT 'gsm_ucs2'
);
CREATE TABLE price (
    tenant int4 NOT NULL REFERENCES tenant ON DELETE CASCADE,
    prefix text NOT NULL,
    price  int8 NOT NULL CHECK (price >= 0),
    PRIMARY KEY (tenant, prefix)
);

-- Versions as applied from files: the content without any secret, for the three-way difference and for rollback.
CREATE TABLE provisioning_version (
    version int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    content jsonb NOT NULL,
    actor   text NOT NULL,
    at      timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE audit (
    id     int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT now(),
    actor  text NOT NULL,
    kind   text NOT NULL,
    name   text NOT NULL,
    old    jsonb,
    new    jsonb,
    reason text NOT NULL DEFAULT ''
);
