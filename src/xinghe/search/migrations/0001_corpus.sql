-- The local corpus. Times are microseconds since 1970, sizes bytes.
CREATE TABLE collections (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    public INTEGER NOT NULL CHECK (public IN (0, 1)),
    url TEXT NOT NULL,          -- what a document's path is appended to; empty: served by ourselves
    indexed_at INTEGER NOT NULL
) STRICT;

CREATE TABLE documents (
    id INTEGER PRIMARY KEY,
    collection_id INTEGER NOT NULL REFERENCES collections ON DELETE CASCADE,
    path TEXT NOT NULL,         -- what follows the collection in a URL
    origin TEXT NOT NULL,       -- where the file stands on this machine
    title TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified INTEGER NOT NULL,  -- the file's own time, nanoseconds
    UNIQUE (collection_id, path)
) STRICT;

-- Joined in order of `position`, the passages of a document are its whole text.
-- Ids are never used again, so that what was read by id is known to be old.
CREATE TABLE passages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    document_id INTEGER NOT NULL REFERENCES documents ON DELETE CASCADE,
    position INTEGER NOT NULL,
    heading TEXT NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (document_id, position)
) STRICT;

CREATE TABLE vectors (
    passage_id INTEGER PRIMARY KEY REFERENCES passages ON DELETE CASCADE,
    vector BLOB NOT NULL        -- 32-bit floats, of length 1
) STRICT;

-- The terms of `xinghe.search.terms`, already cut: the tokenizer only splits at spaces and stems
-- English.
CREATE VIRTUAL TABLE terms USING fts5 (
    title, heading, body, content = '', contentless_delete = 1,
    tokenize = 'porter unicode61 remove_diacritics 0'
);

CREATE TRIGGER passages_deleted AFTER DELETE ON passages BEGIN
    DELETE FROM terms WHERE rowid = old.id;
END;
