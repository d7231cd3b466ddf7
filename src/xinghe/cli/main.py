"""`xinghe`: the command line. One module a group of commands."""

import click

from xinghe import __version__
from xinghe.cli.lazy import Elsewhere, LazyGroup

COMMANDS = (
    ("serve", "serve:serve", "Start the service and stay in the foreground."),
    (
        "doctor",
        "doctor:doctor",
        "Say what is wrong with this machine or installation, and what mends it.",
    ),
    ("member", "members:member", "Members and their Tokens."),
    ("group", "groups:group", "Groups of members: a class, a team, a company."),
    ("token", "tokens:token", "Access tokens: what a client sends as its API key."),
    (
        "budget",
        "budgets:budget",
        "Budgets: how much a token, a member, a group or a model may use.",
    ),
    ("code", "codes:code", "Redeem codes: whoever has one may redeem it once for Tokens."),
    ("transfer", "wallets:transfer", "Move TOKENS from one wallet into another."),
    ("usage", "usage:usage", "Usage details: balances, entries, usage over time, single requests."),
    (
        "bill",
        "bill:bill",
        "Show the bill of a month: of a group, of a member, or of every wallet with a total.",
    ),
    ("package", "packages:package", "Packages: Tokens for a price, for everybody or some groups."),
    ("order", "orders:order", "Orders of packages: who has ordered, who has paid; refunds."),
    (
        "audit",
        "audit:audit",
        "List what was changed, by whom, with what was there before and after; the newest first.",
    ),
    ("console", "console:console", "The web pages."),
    (
        "connect",
        "connect:connect",
        "Print the settings with which program NAME uses this service; without NAME, list them.",
    ),
    ("models", "models:models", "The model catalog, and weights for the embedded engine."),
    (
        "config",
        "config:config",
        "The applied configuration: models, deployments, prices, limits, safety lists.",
    ),
    ("ledger", "ledger:ledger", "The books: every grant, charge and expiry."),
    (
        "search",
        "search:search",
        'The local corpus: documents that answers may rest on (`search.provider = "local"`).',
    ),
    (
        "backup",
        "backup:backup",
        "Write all that the database holds to FILE, also while the service runs.",
    ),
    (
        "restore",
        "backup:restore_command",
        "Fill an empty database from FILE, and check the books; the service must not run.",
    ),
    (
        "migrate",
        "migrate:migrate",
        "Move the books from SQLite to PostgreSQL while the service runs; undo or confirm it.",
    ),
)
"""What each is called, where it stands, and the first sentence of its help."""


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="xinghe")
def main() -> None:
    """星河大模型API, open and self-hosted: one command starts the service, the others run it.

    Settings come from <data>/xinghe.toml and XINGHE_* variables, models from <data>/models.toml.
    """


for name, place, line in COMMANDS:
    command = Elsewhere(name, f"xinghe.cli.{place}", line)
    main.add_command(command)
    if name == "member":  # what it was called before there were groups
        main.add_command(Elsewhere("account", command.place, line, hidden=True))
