"""A limiter on a clock that only the test moves."""

from __future__ import annotations

import pytest

from tests.limits.clock import Clock
from xinghe.limits import Limiter


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limiter(clock: Clock) -> Limiter:
    return Limiter(clock)
