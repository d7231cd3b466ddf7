"""Reserve, capture, release: what requests cost, exactly once, whatever happens."""

from xinghe.ledger.books import Entry, Finding, check, latest
from xinghe.ledger.holding import Holding, InsufficientTokens, SpendCapReached
from xinghe.ledger.ledger import Ledger, Payer

__all__ = [
    "Entry",
    "Finding",
    "Holding",
    "InsufficientTokens",
    "Ledger",
    "Payer",
    "SpendCapReached",
    "check",
    "latest",
]
