"""Ctrl-C while a command works in a thread."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from pathlib import Path

import pytest

from xinghe.cli.common import run_in
from xinghe.settings import Settings


def test_whichever_thread_is_given_the_signal(tmp_path: Path) -> None:
    heard = threading.Event()

    def work() -> None:
        time.sleep(0.1)  # until the other thread sleeps, which need not be
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        assert heard.wait(60)

    async def action(_: Settings) -> None:
        working = asyncio.ensure_future(asyncio.to_thread(work))
        try:
            await asyncio.shield(working)
        finally:
            heard.set()
            await working

    with pytest.raises(KeyboardInterrupt):
        run_in(str(tmp_path), action)
