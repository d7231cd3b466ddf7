"""Every page of the console as a picture: `make screenshots` writes them into docs/images.

A service of the checkout's own is filled with forty days of one member's past, and looked at in
Chromium: in Chinese and English on a desk, and on a phone in the dark.
"""

from __future__ import annotations

import asyncio
import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser
from tests.kit.chromium import Person, chromium
from tests.kit.history import Past, live
from tests.kit.models import ALL_SCRIPTED
from tests.kit.server import Server
from tests.kit.upstream import Upstream
from tests.kit.visitor import Visitor

from xinghe.accounts import Members
from xinghe.core import MICRO
from xinghe.ledger import lots
from xinghe.ledger.windows import DAY
from xinghe.storage import Database, now

IMAGES = Path(__file__).parents[1] / "docs" / "images"
MEMBER = "林晓雨"
BEGUN = 50 * DAY
"""How long ago he began."""
TOKENS = ("课程作业", "问答机器人", "评测脚本")
MODELS = """
[defaults]
{defaults}

[deployments.scripted]
engine = "upstream"
url = "{url}"
key = "sk-upstream"
model = "scripted"
context = 131072
"""
PAGES = {
    "sign-in": "/",
    "overview": "/console/",
    "start": "/console/start",
    "tokens": "/console/tokens",
    "usage": "/console/usage",
    "entries": "/console/usage/entries",
    "bill": "/console/bill",
    "models": "/console/models",
    "model": "/console/models/ernie-3.5-8k",
    "reference": "/docs",
    "operation": "/docs/chat",
    "request": "",
}
"""That of a request is found among the entries."""
REQUEST = "a[href^='/console/usage/requests/as-']"
LOOKS = {
    "zh": {"locale": "zh-CN", "viewport": {"width": 1440, "height": 900}},
    "en": {"locale": "en-GB", "viewport": {"width": 1440, "height": 900}},
    "phone": {
        "locale": "zh-CN", "viewport": {"width": 390, "height": 1200}, "color_scheme": "dark",
    },
}  # fmt: skip


def main() -> None:
    wanted = set(sys.argv[1:]) or set(PAGES)
    with tempfile.TemporaryDirectory() as folder, Upstream() as upstream:
        data = Path(folder)
        models = MODELS.format(url=upstream.url, defaults=ALL_SCRIPTED)
        service = Server(data, models=models)
        service.run("member", "create", MEMBER, "--tokens", "0")
        scopes = [
            part for each in ("model.call", "account.read", "admin") for part in ("--scope", each)
        ]
        token = service.token("--name", TOKENS[0], *scopes, account=MEMBER)
        for name in TOKENS[1:]:
            service.token("--name", name, account=MEMBER)
        service.run("member", "grant", MEMBER, "200000", "--expires", "20d", "--note", "课程奖励")
        asyncio.run(_live(data))
        service.run(
            *("budget", "create", "--member", MEMBER, "--tokens", "300000"),
            *("--per", "month", "--zone", "Asia/Shanghai"),
        )
        with service, chromium() as browser:
            visitor = Visitor(service.url)
            visitor.sign_in(token)
            for look, options in LOOKS.items():
                _shoot(browser, visitor, look, options, wanted)


async def _live(data: Path) -> None:
    async with await Database.open(data) as database:
        member = await Members(database).get(MEMBER)
        at = now() - BEGUN  # before he spends it
        await database.write(
            lambda c: lots.credit(c, member.id, 1_000_000 * MICRO, kind="grant", at=at)
        )
        await live(database, Past(MEMBER, TOKENS))


def _shoot(
    browser: Browser, visitor: Visitor, look: str, options: dict[str, object], wanted: set[str]
) -> None:
    person = Person(browser, visitor.url, **options)
    for name, path in PAGES.items():
        if name not in wanted:
            continue
        if path != "/":
            person.bring(visitor.cookies)
        found = visitor.get("/console/usage/entries").all(REQUEST)
        page = person.go(path or found[0].get("href"))
        IMAGES.mkdir(exist_ok=True)
        with Image.open(io.BytesIO(page.screenshot())) as picture:  # 256 colours are half of it
            small = picture.convert("RGB").quantize(256)
            small.save(IMAGES / f"console-{name}-{look}.png", optimize=True)


if __name__ == "__main__":  # the commands that it runs are forks of this program
    main()
