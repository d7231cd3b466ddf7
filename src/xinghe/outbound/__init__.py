"""Calls to servers that the operator has named: key, proxy, limits of time and size, plain faults.

Not for URLs that strangers choose: those are `fetching`'s.
"""

from xinghe.outbound.answer import Answer
from xinghe.outbound.client import Client
from xinghe.outbound.faults import AnswerTooLarge, Broken, CallFailed, Silent, Unreachable
from xinghe.outbound.items import UNREADABLE, items
from xinghe.outbound.server import Place, Server, proxy_for

__all__ = [
    "UNREADABLE",
    "Answer",
    "AnswerTooLarge",
    "Broken",
    "CallFailed",
    "Client",
    "Place",
    "Server",
    "Silent",
    "Unreachable",
    "items",
    "proxy_for",
]
