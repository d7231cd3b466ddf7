"""Calls to servers that the operator has named: key, proxy, limits of time and size, plain faults.

Not for URLs that strangers choose: those are `fetching`'s.
"""

from xinghe.outbound.client import REFUSALS, Client, Server, proxy_for, tries
from xinghe.outbound.faults import (
    UNREADABLE,
    AnswerTooLarge,
    Broken,
    CallFailed,
    Refused,
    Silent,
    Unreachable,
    Unreadable,
    decoded,
    items,
    known_words,
    says_owed,
    says_too_long,
    says_unsafe,
)
from xinghe.outbound.response import A_CHARACTER, EventStream, Response
