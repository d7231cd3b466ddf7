-- The links that sign one member in, once, for some minutes: `xinghe console link`.

CREATE TABLE sign_in_links (
    digest     BLOB    PRIMARY KEY CHECK (length(digest) = 32),
    member_id  INTEGER NOT NULL REFERENCES members (id),
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
