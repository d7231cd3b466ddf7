"""`xinghe`: the command line. One module a group of commands."""

from __future__ import annotations

import click

from xinghe import __version__
from xinghe.cli.accounts import account
from xinghe.cli.doctor import doctor
from xinghe.cli.ledger import ledger
from xinghe.cli.models import models
from xinghe.cli.search import search
from xinghe.cli.serve import serve
from xinghe.cli.tokens import token


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="xinghe")
def main() -> None:
    """星河大模型API, open and self-hosted: one command starts the service, the others run it.

    Settings come from <data>/xinghe.toml and XINGHE_* variables, models from <data>/models.toml.
    """


for command in (serve, account, token, models, ledger, search, doctor):
    main.add_command(command)
