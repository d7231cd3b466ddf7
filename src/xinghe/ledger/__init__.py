"""Reserve, capture, release: what requests cost, exactly once, whatever happens."""

from xinghe.ledger.errors import InsufficientTokens, SpendCapReached
from xinghe.ledger.ledger import Ledger, Payer

__all__ = ["InsufficientTokens", "Ledger", "Payer", "SpendCapReached"]
