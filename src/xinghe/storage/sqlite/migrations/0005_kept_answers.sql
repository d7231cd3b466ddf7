-- Answers that are kept for their Idempotency-Key.

CREATE TABLE kept_answers (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    operation  TEXT    NOT NULL,
    -- SHA-256 of the key and of the request's body: neither is kept in clear.
    key        BLOB    NOT NULL CHECK (length(key) = 32),
    asked      BLOB    NOT NULL CHECK (length(asked) = 32),
    model      TEXT    NOT NULL,
    status     INTEGER NOT NULL,
    headers    BLOB    NOT NULL,
    body       BLOB    NOT NULL,
    size       INTEGER NOT NULL CHECK (size >= 0),
    at         INTEGER NOT NULL,
    UNIQUE (account_id, operation, key)
) STRICT;
CREATE INDEX kept_answers_by_age ON kept_answers (at);

-- A cache of the sum of sizes, so that each new answer can be held against the limit at once.
CREATE TABLE kept_answers_total (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT;
INSERT INTO kept_answers_total (id, bytes) VALUES (1, 0);

CREATE TRIGGER an_answer_is_kept AFTER INSERT ON kept_answers
BEGIN
    UPDATE kept_answers_total SET bytes = bytes + new.size;
END;
CREATE TRIGGER an_answer_is_dropped AFTER DELETE ON kept_answers
BEGIN
    UPDATE kept_answers_total SET bytes = bytes - old.size;
END;
