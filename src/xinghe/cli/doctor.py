"""`xinghe doctor`: what is wrong, before anything else is asked."""

import sys

import click

from xinghe.doctor.run import main as examine


@click.command(
    "doctor",
    add_help_option=False,
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def doctor(arguments: tuple[str, ...]) -> None:
    """Say what is wrong with this machine or installation, and what mends it."""
    # The doctor reads its own options, since it also runs where click is not installed yet.
    sys.exit(examine(arguments))
