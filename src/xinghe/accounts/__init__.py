"""Who may call: accounts, their access tokens, and what a token allows."""

from xinghe.accounts.accounts import Accounts
from xinghe.accounts.alerts import Alert, Alerts
from xinghe.accounts.outbox import Outbox
from xinghe.accounts.records import AccessToken, Account, Principal
from xinghe.accounts.rules import DEFAULT_SCOPES, SCOPES, AccountError

__all__ = [
    "DEFAULT_SCOPES",
    "SCOPES",
    "AccessToken",
    "Account",
    "AccountError",
    "Accounts",
    "Alert",
    "Alerts",
    "Outbox",
    "Principal",
]
