"""Who takes the money of orders, and what they say of it."""

from xinghe.sales.payment.provider import (
    FAILED,
    SUCCEEDED,
    Checkout,
    Event,
    Headers,
    NotSigned,
    Provider,
    Reporting,
    WrongEvent,
)
from xinghe.sales.payment.providers import checkout, reporting
from xinghe.sales.payment.received import Outcome, Received, Row, events, receive
