-- Messages that were accepted and are not to be sent: what somebody has asked to cancel, and which messages that has ended.

-- `filter`: whose, of when, to whom; numbers in it are whole until it is carried out, and masked from then on. `result`: what came of
-- it, a row an account.
CREATE TABLE cancellation (
    id      int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    filter  jsonb NOT NULL,
    actor   text NOT NULL,
    reason  text NOT NULL,
    at      timestamptz NOT NULL,
    done_at timestamptz,
    result  jsonb NOT NULL DEFAULT '[]'
);
CREATE INDEX cancellation_open ON cancellation (id) WHERE done_at IS NULL;

-- Written before a message is changed, so that a kill between the two loses no count: what it has ended, the message's row says.
CREATE TABLE cancelled (
    message      int8 PRIMARY KEY,
    cancellation int8 NOT NULL
);
CREATE INDEX cancelled_of ON cancelled (cancellation);
