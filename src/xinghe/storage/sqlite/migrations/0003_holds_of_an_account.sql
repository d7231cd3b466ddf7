-- What an account's open holds from before a moment pin, for lots that expire meanwhile.

CREATE INDEX holds_open_of_account ON holds (account_id, created_at, amount) WHERE state = 'open';
