-- Responses that a client asked to store, where the operator keeps any: see `kept_responses.py`.

CREATE TABLE kept_responses (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    member_id INTEGER NOT NULL REFERENCES members (id),
    -- What the client knows it by, and the one that it goes on from.
    name      TEXT    NOT NULL,
    previous  TEXT,
    model     TEXT    NOT NULL,
    -- JSON: the items that were sent, and the response as it went out.
    input     BLOB    NOT NULL,
    response  BLOB    NOT NULL,
    size      INTEGER NOT NULL CHECK (size >= 0),
    at        INTEGER NOT NULL,
    UNIQUE (member_id, name)
) STRICT;
CREATE INDEX kept_responses_by_age ON kept_responses (at);

-- A cache of the sum of sizes, so that each new response can be held against the limit at once.
CREATE TABLE kept_responses_total (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT;
INSERT INTO kept_responses_total (id, bytes) VALUES (1, 0);

CREATE TRIGGER a_response_is_kept AFTER INSERT ON kept_responses
BEGIN
    UPDATE kept_responses_total SET bytes = bytes + new.size;
END;
CREATE TRIGGER a_response_is_dropped AFTER DELETE ON kept_responses
BEGIN
    UPDATE kept_responses_total SET bytes = bytes - old.size;
END;
