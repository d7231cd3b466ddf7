"""`python -m bench peers`: gateways side by side, before one mock upstream, in one run."""

from bench.peers.table import run

__all__ = ["run"]
