"""`/console/backups`: which there are, one more, one checked; and how one is restored."""

from __future__ import annotations

import shlex

from starlette.responses import Response

from xinghe.admin.backups import BackupList, BackupTask
from xinghe.console.calls import Refused
from xinghe.console.page import Page
from xinghe.console.route import Route

PATH = "/console/backups"
API = "/admin/v1/backups"
EVERY = 2
"""Seconds from one look to the next while something is done."""
REASONS = (
    ("No space left", ("磁盘满了。", "The disk is full.")),
    ("is not there", ("文件夹不在，请先建好。", "The folder is not there: make it first.")),
    ("may not write", ("服务的用户不能写这个文件夹。", "The service may not write there.")),
    ("Permission denied", ("服务的用户没有权限。", "The service's user is not permitted.")),
    (
        "one at a time",
        ("已经有一个任务在做，请等它做完。", "Another task is at work: wait for it."),
    ),
    ("this second", ("刚刚才做过一份，请稍等。", "One was made this second: wait a moment.")),
    ("cut off", ("文件残缺，不能用来恢复。", "The file is cut off, and cannot be restored.")),
    ("damaged", ("文件损坏，不能用来恢复。", "The file is damaged, and cannot be restored.")),
    ("the service ended", ("服务停止时中断了。", "It was broken off when the service ended.")),
)
"""By what the API says, what that means."""


async def show(page: Page) -> Response:
    return await _shown(page)


async def make(page: Page) -> Response:
    return await _done(page, API)


async def check(page: Page) -> Response:
    return await _done(page, f"{API}/{page.field('name')}/check")


async def _done(page: Page, path: str) -> Response:
    try:
        await page.api.send("POST", path, BackupTask)
    except Refused as refused:
        return await _shown(page, refused)
    return page.go(PATH)


async def _shown(page: Page, refused: Refused | None = None) -> Response:
    api = page.api.spared() if page.partial else page.api
    found = await api.get(API, BackupList)
    task = found.task
    # It is told once, as the refusal.
    failed = task is not None and refused is not None and (task.trouble or "-") in refused.message
    return page.render(
        "backups/now.html" if page.partial else "backups/page.html",
        status=refused.status if refused else 200,
        found=found,
        task=None if failed else task,
        running=task is not None and task.state == "running",
        refused=refused,
        every=EVERY,
        restore=_restore(found),
        reason=reason,
        size=size,
    )


def _restore(found: BackupList) -> str:
    """The command, for the newest that can be restored."""
    for each in found.data:
        if each.at is not None:
            return found.restore.replace("FILE", shlex.quote(f"{found.folder}/{each.name}"))
    return found.restore


def reason(said: str) -> tuple[str, str]:
    """What an error of a backup means; nothing where that is not known."""
    return next((told for needle, told in REASONS if needle in said), ("", ""))


def size(count: int) -> str:
    """Of a file: `1.2 MB`."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 1000)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count} B"


ROUTES = (
    Route("GET", PATH, show),
    Route("POST", PATH, make, waits=True),
    Route("POST", f"{PATH}/check", check, waits=True),
)
