-- What a web search costs and brings, and whether a stream has begun.

ALTER TABLE holds ADD COLUMN search_tokens INTEGER NOT NULL DEFAULT 0 CHECK (search_tokens >= 0);
ALTER TABLE holds ADD COLUMN searches INTEGER NOT NULL DEFAULT 0 CHECK (searches >= 0);
ALTER TABLE holds ADD COLUMN search_rate INTEGER NOT NULL DEFAULT 0;
-- A stream that died before it began owes nothing. What older programs opened counts as begun.
ALTER TABLE holds ADD COLUMN started INTEGER NOT NULL DEFAULT 1 CHECK (started IN (0, 1));

ALTER TABLE entries ADD COLUMN searches INTEGER NOT NULL DEFAULT 0 CHECK (searches >= 0);
ALTER TABLE entries ADD COLUMN search_rate INTEGER;
