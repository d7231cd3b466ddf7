-- One index fewer to be written with every request; who looked by it looks by the account or the time.

DROP INDEX holds_of_token;
