"""The database where it is PostgreSQL: whether it is there, and takes what the service writes."""

from __future__ import annotations

import os
from importlib import import_module

from .finding import Finding, fail, ok, warn
from .options import Options

NAME = "database"
SECONDS = 5
OLDEST = 14

QUERY = (
    "SELECT current_setting('server_version'), current_setting('server_version_num')::bigint, "
    "current_setting('server_encoding'), current_setting('transaction_read_only'), "
    "EXISTS (SELECT 1 FROM pg_tables WHERE tablename = 'schema_version')"
)


def database(options: Options) -> Finding | None:
    """None where the database is no PostgreSQL."""
    if options.database:
        return _at(options.database)
    local = os.path.join(options.data, "postgresql")
    if not os.path.isdir(local):
        return None
    if os.path.exists(os.path.join(local, "postmaster.pid")):
        try:
            # Not by its path, which may be longer than that of a socket can be.
            folder = os.open(local, os.O_RDONLY)
        except OSError as error:
            return fail(NAME, f"{local}: {error.strerror}", "ask as the user of the service")
        return _at(f"postgresql:///postgres?host=/proc/self/fd/{folder}&user=xinghe", f"in {local}")
    return ok(NAME, f"PostgreSQL in {local}, which starts with the service")


def _at(url: str, place: str = "") -> Finding:
    """Nothing is said of the URL but its host and its database: a password may be in it."""
    try:
        psycopg = import_module("psycopg")  # which the doctor itself can do without
    except ImportError:
        return warn(NAME, "PostgreSQL, and psycopg is not installed; not checked", "make run")
    # An @ further behind is one of the password, and what stands before it too.
    _, _, behind = url.replace("?", "/").partition("://")[2].partition("/")
    try:
        given = {} if "@" in behind else psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        given = {}
    if not given:
        mend = "in a user's name and password, write characters but letters and digits as %XX"
        return fail(NAME, "database.url cannot be read", mend)
    place = place or f"{given.get('dbname', '')} on {given.get('host', 'this machine')}"
    name = f"PostgreSQL {place}"
    try:
        with psycopg.connect(url, connect_timeout=SECONDS) as connection:
            found = connection.execute(QUERY).fetchone()
    except psycopg.Error as error:
        why = " ".join(str(error).split())
        return fail(NAME, f"{name}: {why}", "see that it runs, and that database.url is right")
    assert found is not None
    return _judged(name, *found)


def _judged(
    name: str, version: str, number: int, encoding: str, read_only: str, made: bool
) -> Finding:
    if number < OLDEST * 10_000:
        return fail(NAME, f"{name} is version {version}", f"PostgreSQL {OLDEST} or newer")
    if encoding != "UTF8":
        return fail(NAME, f"{name} has the encoding {encoding}", "a database of ENCODING 'UTF8'")
    if read_only == "on":
        return fail(NAME, f"{name} takes no writes", "name the primary in database.url")
    state = "" if made else "; the first start makes its tables"
    return ok(NAME, f"{name} answers (version {version}{state})")
