-- Idempotency keys of requests that run, on whichever gateway: see `keys_at_work.py`.

CREATE TABLE keys_at_work (
    -- Without a reference: a row lives as long as its request, and a reference would lock the member.
    member_id BIGINT NOT NULL,
    operation TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of the key and of the request's body.
    key       BYTEA  NOT NULL CHECK (length(key) = 32),
    asked     BYTEA  NOT NULL CHECK (length(asked) = 32),
    -- The `boot_id` of the process whose request it is: it counts for as long as that one lives.
    owner     TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (member_id, operation, key)
);
