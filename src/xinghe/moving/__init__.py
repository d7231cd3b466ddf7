"""The move of a live installation from its SQLite file to PostgreSQL, and the way back."""
