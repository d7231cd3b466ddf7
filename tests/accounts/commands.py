"""The commands of this folder's tests, run in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import structlog
from click.testing import CliRunner, Result

from xinghe.cli.main import main


class Commands:
    """`xinghe` on one data directory."""

    def __init__(self, data: Path, url: str = "") -> None:
        self.data = data
        self._variables = {"XINGHE_DATABASE__URL": url}

    def run(self, *arguments: str) -> Result:
        asked = [*arguments, "--data", str(self.data)]
        result = CliRunner().invoke(main, asked, env=self._variables)
        # A command sends the log to its standard error, and the runner's is closed by now.
        structlog.reset_defaults()
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def done(self, *arguments: str) -> str:
        """Standard output of a command that has to succeed."""
        result = self.run(*arguments)
        assert result.exit_code == 0, result.output
        return result.stdout.strip()

    def json(self, *arguments: str) -> Any:
        return json.loads(self.done(*arguments, "--json"))

    def refused(self, *arguments: str, code: int) -> str:
        """What a command says that has to fail; it says it on standard error alone."""
        result = self.run(*arguments)
        assert result.exit_code == code, result.output
        assert result.stdout == ""
        return result.stderr
