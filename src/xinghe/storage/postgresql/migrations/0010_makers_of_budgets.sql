-- The member who made a budget; null: a command did, or it is older than this.

ALTER TABLE budgets ADD COLUMN created_by BIGINT REFERENCES members (id);
