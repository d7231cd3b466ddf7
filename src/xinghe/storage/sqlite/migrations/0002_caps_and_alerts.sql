-- Spend caps of access tokens, and notices of a low balance.

CREATE TABLE caps (
    token_id INTEGER PRIMARY KEY REFERENCES tokens (id),
    amount   INTEGER NOT NULL CHECK (amount >= 0),
    per      TEXT    NOT NULL CHECK (per IN ('day', 'month', 'total')),
    -- A cache of the books, changed in the same transactions: what the token's usage entries
    -- from this moment on cost (the period's beginning, UTC), and what its open holds pin.
    since    INTEGER NOT NULL CHECK (since >= 0),
    spent    INTEGER NOT NULL CHECK (spent >= 0),
    held     INTEGER NOT NULL CHECK (held >= 0)
) STRICT;

CREATE TABLE alerts (
    account_id INTEGER PRIMARY KEY REFERENCES accounts (id),
    threshold  INTEGER NOT NULL CHECK (threshold > 0),
    url        TEXT,
    secret     TEXT,  -- in clear: it signs what is sent
    CHECK ((url IS NULL) = (secret IS NULL))
) STRICT;

CREATE TABLE outbox (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES alerts (account_id) ON DELETE CASCADE,
    available  INTEGER NOT NULL,
    threshold  INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    logged     INTEGER NOT NULL DEFAULT 0 CHECK (logged IN (0, 1))
) STRICT;
CREATE INDEX outbox_of_account ON outbox (account_id);

-- Whatever lowers a balance (a capture, an expiry) says so in its own transaction. A hold does
-- not lower it: what is held for a moment and given back is no reason to alarm anybody.
CREATE TRIGGER a_balance_falls_below_its_threshold AFTER UPDATE OF available, held ON accounts
WHEN new.available + new.held < old.available + old.held
BEGIN
    INSERT INTO outbox (account_id, available, threshold, at)
    SELECT new.id, new.available, threshold, CAST(unixepoch('subsec') * 1000000 AS INTEGER)
    FROM alerts
    WHERE account_id = new.id
        AND threshold > new.available + new.held
        AND threshold <= old.available + old.held;
END;
