"""Ten thousand connections that never send a request, and one that does."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

from tests.conftest import MakeServer
from tests.kit.api import Api
from tests.kit.books import Books
from tests.kit.expect import answered
from tests.kit.models import CHAT
from tests.kit.pace import allowed

HALF_OPEN = 10_000
HEADS = [b"", b"P", b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Slow: "]


@contextmanager
def many_files() -> Iterator[int]:
    """This process may open as many files as the system lets it; gives how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_others_are_served(make_server: MakeServer) -> None:
    server = make_server()
    api = Api(server.url, server.token())
    where = urlsplit(server.url)
    with many_files() as limit, ExitStack() as crowd:
        assert limit > HALF_OPEN + 200, f"the system allows {limit} open files only"
        for number in range(HALF_OPEN):
            one = crowd.enter_context(socket.create_connection((where.hostname, where.port), 10))
            one.sendall(HEADS[number % len(HEADS)])
            if number % 1000 == 999:
                began = time.monotonic()
                answered(api.chat(model=CHAT))
                assert api.stream(model=CHAT).done
                assert time.monotonic() - began < allowed(5)
    answered(api.chat(model=CHAT))
    Books(server).settled()
