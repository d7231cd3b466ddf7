-- Which processes are alive, in this server's time: see `ledger/processes.py`.

CREATE TABLE processes (
    boot_id      TEXT COLLATE "C" PRIMARY KEY,
    seen_at      BIGINT NOT NULL,
    -- Since when its row was renewed without a gap.
    steady_since BIGINT NOT NULL
);
