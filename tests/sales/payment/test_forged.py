"""What is not signed by the provider, or was signed long ago, does nothing and is not stored."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import pytest
from standardwebhooks import Webhook

from tests.kit.payer import KEY, OTHER_KEY, Answer, Payer, Told, signature
from tests.kit.raw import Connection
from tests.sales.payment.conftest import Street

Make = Callable[[Told], Mapping[str, str]]

DISTANT = 310
"""Seconds: the clock goes on while a test waits for its turn."""


def test_the_signer_of_these_tests_keeps_to_the_published_example() -> None:
    """Of the libraries of Standard Webhooks, which all have it."""
    key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def refused(street: Street, answer: Answer, says: str) -> None:
    assert answer.status == 401
    assert answer.json["error"]["code"] == "invalid_signature"
    assert says in answer.json["error"]["message"]


def changed(told: Told, key: str = KEY, off: int = 0, **others: str | None) -> dict[str, str]:
    """Its headers, some of them others or left out."""
    named = {name.replace("_", "-"): value for name, value in others.items()}
    whole: Mapping[str, str | None] = {**told.signed(key, off=off), **named}
    return {name: value for name, value in whole.items() if value is not None}


def other_digest(told: Told) -> str:
    """A signature one bit of which is wrong."""
    bits = bytearray(base64.b64decode(told.signed()["webhook-signature"].removeprefix("v1,")))
    bits[-1] ^= 1
    return "v1," + base64.b64encode(bits).decode()


FORGED: dict[str, Make] = {
    "another key": lambda told: changed(told, OTHER_KEY),
    "one bit": lambda told: changed(told, webhook_signature=other_digest(told)),
    "half a signature": lambda told: changed(
        told, webhook_signature=told.signed()["webhook-signature"][:24]
    ),
    "another id": lambda told: changed(told, webhook_id="msg_other"),
    "another moment": lambda told: changed(told, webhook_timestamp=str(int(time.time()) - 9)),
    "another version": lambda told: changed(
        told, webhook_signature="v2" + told.signed()["webhook-signature"][2:]
    ),
    "of another body": lambda told: Told("payment.succeeded", {}, told.id).signed(),
}
OLD: dict[str, Make] = {
    "long ago": lambda told: changed(told, off=-DISTANT),
    "yet to come": lambda told: changed(told, off=DISTANT),
}
MISSING: dict[str, Make] = {
    "no id": lambda told: changed(told, webhook_id=None),
    "no moment": lambda told: changed(told, webhook_timestamp=None),
    "no signature": lambda told: changed(told, webhook_signature=None),
    "nothing": lambda told: {},
}
WRONG: dict[str, Make] = {
    "an empty id": lambda told: changed(told, webhook_id=""),
    "an id with a full stop": lambda told: changed(told, webhook_id="a.b"),
    "a long id": lambda told: changed(told, webhook_id="a" * 129),
    "half a second": lambda told: changed(told, webhook_timestamp=f"{time.time():.1f}"),
    "a moment below zero": lambda told: changed(told, webhook_timestamp="-1"),
    "no number": lambda told: changed(told, webhook_timestamp="nan"),
    "no version": lambda told: changed(told, webhook_signature="AAAA"),
    "no base64": lambda told: changed(told, webhook_signature="v1,?"),
    "an empty signature": lambda told: changed(told, webhook_signature=""),
}
CASES: dict[str, tuple[Make, str]] = {
    **{name: (made, "no signature in the header") for name, made in FORGED.items()},
    **{name: (made, "s away from the time of this service") for name, made in OLD.items()},
    **{name: (made, "is missing") for name, made in MISSING.items()},
    **{name: (made, "is wrong, allowed: ") for name, made in WRONG.items()},
}


@pytest.mark.parametrize("case", CASES)
def test_a_forgery(street: Street, case: str) -> None:
    order, bill = street.bought()
    told = bill.succeeded()
    make, says = CASES[case]
    refused(street, street.payer.send(street.server.url, told, make(told)), says)
    assert (street.shop.state(order), street.shop.events(order)) == ("open", [])
    assert street.tell(told).outcome == "paid"  # its id is not used up


def test_signatures_beyond_the_first(street: Street) -> None:
    _, bill = street.bought()
    told = bill.succeeded()
    right = told.signed()["webhook-signature"]
    false = signature(OTHER_KEY, told.id, "1", b"")
    many = changed(told, webhook_signature=" ".join([false, "v1a,AAAA", right]))
    assert street.payer.send(street.server.url, told, many).outcome == "paid"
    too_many = changed(told, webhook_signature=" ".join([false] * 16 + [right]))
    refused(street, street.payer.send(street.server.url, told, too_many), "more than 16")


def test_a_header_sent_twice(street: Street) -> None:
    _, bill = street.bought()
    told = bill.succeeded()
    twice = {**told.signed(), "Webhook-Id": told.id}
    refused(street, street.payer.send(street.server.url, told, twice), "more than once")


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
def test_either_key_while_one_takes_the_place_of_the_other(street: Street, key: str) -> None:
    other = Payer("other")
    order = street.shop.order("other")
    data = {"order": order.number, "reference": "r" + order.number}
    told = Told("payment.succeeded", {**data, "amount": "9.90", "currency": "CNY"})
    assert other.send(street.server.url, told, told.signed(key)).outcome == "paid"


def test_what_the_library_signs_is_taken(street: Street) -> None:
    _, bill = street.bought()
    told, now = bill.succeeded(), datetime.now(tz=UTC)
    headers = {
        "webhook-id": told.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(KEY).sign(told.id, now, told.body.decode()),
    }
    assert street.payer.send(street.server.url, told, headers).outcome == "paid"


def test_what_is_not_signed_is_answered_before_its_body(street: Street) -> None:
    head = "POST /payments/bridge HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n"
    with Connection(street.server.url) as connection:
        connection.send(head.encode())
        assert connection.head()[0] == 401


def test_a_large_body_is_not_read(street: Street) -> None:
    told = Told("payment.succeeded", {"order": "A" * 65536})
    answer = street.tell(told)
    assert (answer.status, answer.json["error"]["code"]) == (413, "request_too_large")


def test_no_key_is_shown(street: Street) -> None:
    """Not in what it logs, nor in what a command says of the settings."""
    _, bill = street.bought()
    told = bill.succeeded()
    street.payer.send(street.server.url, told, changed(told, OTHER_KEY))
    said = street.server.log.read_text("utf-8") + street.server.run("doctor", "--json")
    for key in (KEY, OTHER_KEY):
        assert key.removeprefix("whsec_") not in said
