"""Who may call: members, their access tokens, what pays for them and what limits them."""

from xinghe.accounts.alerts import Alert, Alerts
from xinghe.accounts.budget_tables import BudgetState, NewBudget
from xinghe.accounts.budgets import Budgets, Subject
from xinghe.accounts.members import DEFAULT_MEMBER, Members
from xinghe.accounts.principal import Bearer, Limit, Principal, Principals, Standing
from xinghe.accounts.rules import DEFAULT_SCOPES, SCOPES, AccountError
from xinghe.accounts.tables import AccessToken, Member
from xinghe.accounts.tokens import Tokens
