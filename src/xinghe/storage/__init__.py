"""Where everything lasting is kept: one SQLite file in the data directory."""

from xinghe.storage.connection import (
    ENVIRONMENT,
    StorageClosed,
    StorageError,
    StorageRefused,
    StorageUnavailable,
    connect,
    prepare,
)
from xinghe.storage.database import Allowance, Database, DeferredWrites, in_batches, now
from xinghe.storage.writer import Job, Operation
