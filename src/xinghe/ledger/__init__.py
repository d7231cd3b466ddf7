"""Reserve, capture, release: what requests cost, exactly once, whatever happens."""

from xinghe.ledger.books import Finding, check, check_file, prove
from xinghe.ledger.budgets import Budget, BudgetReached
from xinghe.ledger.entries import Entry, Filters, Sums, latest, sums
from xinghe.ledger.holding import Holding, InsufficientTokens, OverBudget
from xinghe.ledger.holds import Unsettled
from xinghe.ledger.ledger import Ledger, Payer
from xinghe.ledger.windows import PERIODS, Period, Window
