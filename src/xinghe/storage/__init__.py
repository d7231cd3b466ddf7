"""Where everything lasting is kept: one SQLite file in the data directory."""

from xinghe.storage.database import Database
from xinghe.storage.errors import StorageClosed, StorageError, StorageUnavailable

__all__ = ["Database", "StorageClosed", "StorageError", "StorageUnavailable"]
