"""Who may call: accounts, their access tokens, and what a token allows."""

from xinghe.accounts.accounts import DEFAULT_ACCOUNT, Accounts
from xinghe.accounts.alerts import Alert, Alerts, Outbox
from xinghe.accounts.rules import DEFAULT_SCOPES, SCOPES, AccountError
from xinghe.accounts.tables import AccessToken, Account, Principal
