"""A limiter on each of the stores."""

from __future__ import annotations

import pytest

from tests.limits.stores import STORES, Clock, limited
from xinghe.limits import Limiter


@pytest.fixture(params=STORES)
def pair(request: pytest.FixtureRequest) -> tuple[Limiter, Clock]:
    return limited(request.param)


@pytest.fixture
def limiter(pair: tuple[Limiter, Clock]) -> Limiter:
    return pair[0]


@pytest.fixture
def clock(pair: tuple[Limiter, Clock]) -> Clock:
    return pair[1]
