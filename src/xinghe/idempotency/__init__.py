"""Idempotency-Key: the answer of a request that was already answered, without a new charge."""

from xinghe.idempotency.answers import Kept, Place
from xinghe.idempotency.keeper import Keeper
from xinghe.idempotency.turns import KeyReused

__all__ = ["Keeper", "Kept", "KeyReused", "Place"]
