"""`xinghe`: the command line. One module a group of commands."""

from __future__ import annotations

import click

from xinghe import __version__


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="xinghe")
def main() -> None:
    """星河大模型API, open and self-hosted."""
