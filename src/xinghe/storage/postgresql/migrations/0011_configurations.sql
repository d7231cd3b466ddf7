-- The applied versions of the configuration: see `configuration/tables.py`.

-- Trees and lists, each once however many versions have it.
CREATE TABLE configuration_contents (
    digest BYTEA PRIMARY KEY CHECK (length(digest) = 32),
    body   BYTEA NOT NULL
);

CREATE TABLE configurations (
    id      BIGINT PRIMARY KEY CHECK (id > 0),
    at      BIGINT NOT NULL,
    -- A member (app-…), cli:USER, or file.
    author  TEXT   NOT NULL,
    source  TEXT   NOT NULL CHECK (source IN ('api', 'command', 'file')),
    note    TEXT   NOT NULL,
    -- How many fields differ from the version before; the first of them as JSON, without secrets.
    changed BIGINT NOT NULL,
    changes TEXT   NOT NULL,
    content BYTEA  NOT NULL REFERENCES configuration_contents (digest),
    -- What the files held that it was imported from.
    file    BYTEA  REFERENCES configuration_contents (digest)
);

-- The data directories whose files are imported, and how it goes there.
CREATE TABLE configuration_places (
    -- Empty: the directory that this database is in; else host:path.
    place   TEXT COLLATE "C" PRIMARY KEY,
    -- What its files held when they were last imported.
    file    BYTEA  REFERENCES configuration_contents (digest),
    -- Of the service that runs there: the version that it serves by; why not by a newer one, and
    -- why not what its files hold.
    at      BIGINT NOT NULL,
    version BIGINT NOT NULL,
    trouble TEXT   NOT NULL
);
