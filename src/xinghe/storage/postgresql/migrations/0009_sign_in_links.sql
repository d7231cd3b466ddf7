-- The links that sign one member in, once, for some minutes: `xinghe console link`.

CREATE TABLE sign_in_links (
    digest     BYTEA  PRIMARY KEY CHECK (length(digest) = 32),
    member_id  BIGINT NOT NULL REFERENCES members (id),
    expires_at BIGINT NOT NULL
);
