-- What is sold, what was ordered, paid, redeemed and refunded: see `sales/`.
-- Amounts are micro-Tokens, prices whole minor units of their currency, such as fen.

CREATE TABLE packages (
    id           INTEGER PRIMARY KEY,
    name         TEXT    NOT NULL,
    description  TEXT    NOT NULL,
    amount       INTEGER NOT NULL CHECK (amount > 0),
    price        INTEGER NOT NULL CHECK (price >= 0),
    currency     TEXT    NOT NULL,
    valid_days   INTEGER CHECK (valid_days > 0),  -- from the payment on; null: for ever
    models       TEXT    CHECK (json_valid(models)),  -- null: every model
    created_at   INTEGER NOT NULL,
    withdrawn_at INTEGER
) STRICT;
CREATE UNIQUE INDEX packages_by_name ON packages (name) WHERE withdrawn_at IS NULL;

-- Whose members alone may buy a package, for themselves or for the group; none: everybody.
CREATE TABLE package_groups (
    package_id INTEGER NOT NULL REFERENCES packages (id),
    group_id   INTEGER NOT NULL REFERENCES groups (id),
    PRIMARY KEY (package_id, group_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE orders (
    id         INTEGER PRIMARY KEY,
    -- What the buyer and the payment provider are told.
    number     TEXT    NOT NULL UNIQUE,
    package_id INTEGER NOT NULL REFERENCES packages (id),
    wallet_id  INTEGER NOT NULL REFERENCES wallets (id),
    member_id  INTEGER REFERENCES members (id),  -- who ordered; null: a command did
    -- The package as it was ordered.
    name       TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    price      INTEGER NOT NULL CHECK (price >= 0),
    currency   TEXT    NOT NULL,
    valid_days INTEGER CHECK (valid_days > 0),
    models     TEXT    CHECK (json_valid(models)),
    provider   TEXT    NOT NULL,
    -- One that is open when it expires stays so: money that comes late is credited all the same.
    state      TEXT    NOT NULL CHECK (state IN ('open', 'failed', 'cancelled', 'paid')),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    -- Of the payment, by its provider or by the operator who confirmed it.
    reference  TEXT,
    lot_id     INTEGER UNIQUE REFERENCES lots (id),
    CHECK ((state = 'paid') = (lot_id IS NOT NULL)),
    CHECK (state != 'paid' OR reference IS NOT NULL)
) STRICT;
CREATE UNIQUE INDEX orders_of_payment ON orders (provider, reference) WHERE reference IS NOT NULL;
CREATE INDEX orders_of_wallet ON orders (wallet_id, id);
CREATE INDEX orders_waiting ON orders (wallet_id, expires_at) WHERE state = 'open';
CREATE INDEX orders_by_state ON orders (state, id);

-- What payment providers have said, each once: what is told again does nothing.
CREATE TABLE payment_events (
    id       INTEGER PRIMARY KEY,
    provider TEXT    NOT NULL,
    event_id TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    order_id INTEGER REFERENCES orders (id),  -- null: it names none that there is
    kind     TEXT    NOT NULL,
    outcome  TEXT    NOT NULL,
    -- As it was told: somebody looks at what fits no order.
    number    TEXT   NOT NULL,
    reference TEXT   NOT NULL,
    amount    TEXT   NOT NULL,
    currency  TEXT   NOT NULL,
    UNIQUE (provider, event_id)
) STRICT;
CREATE INDEX payment_events_of_order ON payment_events (order_id, id) WHERE order_id IS NOT NULL;
CREATE INDEX payment_events_by_outcome ON payment_events (outcome, id);

CREATE TABLE refunds (
    id         INTEGER PRIMARY KEY,
    order_id   INTEGER NOT NULL REFERENCES orders (id),
    at         INTEGER NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    price      INTEGER NOT NULL CHECK (price >= 0),
    reason     TEXT    NOT NULL,
    reference  TEXT    NOT NULL,
    created_by INTEGER REFERENCES members (id)  -- null: a command
) STRICT;
CREATE UNIQUE INDEX refunds_of_order ON refunds (order_id, reference);

CREATE TABLE code_batches (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    valid_days INTEGER CHECK (valid_days > 0),
    models     TEXT    CHECK (json_valid(models)),
    -- 0 while its codes are being made.
    count      INTEGER NOT NULL CHECK (count >= 0),
    redeemed   INTEGER NOT NULL DEFAULT 0 CHECK (redeemed BETWEEN 0 AND count),
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by INTEGER REFERENCES members (id),  -- null: a command
    revoked_at INTEGER
) STRICT;

CREATE TABLE codes (
    digest      BLOB    NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
    batch_id    INTEGER NOT NULL REFERENCES code_batches (id),
    number      INTEGER NOT NULL CHECK (number > 0),
    redeemed_at INTEGER,
    wallet_id   INTEGER REFERENCES wallets (id),
    member_id   INTEGER REFERENCES members (id),
    lot_id      INTEGER UNIQUE REFERENCES lots (id),
    UNIQUE (batch_id, number),
    CHECK ((redeemed_at IS NULL) = (lot_id IS NULL)),
    CHECK ((redeemed_at IS NULL) = (wallet_id IS NULL))
) STRICT, WITHOUT ROWID;

-- What moved from one wallet into another; each has an entry on both sides.
CREATE TABLE transfers (
    id        INTEGER PRIMARY KEY,
    at        INTEGER NOT NULL,
    source_id INTEGER NOT NULL REFERENCES wallets (id),
    target_id INTEGER NOT NULL REFERENCES wallets (id),
    amount    INTEGER NOT NULL CHECK (amount > 0),
    CHECK (source_id != target_id)
) STRICT;
