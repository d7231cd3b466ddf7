"""How the service and its machine do: what is wrong, and what mends each thing."""

from __future__ import annotations

import asyncio
from typing import Literal

import msgspec

from xinghe.admin.operation import AdminServices, Call
from xinghe.admin.shapes import Told, told
from xinghe.core import MICRO
from xinghe.doctor.computing import text as computing
from xinghe.storage import now
from xinghe.upkeep import Check

DAY = 86_400 * MICRO
OLD = 7
"""Days after which the newest backup is told to be old."""
MOST = 10
"""Deployments and keys that are named."""


class Doctor(msgspec.Struct, kw_only=True):
    """`ok`: nothing has failed. The checks as `xinghe doctor --json` tells them, behind those that
    only a running service can make; `at` is when the machine was last looked at.
    """

    object: Literal["doctor"] = "doctor"
    at: Told
    ok: bool
    checks: list[Check]


async def get(call: Call[None]) -> Doctor:
    services = call.services
    examined, own = await asyncio.gather(services.examination.examine(), _own(services))
    checks = [*own, *examined.checks]
    return Doctor(
        at=told(examined.at),
        ok=all(each.status != "fail" for each in checks),
        checks=checks,
    )


async def _own(services: AdminServices) -> list[Check]:
    checks = [await _deployments(services), _keys(services), _journal(services)]
    if engines := services.readiness.engines:
        told_of = "; ".join(
            f"{name}: {computing(msgspec.structs.asdict(state))}"
            for name, state in sorted(engines.items())
        )
        checks.append(Check("threads", "ok", told_of))
    return [*checks, await _backups(services)]


async def _deployments(services: AdminServices) -> Check:
    ready = await services.live.states(services.live.now.deployments.by_name)
    away = sorted(name for name, well in ready.items() if not well)
    if not away:
        return Check("deployments", "ok", f"all {len(ready)} are ready")
    mend = "xinghe models use NAME SOURCE   (or start its server)"
    status: Literal["warn", "fail"] = "warn" if len(away) < len(ready) else "fail"
    return Check("deployments", status, f"not ready: {_some(away)}", mend)


def _keys(services: AdminServices) -> Check:
    refused = [f"{where} ({status})" for where, status in services.readiness.refusals.items()]
    if not refused:
        return Check("keys", "ok", "no upstream refuses its key")
    mend = "xinghe models use NAME SOURCE --ask-key   (a key that is valid and has money left)"
    return Check("keys", "warn", f"refused: {_some(refused)}", mend)


def _journal(services: AdminServices) -> Check:
    error = services.database.last_error
    if error is None:
        return Check("journal", "ok", "all that was spent is in the database")
    text = f"the database takes no writes, what was spent waits in the journal: {error}"
    mend = "mend what it says; the service goes on by itself then"
    return Check("journal", "fail", " ".join(text.split()), mend)


async def _backups(services: AdminServices) -> Check:
    folder = services.backups.folder
    if folder is None:
        text = "no folder for backups is set, so none can be seen or made here"
        return Check("backups", "warn", text, "XINGHE_BACKUPS__FOLDER=DIR")
    found = await services.backups.listed()
    if found.trouble:
        return Check("backups", "fail", found.trouble, f"mkdir -p {folder}")
    moments = [each.at for each in found.files if each.at is not None]
    if not moments:
        return Check("backups", "warn", f"{folder} has none", "xinghe backup FILE")
    days = (now() - max(moments)) // DAY
    text = f"the newest of {found.total} in {folder} is {days} days old"
    if days < OLD:
        return Check("backups", "ok", text)
    return Check("backups", "warn", text, "xinghe backup FILE")


def _some(names: list[str]) -> str:
    more = f" and {len(names) - MOST} more" if len(names) > MOST else ""
    return ", ".join(names[:MOST]) + more
