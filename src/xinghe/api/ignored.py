"""Tells the client which of its parameters had no effect (contract, Sampling)."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from xinghe.api.exchange import Exchange

MAX_SHOWN = 20
MAX_NAME_SHOWN = 40


def tell_ignored(exchange: Exchange, names: Sequence[str]) -> None:
    """Add the header `x-ignored-parameters`; names from outside are made safe for it."""
    if not names:
        return
    shown = [quote(name[:MAX_NAME_SHOWN], safe="") for name in names[:MAX_SHOWN]]
    if len(names) > MAX_SHOWN:
        shown.append(f"and {len(names) - MAX_SHOWN} more")
    exchange.add_header("x-ignored-parameters", ", ".join(shown))
