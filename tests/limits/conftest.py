"""Each store of limits, on a clock that only the test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.kit.valkey import ValkeyServer
from tests.limits.clock import Clock
from tests.limits.stores import OnValkey, Store
from xinghe.limits import Limiter


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One that nobody stops."""
    server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture(params=["here", "on Valkey"])
def store(request: pytest.FixtureRequest) -> Iterator[Callable[[Clock], Store]]:
    """Makes an empty store of one of the two kinds."""
    made: list[OnValkey] = []

    def make(clock: Clock) -> Store:
        if request.param == "here":
            return Limiter(clock)
        while made:
            made.pop().close()
        made.append(OnValkey(request.getfixturevalue("valkey"), clock))
        return made[-1]

    yield make
    while made:
        made.pop().close()


@pytest.fixture
def limiter(store: Callable[[Clock], Store], clock: Clock) -> Store:
    return store(clock)
