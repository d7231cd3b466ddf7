"""A PostgreSQL server: one of the operator's, or the one that comes with Xinghe.

psycopg is imported by `backend`, and that where it is used: who keeps to SQLite never loads it.
"""
