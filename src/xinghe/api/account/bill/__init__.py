"""`GET /account/bill`: the bill of a month, whole or line by line."""
