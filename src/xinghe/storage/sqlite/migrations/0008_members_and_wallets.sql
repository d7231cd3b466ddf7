-- Members, groups and their wallets; budgets; sign-in; what usage details are told from.
-- An account becomes a member and a wallet of the same number.

DROP TRIGGER a_balance_falls_below_its_threshold;
ALTER TABLE accounts RENAME TO wallets;

CREATE TABLE members (
    -- That of the member's own wallet.
    id          INTEGER PRIMARY KEY REFERENCES wallets (id),
    appid       TEXT    NOT NULL UNIQUE,
    name        TEXT    UNIQUE,  -- null: the person was deleted, the books stay
    password    TEXT,
    operator    INTEGER NOT NULL DEFAULT 0 CHECK (operator IN (0, 1)),
    disabled_at INTEGER,
    deleted_at  INTEGER,
    created_at  INTEGER NOT NULL,
    CHECK ((name IS NULL) = (deleted_at IS NOT NULL))
) STRICT;
INSERT INTO members (id, appid, name, operator, created_at)
SELECT id, appid, name, name = 'default', created_at FROM wallets;

CREATE TABLE new_wallets (
    id         INTEGER PRIMARY KEY,
    -- A cache of the entries' sum, split into what may be spent and what open holds pin.
    available  INTEGER NOT NULL DEFAULT 0 CHECK (available >= 0),
    held       INTEGER NOT NULL DEFAULT 0 CHECK (held >= 0),
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO new_wallets SELECT id, available, held, created_at FROM wallets;
DROP TABLE wallets;
ALTER TABLE new_wallets RENAME TO wallets;

CREATE TABLE groups (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    parent_id  INTEGER REFERENCES groups (id),  -- the organisation that it belongs to
    wallet_id  INTEGER NOT NULL UNIQUE REFERENCES wallets (id),
    models     TEXT    CHECK (json_valid(models)),  -- null: every model
    created_at INTEGER NOT NULL,
    deleted_at INTEGER
) STRICT;
CREATE UNIQUE INDEX groups_by_name ON groups (name) WHERE deleted_at IS NULL;
CREATE INDEX groups_of_organisation ON groups (parent_id) WHERE parent_id IS NOT NULL;

CREATE TABLE memberships (
    group_id  INTEGER NOT NULL REFERENCES groups (id),
    member_id INTEGER NOT NULL REFERENCES members (id),
    role      TEXT    NOT NULL CHECK (role IN ('owner', 'manager', 'member')),
    joined_at INTEGER NOT NULL,
    PRIMARY KEY (group_id, member_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_of_member ON memberships (member_id);

-- Which wallets pay for a member, the first that covers a request; without a row, the own one.
CREATE TABLE payment_order (
    member_id INTEGER NOT NULL REFERENCES members (id),
    position  INTEGER NOT NULL CHECK (position >= 0),
    wallet_id INTEGER NOT NULL REFERENCES wallets (id),
    PRIMARY KEY (member_id, position),
    UNIQUE (member_id, wallet_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX payment_order_of_wallet ON payment_order (wallet_id);

CREATE TABLE invitations (
    id         INTEGER PRIMARY KEY,
    group_id   INTEGER NOT NULL REFERENCES groups (id),
    role       TEXT    NOT NULL CHECK (role IN ('owner', 'manager', 'member')),
    pays       TEXT    NOT NULL CHECK (pays IN ('group', 'own', 'group,own', 'own,group')),
    amount     INTEGER NOT NULL CHECK (amount >= 0),  -- what a new member begins with
    digest     BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    uses_left  INTEGER NOT NULL CHECK (uses_left >= 0),
    expires_at INTEGER NOT NULL,
    created_by INTEGER REFERENCES members (id),
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX invitations_of_group ON invitations (group_id, id);

-- Who a person is at an OpenID provider.
CREATE TABLE identities (
    issuer     TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    member_id  INTEGER NOT NULL REFERENCES members (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT, WITHOUT ROWID;
CREATE INDEX identities_of_member ON identities (member_id);

CREATE TABLE sessions (
    id         INTEGER PRIMARY KEY,
    member_id  INTEGER NOT NULL REFERENCES members (id),
    -- The access token that it was made of: it has no more rights, and ends with it.
    token_id   INTEGER REFERENCES tokens (id),
    digest     BLOB    NOT NULL UNIQUE CHECK (length(digest) = 32),
    method     TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;
CREATE INDEX sessions_of_member ON sessions (member_id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE new_tokens (
    id         INTEGER PRIMARY KEY,
    member_id  INTEGER NOT NULL REFERENCES members (id),
    public_id  TEXT    NOT NULL UNIQUE,
    digest     BLOB    NOT NULL CHECK (length(digest) = 32),
    name       TEXT    NOT NULL,
    scopes     TEXT    NOT NULL CHECK (json_valid(scopes)),
    models     TEXT    CHECK (json_valid(models)),  -- null: every model
    expires_at INTEGER,
    revoked_at INTEGER,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO new_tokens SELECT * FROM tokens;
DROP TABLE tokens;
ALTER TABLE new_tokens RENAME TO tokens;
CREATE INDEX tokens_of_member ON tokens (member_id, id);

CREATE TABLE new_kept_answers (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id INTEGER NOT NULL REFERENCES members (id),
    operation TEXT    NOT NULL,
    -- SHA-256 of the key and of the request's body: neither is kept in clear.
    key       BLOB    NOT NULL CHECK (length(key) = 32),
    asked     BLOB    NOT NULL CHECK (length(asked) = 32),
    model     TEXT    NOT NULL,
    status    INTEGER NOT NULL,
    headers   BLOB    NOT NULL,
    body      BLOB    NOT NULL,
    size      INTEGER NOT NULL CHECK (size >= 0),
    at        INTEGER NOT NULL,
    UNIQUE (member_id, operation, key)
) STRICT;
INSERT INTO new_kept_answers SELECT * FROM kept_answers;
DROP TABLE kept_answers;
ALTER TABLE new_kept_answers RENAME TO kept_answers;
CREATE INDEX kept_answers_by_age ON kept_answers (at);
CREATE TRIGGER an_answer_is_kept AFTER INSERT ON kept_answers
BEGIN
    UPDATE kept_answers_total SET bytes = bytes + new.size;
END;
CREATE TRIGGER an_answer_is_dropped AFTER DELETE ON kept_answers
BEGIN
    UPDATE kept_answers_total SET bytes = bytes - old.size;
END;

ALTER TABLE lots RENAME COLUMN account_id TO wallet_id;
ALTER TABLE alerts RENAME COLUMN account_id TO wallet_id;
ALTER TABLE outbox RENAME COLUMN account_id TO wallet_id;
DROP INDEX outbox_of_account;
CREATE INDEX outbox_of_wallet ON outbox (wallet_id);

-- Whatever lowers a balance (a capture, an expiry) says so in its own transaction. A hold does
-- not lower it: what is held for a moment and given back is no reason to alarm anybody.
CREATE TRIGGER a_balance_falls_below_its_threshold AFTER UPDATE OF available, held ON wallets
WHEN new.available + new.held < old.available + old.held
BEGIN
    INSERT INTO outbox (wallet_id, available, threshold, at)
    SELECT new.id, new.available, threshold, CAST(unixepoch('subsec') * 1000000 AS INTEGER)
    FROM alerts
    WHERE wallet_id = new.id
        AND threshold > new.available + new.held
        AND threshold <= old.available + old.held;
END;

-- What is counted against a budget is a cache of the books, changed in the same transactions.
CREATE TABLE budgets (
    id         INTEGER PRIMARY KEY,
    -- Whose requests count: a token's, a member's, those of a group's members; without any, all.
    token_id   INTEGER REFERENCES tokens (id),
    member_id  INTEGER REFERENCES members (id),
    group_id   INTEGER REFERENCES groups (id),
    model      TEXT,  -- null: whatever the model
    unit       TEXT    NOT NULL CHECK (unit IN ('tokens', 'requests', 'rpm', 'tpm', 'concurrent')),
    per        TEXT    CHECK (per IN ('hour', 'day', 'week', 'month', 'total')),
    rolling    INTEGER NOT NULL DEFAULT 0 CHECK (rolling IN (0, 1)),
    zone       TEXT    NOT NULL DEFAULT 'UTC',
    amount     INTEGER NOT NULL CHECK (amount >= 0),  -- of `tokens`: in micro-Tokens
    created_at INTEGER NOT NULL,
    ended_at   INTEGER,
    CHECK ((token_id IS NOT NULL) + (member_id IS NOT NULL) + (group_id IS NOT NULL) <= 1),
    CHECK ((unit IN ('tokens', 'requests')) = (per IS NOT NULL)),
    CHECK (rolling = 0 OR per != 'total')
) STRICT;
CREATE INDEX budgets_of_token ON budgets (token_id) WHERE token_id IS NOT NULL;
CREATE INDEX budgets_of_member ON budgets (member_id) WHERE member_id IS NOT NULL;
CREATE INDEX budgets_of_group ON budgets (group_id) WHERE group_id IS NOT NULL;
CREATE INDEX budgets_of_all ON budgets (id) WHERE token_id IS NULL AND member_id IS NULL AND group_id IS NULL;

CREATE TABLE budget_windows (
    budget_id INTEGER NOT NULL REFERENCES budgets (id),
    since     INTEGER NOT NULL CHECK (since >= 0),
    -- What was used in it before the budget was made, and that with all since: of the holds that
    -- were opened in it, what the open ones pin and the captured ones cost (or their number).
    base      INTEGER NOT NULL DEFAULT 0 CHECK (base >= 0),
    used      INTEGER NOT NULL CHECK (used >= base),
    PRIMARY KEY (budget_id, since)
) STRICT, WITHOUT ROWID;

ALTER TABLE holds RENAME COLUMN account_id TO wallet_id;
DROP INDEX holds_open_of_account;
CREATE INDEX holds_open_of_wallet ON holds (wallet_id, created_at, amount) WHERE state = 'open';
ALTER TABLE holds ADD COLUMN member_id INTEGER REFERENCES members (id);
-- What it counts in: `budget@window`, with spaces between.
ALTER TABLE holds ADD COLUMN budgets TEXT NOT NULL DEFAULT '';

INSERT INTO budgets (id, token_id, unit, per, amount, created_at)
SELECT c.token_id, c.token_id, 'tokens', c.per, c.amount, t.created_at
FROM caps c JOIN tokens t ON t.id = c.token_id;
UPDATE holds SET budgets = (
    SELECT c.token_id || '@' || c.since FROM caps c WHERE c.token_id = holds.token_id)
WHERE state = 'open' AND EXISTS (
    SELECT 1 FROM caps c WHERE c.token_id = holds.token_id AND holds.created_at >= c.since);
INSERT INTO budget_windows (budget_id, since, base, used)
SELECT token_id, since, spent, spent FROM caps;
-- What is open counts in the window in which it was opened, which may have ended meanwhile.
UPDATE budget_windows SET used = used + coalesce((
    SELECT sum(amount) FROM holds
    WHERE state = 'open' AND token_id = budget_id AND created_at >= since), 0);
DROP TABLE caps;

ALTER TABLE entries RENAME COLUMN account_id TO wallet_id;
DROP INDEX entries_of_account;
CREATE INDEX entries_of_wallet ON entries (wallet_id, id);
ALTER TABLE entries ADD COLUMN member_id INTEGER REFERENCES members (id);
ALTER TABLE entries ADD COLUMN reasoning_tokens INTEGER NOT NULL DEFAULT 0
    CHECK (reasoning_tokens >= 0);
-- Milliseconds from the request's arrival: to its hold, to its first token, to its end.
ALTER TABLE entries ADD COLUMN wait_ms INTEGER;
ALTER TABLE entries ADD COLUMN first_ms INTEGER;
ALTER TABLE entries ADD COLUMN total_ms INTEGER;
ALTER TABLE entries ADD COLUMN finish TEXT;
ALTER TABLE entries DROP COLUMN token_name;  -- one place less where a person's name may stand
-- By time: what a wallet paid, what others' wallets paid for a member, what was no use.
CREATE INDEX entries_by_time ON entries (wallet_id, at, id);
CREATE INDEX entries_of_member ON entries (member_id, at, id) WHERE member_id <> wallet_id;
CREATE INDEX entries_beside_use ON entries (wallet_id, at, id) WHERE kind <> 'usage';
CREATE INDEX entries_of_request ON entries (request_id) WHERE request_id IS NOT NULL;

-- What the usage entries say, hour by hour (UTC), and what was refused. `outcome` is empty where
-- it was charged, else the error's code.
CREATE TABLE usage_hours (
    wallet_id         INTEGER NOT NULL REFERENCES wallets (id),
    hour              INTEGER NOT NULL,
    member_id         INTEGER NOT NULL REFERENCES members (id),
    token_id          INTEGER NOT NULL REFERENCES tokens (id),
    model             TEXT    NOT NULL,
    outcome           TEXT    NOT NULL,
    requests          INTEGER NOT NULL DEFAULT 0,
    prompt_tokens     INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens     INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens  INTEGER NOT NULL DEFAULT 0,
    searches          INTEGER NOT NULL DEFAULT 0,
    spend             INTEGER NOT NULL DEFAULT 0,
    -- Of those whose first token's time is known: their number, sums of tokens and milliseconds.
    timed             INTEGER NOT NULL DEFAULT 0,
    timed_tokens      INTEGER NOT NULL DEFAULT 0,
    first_ms          INTEGER NOT NULL DEFAULT 0,
    total_ms          INTEGER NOT NULL DEFAULT 0,
    -- Of the first and of the last that was charged.
    first_at          INTEGER,
    last_at           INTEGER,
    PRIMARY KEY (wallet_id, hour, member_id, token_id, model, outcome)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_hours_of_member ON usage_hours (member_id, hour);
CREATE INDEX usage_hours_of_token ON usage_hours (token_id, hour);
CREATE INDEX usage_hours_of_model ON usage_hours (wallet_id, model, hour);
INSERT INTO usage_hours (wallet_id, hour, member_id, token_id, model, outcome, requests,
    prompt_tokens, completion_tokens, cached_tokens, searches, spend, first_at, last_at)
SELECT e.wallet_id, e.at - e.at % 3600000000, t.member_id, e.token_id, e.model, '', count(*),
    sum(e.prompt_tokens), sum(e.completion_tokens), sum(e.cached_tokens), sum(e.searches),
    -sum(e.amount), min(e.at), max(e.at)
FROM entries e JOIN tokens t ON t.id = e.token_id WHERE e.kind = 'usage' AND e.model IS NOT NULL
GROUP BY e.wallet_id, e.at - e.at % 3600000000, t.member_id, e.token_id, e.model;

-- Of hours that were closed: what each did in a month (UTC); what all members of a group did in an
-- hour, a day, a month.
CREATE TABLE usage_members (
    wallet_id         INTEGER NOT NULL REFERENCES wallets (id),
    since             INTEGER NOT NULL,
    member_id         INTEGER NOT NULL REFERENCES members (id),
    token_id          INTEGER NOT NULL REFERENCES tokens (id),
    model             TEXT    NOT NULL,
    outcome           TEXT    NOT NULL,
    requests          INTEGER NOT NULL DEFAULT 0,
    prompt_tokens     INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens     INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens  INTEGER NOT NULL DEFAULT 0,
    searches          INTEGER NOT NULL DEFAULT 0,
    spend             INTEGER NOT NULL DEFAULT 0,
    timed             INTEGER NOT NULL DEFAULT 0,
    timed_tokens      INTEGER NOT NULL DEFAULT 0,
    first_ms          INTEGER NOT NULL DEFAULT 0,
    total_ms          INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (wallet_id, since, member_id, token_id, model, outcome)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_members_of_member ON usage_members (member_id, since);
CREATE INDEX usage_members_of_token ON usage_members (token_id, since);
CREATE TABLE usage_groups (
    wallet_id         INTEGER NOT NULL REFERENCES wallets (id),
    span              TEXT    NOT NULL CHECK (span IN ('hour', 'day', 'month')),
    since             INTEGER NOT NULL,
    model             TEXT    NOT NULL,
    outcome           TEXT    NOT NULL,
    requests          INTEGER NOT NULL DEFAULT 0,
    prompt_tokens     INTEGER NOT NULL DEFAULT 0,
    completion_tokens INTEGER NOT NULL DEFAULT 0,
    cached_tokens     INTEGER NOT NULL DEFAULT 0,
    reasoning_tokens  INTEGER NOT NULL DEFAULT 0,
    searches          INTEGER NOT NULL DEFAULT 0,
    spend             INTEGER NOT NULL DEFAULT 0,
    timed             INTEGER NOT NULL DEFAULT 0,
    timed_tokens      INTEGER NOT NULL DEFAULT 0,
    first_ms          INTEGER NOT NULL DEFAULT 0,
    total_ms          INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (wallet_id, span, since, model, outcome)
) STRICT, WITHOUT ROWID;
-- Closed are the hours before `since`; those before `upto`, of the wallets up to `wallet_id`.
CREATE TABLE usage_closed (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    since     INTEGER NOT NULL,
    upto      INTEGER NOT NULL,
    wallet_id INTEGER NOT NULL
) STRICT;
INSERT INTO usage_closed (id, since, upto, wallet_id)
SELECT 1, at, at, 0 FROM (SELECT unixepoch() / 3600 * 3600000000 AS at) n;
INSERT INTO usage_members (wallet_id, since, member_id, token_id, model, outcome, requests,
    prompt_tokens, completion_tokens, cached_tokens, searches, spend)
SELECT wallet_id, unixepoch(hour / 1000000, 'unixepoch', 'start of month') * 1000000 AS month,
    member_id, token_id, model, outcome, sum(requests), sum(prompt_tokens), sum(completion_tokens),
    sum(cached_tokens), sum(searches), sum(spend)
FROM usage_hours WHERE hour < (SELECT since FROM usage_closed)
GROUP BY wallet_id, month, member_id, token_id, model, outcome;

-- Requests that failed, for some days.
CREATE TABLE failures (
    id         INTEGER PRIMARY KEY,
    wallet_id  INTEGER NOT NULL REFERENCES wallets (id),
    member_id  INTEGER NOT NULL REFERENCES members (id),
    token_id   INTEGER NOT NULL REFERENCES tokens (id),
    request_id TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    operation  TEXT    NOT NULL,
    model      TEXT    NOT NULL,
    status     INTEGER NOT NULL,
    code       TEXT    NOT NULL,
    total_ms   INTEGER NOT NULL
) STRICT;
CREATE INDEX failures_of_request ON failures (request_id);
CREATE INDEX failures_by_age ON failures (at);
CREATE INDEX failures_by_time ON failures (wallet_id, at, id);
CREATE INDEX failures_of_member ON failures (member_id, at, id) WHERE member_id <> wallet_id;

ALTER TABLE audit ADD COLUMN before TEXT;
ALTER TABLE audit ADD COLUMN after TEXT;
CREATE INDEX audit_of_subject ON audit (subject, id);
CREATE INDEX audit_of_actor ON audit (actor, id);
CREATE INDEX audit_of_action ON audit (action, id);
CREATE INDEX audit_by_time ON audit (at, id);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE OF id, at, actor, action, subject ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
-- A person who was deleted is named no more.
CREATE TRIGGER audit_forgets_the_deleted_alone BEFORE UPDATE OF detail, before, after ON audit
WHEN NOT EXISTS (
    SELECT 1 FROM members WHERE deleted_at IS NOT NULL AND (appid = old.subject
        OR id = (SELECT member_id FROM tokens WHERE public_id = old.subject)))
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;
CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log is append-only');
END;

-- Raised by all that is audited: what was read of members, groups and budgets holds until then.
CREATE TABLE revision (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    number INTEGER NOT NULL
) STRICT;
INSERT INTO revision (id, number) VALUES (1, 1);
