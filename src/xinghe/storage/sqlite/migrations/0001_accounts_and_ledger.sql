-- Accounts, access tokens and the ledger.
-- Amounts are whole micro-Tokens, times whole microseconds since 1970 (UTC).

CREATE TABLE accounts (
    id         INTEGER PRIMARY KEY,
    appid      TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL UNIQUE,
    -- A cache of the entries' sum, split into what may be spent and what open holds pin.
    available  INTEGER NOT NULL DEFAULT 0 CHECK (available >= 0),
    held       INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
    id         INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    public_id  TEXT    NOT NULL UNIQUE,
    digest     BLOB    NOT NULL CHECK (length(digest) = 32),
    name       TEXT    NOT NULL,
    scopes     TEXT    NOT NULL CHECK (json_valid(scopes)),
    models     TEXT    CHECK (json_valid(models)),  -- null: every model
    expires_at INTEGER,
    revoked_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX tokens_of_account ON tokens (account_id);

CREATE TABLE lots (
    id         INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    kind       TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    remaining  INTEGER NOT NULL CHECK (remaining BETWEEN 0 AND amount),
    expires_at INTEGER,
    created_at INTEGER NOT NULL,
    note       TEXT    NOT NULL
) STRICT;
CREATE INDEX lots_to_spend ON lots (account_id, expires_at, id) WHERE remaining > 0;
CREATE INDEX lots_to_expire ON lots (expires_at) WHERE remaining > 0 AND expires_at IS NOT NULL;

CREATE TABLE holds (
    id            TEXT    PRIMARY KEY,
    account_id    INTEGER NOT NULL REFERENCES accounts (id),
    token_id      INTEGER NOT NULL REFERENCES tokens (id),
    request_id    TEXT    NOT NULL,
    model         TEXT    NOT NULL,
    amount        INTEGER NOT NULL CHECK (amount >= 0),
    state         TEXT    NOT NULL CHECK (state IN ('open', 'captured', 'released')),
    owner         TEXT    NOT NULL,
    stream        INTEGER NOT NULL CHECK (stream IN (0, 1)),
    -- What is owed if the owner dies now: the prompt, and the last checkpoint of what came out.
    prompt_tokens INTEGER NOT NULL CHECK (prompt_tokens >= 0),
    cached_tokens INTEGER NOT NULL DEFAULT 0 CHECK (cached_tokens BETWEEN 0 AND prompt_tokens),
    emitted       INTEGER NOT NULL DEFAULT 0 CHECK (emitted >= 0),
    input_rate    INTEGER NOT NULL,
    output_rate   INTEGER NOT NULL,
    cached_rate   INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    resolved_at   INTEGER,
    CHECK ((state = 'open') = (resolved_at IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX holds_open ON holds (owner) WHERE state = 'open';
CREATE INDEX holds_of_token ON holds (token_id);

CREATE TABLE entries (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id        INTEGER NOT NULL REFERENCES accounts (id),
    at                INTEGER NOT NULL,
    kind              TEXT    NOT NULL,
    amount            INTEGER NOT NULL,
    balance_after     INTEGER NOT NULL CHECK (balance_after >= 0),
    request_id        TEXT,
    hold_id           TEXT    REFERENCES holds (id),
    model             TEXT,
    token_id          INTEGER REFERENCES tokens (id),
    token_name        TEXT,
    prompt_tokens     INTEGER NOT NULL DEFAULT 0 CHECK (prompt_tokens >= 0),
    completion_tokens INTEGER NOT NULL DEFAULT 0 CHECK (completion_tokens >= 0),
    cached_tokens     INTEGER NOT NULL DEFAULT 0 CHECK (cached_tokens >= 0),
    search_tokens     INTEGER NOT NULL DEFAULT 0 CHECK (search_tokens >= 0),
    input_rate        INTEGER,
    output_rate       INTEGER,
    cached_rate       INTEGER,
    note              TEXT    NOT NULL DEFAULT '',
    CHECK (kind != 'usage' OR (hold_id IS NOT NULL AND amount <= 0))
) STRICT;
CREATE INDEX entries_of_account ON entries (account_id, id);
CREATE UNIQUE INDEX one_usage_entry_a_hold ON entries (hold_id) WHERE kind = 'usage';

CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries are append-only');
END;
CREATE TRIGGER entries_are_never_deleted BEFORE DELETE ON entries
BEGIN
    SELECT RAISE(ABORT, 'entries are append-only');
END;

CREATE TABLE audit (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL,
    action  TEXT    NOT NULL,
    subject TEXT    NOT NULL,
    detail  TEXT    NOT NULL
) STRICT;
