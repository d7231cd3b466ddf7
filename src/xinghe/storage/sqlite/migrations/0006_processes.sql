-- Which processes are alive: on PostgreSQL. Here file locks tell it, and nothing is written.

CREATE TABLE processes (
    boot_id      TEXT    PRIMARY KEY,
    seen_at      INTEGER NOT NULL,
    -- Since when its row was renewed without a gap.
    steady_since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
