-- Idempotency keys of requests that run: on PostgreSQL. Here one process serves, and knows its own.

CREATE TABLE keys_at_work (
    member_id INTEGER NOT NULL,
    operation TEXT    NOT NULL,
    key       BLOB    NOT NULL CHECK (length(key) = 32),
    asked     BLOB    NOT NULL CHECK (length(asked) = 32),
    owner     TEXT    NOT NULL,
    PRIMARY KEY (member_id, operation, key)
) STRICT, WITHOUT ROWID;
