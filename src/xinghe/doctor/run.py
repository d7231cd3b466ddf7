"""The checks in order, and the exit status: 0 unless something failed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence

from . import computing, configuration, installation, machine, network
from .finding import FAIL, OK, Finding, as_json, as_text, fail
from .options import OptionError, Options, parse

BEFORE: tuple[Callable[[Options], Finding], ...] = (
    machine.python,
    machine.venv,
    machine.libgomp,
    machine.cpu,
    machine.memory,
    machine.data_directory,
    machine.weights_cache,
    machine.disk,
    network.port,
    network.proxy,
)
"""What an installation and a start need."""

AFTER: tuple[Callable[[Options], Finding], ...] = (
    installation.engine,
    installation.weights,
    computing.threads,
    installation.database,
    configuration.configuration,
    network.service,
)
RUNNING: tuple[Callable[[Options], Finding], ...] = (
    machine.python,
    machine.libgomp,
    machine.cpu,
    machine.memory,
    machine.data_directory,
    machine.weights_cache,
    machine.disk,
    network.proxy,
    installation.engine,
    installation.weights,
    installation.database,
    configuration.configuration,
)
"""What a service that runs cannot tell of itself."""


def main(argv: Sequence[str], environ: Mapping[str, str] = os.environ) -> int:
    """Print the findings; a preflight keeps quiet about what is well."""
    try:
        options = parse(argv, environ)
    except OptionError as error:
        findings = [fail("options", str(error), "correct it and run again")]
        print(as_json(findings) if "--json" in argv else as_text(findings))
        return 1
    # Nothing can be installed for a Python that is too old.
    early = options.preflight or sys.version_info < machine.NEEDED
    checks = BEFORE if early else RUNNING if options.running else BEFORE + AFTER
    findings = [check(options) for check in checks]
    if options.json:
        print(as_json(findings))
    else:
        shown = [f for f in findings if f.status != OK] if options.preflight else findings
        if shown:
            print(as_text(shown), file=sys.stderr if options.preflight else sys.stdout)
    return int(any(finding.status == FAIL for finding in findings))
