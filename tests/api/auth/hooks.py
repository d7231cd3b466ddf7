"""What schemathesis is told of `/auth/v1`: each request comes from an address of its own."""

from __future__ import annotations

import itertools
from typing import Any

import schemathesis

_places = itertools.count()


@schemathesis.hook
def before_call(
    _: schemathesis.HookContext, case: schemathesis.Case[Any], __: dict[str, Any]
) -> None:
    """Else all but the first hundred would be too many."""
    place = next(_places)
    case.headers["X-Forwarded-For"] = f"198.18.{place // 250 % 250}.{place % 250}"
