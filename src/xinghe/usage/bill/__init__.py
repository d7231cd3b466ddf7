"""The bill of a month: what wallets had, what was booked, what was used at which price."""
