"""Calls to servers that the operator has named: key, proxy, limits of time and size, plain faults.

Not for URLs that strangers choose: those are `fetching`'s.
"""

from xinghe.outbound.client import Client, origin_of
from xinghe.outbound.coalescing import Coalescer
from xinghe.outbound.faults import (
    UNREADABLE,
    AnswerTooLarge,
    Broken,
    CallFailed,
    Lost,
    Refused,
    Silent,
    Unreachable,
    Unreadable,
    Whose,
    decoded,
    items,
)
from xinghe.outbound.proxy import proxy_for
from xinghe.outbound.response import A_CHARACTER, EventStream, Response
from xinghe.outbound.server import Server
from xinghe.outbound.tries import PAUSES, RETRY_AFTER, tries
