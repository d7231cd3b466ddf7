"""AWS Signature Version 4 for S3, as "Authenticating Requests (AWS Signature Version 4)" has it."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

import msgspec

ALGORITHM = "AWS4-HMAC-SHA256"


class Credentials(msgspec.Struct, frozen=True):
    """Who signs, and for which region."""

    key: str
    secret: str
    region: str


def signed(
    credentials: Credentials,
    method: str,
    host: str,
    path: str,
    query: Mapping[str, str],
    body: bytes,
    at: datetime,
    headers: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The headers to send: `headers` (names in lower case), and those of the signature.

    `path` is not yet percent-encoded; `at` is in UTC.
    """
    payload = hashlib.sha256(body).hexdigest()
    stamp = at.strftime("%Y%m%dT%H%M%SZ")
    sent = {
        **(headers or {}),
        "host": host,
        "x-amz-content-sha256": payload,
        "x-amz-date": stamp,
    }
    names = ";".join(sorted(sent))
    lines = "".join(f"{name}:{sent[name].strip()}\n" for name in sorted(sent))
    request = "\n".join((method, quote(path), encoded(query), lines, names, payload))
    scope = f"{stamp[:8]}/{credentials.region}/s3/aws4_request"
    text = "\n".join((ALGORITHM, stamp, scope, hashlib.sha256(request.encode()).hexdigest()))
    key = f"AWS4{credentials.secret}".encode()
    for part in scope.split("/"):
        key = _hmac(key, part)
    return {
        **sent,
        "authorization": f"{ALGORITHM} Credential={credentials.key}/{scope},"
        f"SignedHeaders={names},Signature={_hmac(key, text).hex()}",
    }


def encoded(query: Mapping[str, str]) -> str:
    """The query string in the one form that is signed: sorted, and all but `-._~` quoted."""
    pairs = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in query.items())
    return "&".join(f"{name}={value}" for name, value in pairs)


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
