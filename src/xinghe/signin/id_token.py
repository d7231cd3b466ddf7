"""An ID token (OpenID Connect Core, section 3.1.3.7): whether a provider has signed it, for us.

PyJWT looks at the signature and the times; which key and which algorithms it may use is ours to
say, and nothing in the token's own header is.
"""

import hmac
from collections.abc import Sequence
from typing import Any

import msgspec

ALGORITHMS = frozenset(
    {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
)
"""Those with a public key. None that has a shared secret, and never `none`."""
KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP"}
"""The type of key by the algorithm's beginning."""
SKEW = 60
"""Seconds by which a provider's clock may differ from ours."""
LONGEST_FIELD = 2800
"""Characters of a field of a key: RSA's modulus of 16384 bits has that many."""
MOST_BITS = 8192
"""Of an RSA key: larger ones take long to check."""
MOST_NAME = 255
"""Characters of a subject (OpenID Connect Core, section 2)."""


class Unproven(Exception):
    """An ID token does not say who somebody is; the message holds nothing of it."""


class UnknownKey(Unproven):
    """It is signed by a key that is not among those that are known."""


class Identity(msgspec.Struct, frozen=True):
    """Who somebody is at a provider. Only `issuer` and `subject` together say so, for ever.

    `suggested` is the name that he has there, which others may have elsewhere.
    """

    issuer: str
    subject: str
    suggested: str = ""


class Header(msgspec.Struct):
    alg: str
    kid: str | None = None


def proven(
    token: str, keys: Sequence[dict[str, Any]], *, issuer: str, client_id: str, nonce: str
) -> Identity:
    """Whom a token names. Raises `Unproven`."""
    import jwt  # noqa: PLC0415 - with cryptography, which is needed where OIDC is set up alone

    try:
        header = msgspec.convert(jwt.get_unverified_header(token), Header)
        if header.alg not in ALGORITHMS:
            raise Unproven("its algorithm is not allowed")
        key = jwt.PyJWK(_key_of(header, keys), header.alg)
        if getattr(key.key, "key_size", 0) > MOST_BITS:
            raise Unproven("its key is too large")
        claims = jwt.decode(
            token,
            key,
            algorithms=[header.alg],
            audience=client_id,
            issuer=issuer,
            leeway=SKEW,
            options={
                "require": ["iss", "sub", "aud", "exp", "iat", "nonce"],
                "enforce_minimum_key_length": True,
            },
        )
    except Unproven:
        raise
    except Exception as error:  # whatever a library trips over in what a stranger wrote
        raise Unproven(f"it is not valid ({type(error).__name__})") from None
    return _identity(claims, issuer, client_id, nonce)


def _identity(claims: dict[str, Any], issuer: str, client_id: str, nonce: str) -> Identity:
    audience, party = claims["aud"], claims.get("azp")
    if party != client_id and (party is not None or audience not in (client_id, [client_id])):
        raise Unproven("it is for somebody else")
    sent = claims["nonce"]
    if not (isinstance(sent, str) and hmac.compare_digest(sent.encode(), nonce.encode())):
        raise Unproven("it is of another sign-in")
    subject = claims["sub"]
    if not (1 <= len(subject) <= MOST_NAME and subject.isprintable()):
        raise Unproven("its subject is none")
    suggested = claims.get("preferred_username")
    if not isinstance(suggested, str) or len(suggested) > MOST_NAME:
        suggested = ""
    return Identity(issuer, subject, suggested)


def _key_of(header: Header, keys: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Raises `UnknownKey`. A token that names no key may be by the only one that fits."""
    fitting = [
        key
        for key in keys
        if key.get("kty") == KINDS[header.alg[:2]]
        and key.get("use", "sig") == "sig"
        and key.get("alg", header.alg) == header.alg
        and header.kid in (None, key.get("kid"))
        and all(len(value) <= LONGEST_FIELD for value in key.values() if isinstance(value, str))
    ]
    if len(fitting) != 1:
        raise UnknownKey("it is signed by a key that the provider does not show")
    return fitting[0]
