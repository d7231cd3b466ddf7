"""Whether a delivery is signed as Standard Webhooks says: https://www.standardwebhooks.com.

The library `standardwebhooks` computes and compares; what it would take besides (a time with a
fraction, a header sent twice) is refused before, and what it stumbles over is a forgery.
"""

import re
import time
from collections.abc import Sequence

from standardwebhooks import Webhook, WebhookVerificationError

from xinghe.sales.payment.provider import Headers, NotSigned

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
TOLERANCE = 300
"""Seconds that its time may be off, either way: as the library has it."""
MOST_SIGNATURES = 16
_ALLOWED = {
    # No full stop: it ends the id in what is signed.
    ID: (re.compile(r"[\x21-\x2d\x2f-\x7e]{1,128}"), "1 to 128 visible characters, no full stop"),
    TIMESTAMP: (re.compile(r"[0-9]{1,12}"), "whole seconds since 1970"),
    SIGNATURE: (
        re.compile(r"[a-z0-9]+,[A-Za-z0-9+/]{1,128}={0,2}( [a-z0-9]+,[A-Za-z0-9+/]{1,128}={0,2})*"),
        "v1, and base64, several with one space between",
    ),
}


def signed(headers: Headers) -> dict[str, str]:
    """The headers of a signature, which may still be false. Raises `NotSigned`."""
    found: dict[str, str] = {}
    for raw, value in headers:
        name = raw.decode("latin-1")
        if name not in _ALLOWED:
            continue
        if name in found:
            raise NotSigned(f"the header {name} was sent more than once")
        found[name] = value.decode("latin-1")
    for name, (pattern, allowed) in _ALLOWED.items():
        if name not in found:
            raise NotSigned(f"the header {name} is missing")
        if not pattern.fullmatch(found[name]):
            raise NotSigned(f"the header {name} is wrong, allowed: {allowed}")
    if found[SIGNATURE].count(",") > MOST_SIGNATURES:
        raise NotSigned(f"the header {SIGNATURE} has more than {MOST_SIGNATURES} signatures")
    if abs(time.time() - int(found[TIMESTAMP])) > TOLERANCE:
        raise NotSigned(
            f"the header {TIMESTAMP} is more than {TOLERANCE} s away from the time of this service"
        )
    return found


def verify(keys: Sequence[str], headers: Headers, body: bytes) -> str:
    """The id of a delivery that one of the keys has signed. Raises `NotSigned`."""
    found = signed(headers)
    for key in keys:
        try:
            Webhook(key).verify(body, found, json_parse=False)
        except (WebhookVerificationError, ValueError):
            continue
        return found[ID]
    raise NotSigned(f"no signature in the header {SIGNATURE} is one of this provider's")
