"""A group of commands whose modules are imported when they are asked for.

Most of what a short command takes is imports, and each needs its own alone.
"""

import copy
from importlib import import_module
from typing import cast

import click


class Elsewhere(click.Command):
    """Stands for the command that `place` (`module:attribute`) names, and tells of it in a line."""

    def __init__(self, name: str, place: str, line: str, *, hidden: bool = False) -> None:
        super().__init__(name, help=line, hidden=hidden)
        self.place = place

    def found(self) -> click.Command:
        module, _, attribute = self.place.partition(":")
        command = cast("click.Command", getattr(import_module(module), attribute))
        if self.hidden:
            command = copy.copy(command)
            command.hidden = True
        return command


class LazyGroup(click.Group):
    """A group that may hold commands from elsewhere; its help imports none of them."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        return command.found() if isinstance(command, Elsewhere) else command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        click.Group(commands=self.commands).format_commands(ctx, formatter)
