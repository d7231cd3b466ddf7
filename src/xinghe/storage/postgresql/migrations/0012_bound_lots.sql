-- Tokens that only some models may be paid with: see `ledger/bound.py`.

ALTER TABLE lots ADD COLUMN models TEXT COLLATE "C"
    CHECK (models::json IS NOT NULL OR models IS NULL);  -- null: every model
-- What open holds have set aside of a lot that is bound to models.
ALTER TABLE lots ADD COLUMN pinned BIGINT NOT NULL DEFAULT 0
    CHECK (pinned BETWEEN 0 AND remaining);
CREATE INDEX lots_bound ON lots (wallet_id, models, expires_at, id)
    WHERE remaining > 0 AND models IS NOT NULL;

-- How much of what is available lies in lots that are bound to models.
ALTER TABLE wallets ADD COLUMN bound BIGINT NOT NULL DEFAULT 0
    CHECK (bound BETWEEN 0 AND available);

-- How much of a hold was set aside in lots that are bound to models, and in which.
ALTER TABLE holds ADD COLUMN pinned BIGINT NOT NULL DEFAULT 0 CHECK (pinned >= 0);
DROP INDEX holds_open_of_wallet;
CREATE INDEX holds_open_of_wallet ON holds (wallet_id, created_at, amount, pinned)
    WHERE state = 'open';
CREATE TABLE pins (
    hold_id TEXT COLLATE "C" NOT NULL REFERENCES holds (id),
    lot_id  BIGINT NOT NULL REFERENCES lots (id),
    amount  BIGINT NOT NULL CHECK (amount > 0),
    PRIMARY KEY (hold_id, lot_id)
);
CREATE INDEX pins_of_lot ON pins (lot_id);
