"""Reserve, capture, release: what requests cost, exactly once, whatever happens."""

from xinghe.ledger.books import Entry, Finding, check, latest
from xinghe.ledger.holding import Holding, InsufficientTokens, SpendCapReached
from xinghe.ledger.holds import Cap, Period
from xinghe.ledger.ledger import Ledger, Payer
