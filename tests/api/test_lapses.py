"""The look after tokens of running answers goes on, whatever happened to one look."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from xinghe.accounts import Bearer, Members, Principals, Tokens
from xinghe.api import priced
from xinghe.storage import Database


async def test_a_look_that_fails_is_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(priced, "LOOK_SECONDS", 0.01)
    async with await Database.open(tmp_path) as database:
        account = await Members(database).create("payer")
        await Tokens(database).create(account.name)
        (token,) = await Tokens(database).list()
        lapses = priced.Lapses(Principals(database))
        await lapses.looking.start()
        ended = asyncio.Event()
        with lapses.watching(Bearer(token.id), ended.set), capture_logs() as logs:
            await database.write(lambda c: c.run("ALTER TABLE tokens RENAME TO away"))
            async with asyncio.timeout(30):
                while not logs:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            await database.write(lambda c: c.run("ALTER TABLE away RENAME TO tokens"))
            await Tokens(database).revoke(str(token.id))
            await asyncio.wait_for(ended.wait(), 60)
        await lapses.looking.stop()
