"""Where everything lasting is kept: an SQLite file, or a PostgreSQL database."""

from xinghe.storage.backup import restore, save
from xinghe.storage.backup_file import BackupError
from xinghe.storage.backup_file import header as backup_header
from xinghe.storage.backup_file import verify as verify_backup
from xinghe.storage.batches import Allowance, in_batches
from xinghe.storage.bounded import BoundedTable
from xinghe.storage.connection import (
    Backend,
    Connection,
    Locks,
    StorageClosed,
    StorageError,
    StorageRefused,
    StorageUnavailable,
    among,
)
from xinghe.storage.database import Database, DeferredWrites, now
from xinghe.storage.jobs import Job, Operation
from xinghe.storage.moved import StorageMoved
from xinghe.storage.postgresql.server import LocalServer, local_url, running
from xinghe.storage.scratch import scratch
