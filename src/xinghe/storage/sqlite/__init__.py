"""The embedded database: one SQLite file in the data directory."""

from xinghe.storage.sqlite.backend import SQLiteBackend
from xinghe.storage.sqlite.connection import ENVIRONMENT, SQLiteSession
from xinghe.storage.sqlite.file import FILE_NAME, connect, migrate, migrations, prepare
