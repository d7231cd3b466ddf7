"""A service that is stopped in the midst of a transaction holds up no other for long."""

from __future__ import annotations

from tests.kit.postgres import Cluster
from xinghe.storage import StorageUnavailable
from xinghe.storage.postgresql.backend import PostgreSQLBackend

TRIES = 3
"""Each waits for a lock for two seconds."""


def test_a_frozen_transaction_loses_its_locks(postgres: Cluster) -> None:
    backend = PostgreSQLBackend(postgres.database())
    frozen, other = backend.session(), backend.session()
    try:
        other.run("INSERT INTO wallets (id, created_at) VALUES (1, 0)")
        frozen.begin()
        frozen.lock([1])
        for left in reversed(range(TRIES)):
            try:
                other.begin()
                other.lock([1])
                break
            except StorageUnavailable:
                other.rollback()
                assert left, "it is still locked"
        other.commit()
    finally:
        frozen.close()
        other.close()
