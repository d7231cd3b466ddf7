"""What was used, by whom, when, and what of it failed: read from the books and their roll-ups."""
