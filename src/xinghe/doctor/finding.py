"""What a check found, and how findings are shown."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable
from typing import NamedTuple

OK, WARN, FAIL = "ok", "warn", "fail"


class Finding(NamedTuple):
    """`status` is one of OK, WARN, FAIL; `mend` is one line to run or do, where there is one."""

    name: str
    status: str
    text: str
    mend: str = ""


def ok(name: str, text: str) -> Finding:
    return Finding(name, OK, text)


def warn(name: str, text: str, mend: str) -> Finding:
    return Finding(name, WARN, text, mend)


def fail(name: str, text: str, mend: str) -> Finding:
    return Finding(name, FAIL, text, mend)


def as_text(findings: Iterable[Finding]) -> str:
    """One line a finding, and one more for what mends it."""
    lines = []
    for finding in findings:
        lines.append(f"{finding.status:<5} {finding.name:<12} {finding.text}")
        if finding.mend:
            lines.append(f"{'':<18} -> {finding.mend}")
    return "\n".join(lines)


def as_json(findings: list[Finding]) -> str:
    """`{"ok": bool, "checks": [{name, status, text, mend}]}`."""
    healthy = all(finding.status != FAIL for finding in findings)
    checks = [finding._asdict() for finding in findings]
    return json.dumps({"ok": healthy, "checks": checks}, ensure_ascii=False, indent=2)


def install(debian: str, fedora: str) -> str:
    """The line that installs a system package here."""
    if shutil.which("apt-get"):
        return as_root(f"apt-get install -y {debian}")
    if shutil.which("dnf"):
        return as_root(f"dnf install -y {fedora}")
    return f"install {debian} with the system's package manager"


def as_root(command: str) -> str:
    # A container's root often has no sudo.
    return f"sudo {command}" if shutil.which("sudo") else command
