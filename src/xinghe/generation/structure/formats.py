"""String formats as regular expressions: each admits only what the format's RFC does.

They are narrower than the RFCs where a model gains nothing by the rest (leap seconds, IPvFuture
hosts, quoted mailboxes); what is refused here never leaves. Sections are those of JSON Schema
Validation 2020-12.
"""

from __future__ import annotations

_MONTH_DAY = (
    r"(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
)
_YEAR = r"(?:[1-9][0-9]{3})"
_LEAP_YEARS = r"(?:[1-9][0-9](?:0[48]|[2468][048]|[13579][26])|(?:[2468][048]|[13579][26])00)"
_DATE = rf"(?:{_YEAR}-{_MONTH_DAY}|{_LEAP_YEARS}-02-29)"
_TIME = (
    r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
)
_LABEL = r"[a-z0-9](?:[a-z0-9]{0,30}[a-z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL}){{0,4}}\.[a-z]{{2,12}}"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_GROUP = r"[0-9a-f]{1,4}"
_PATH = r"(?:/[A-Za-z0-9._~-]{0,60}){0,8}"
_QUERY = r"(?:\?[A-Za-z0-9._~=&-]{0,120})?"
_FRAGMENT = r"(?:#[A-Za-z0-9._~-]{0,60})?"
_URI = rf"(?:https?|ftp)://{_HOST}(?::[1-9][0-9]{{0,3}})?{_PATH}{_QUERY}{_FRAGMENT}"
_NUMBER = r"(?:0|[1-9][0-9]{0,5})"

FORMATS = {
    "date": _DATE,  # 7.3.1
    "time": _TIME,
    "date-time": rf"{_DATE}T{_TIME}",
    "duration": (
        rf"P(?:{_NUMBER}D|{_NUMBER}W|{_NUMBER}Y(?:{_NUMBER}M(?:{_NUMBER}D)?)?"
        rf"|{_NUMBER}M(?:{_NUMBER}D)?|(?:{_NUMBER}D)?T(?:{_NUMBER}H(?:{_NUMBER}M(?:{_NUMBER}S)?)?"
        rf"|{_NUMBER}M(?:{_NUMBER}S)?|{_NUMBER}S))"
    ),
    "email": rf"[a-z0-9_+-]{{1,30}}(?:\.[a-z0-9_+-]{{1,30}}){{0,1}}@{_HOST}",  # 7.3.2
    "idn-email": rf"[a-z0-9_+-]{{1,30}}(?:\.[a-z0-9_+-]{{1,30}}){{0,1}}@{_HOST}",
    "hostname": _HOST,  # 7.3.3
    "idn-hostname": _HOST,
    "ipv4": rf"{_OCTET}(?:\.{_OCTET}){{3}}",  # 7.3.4
    "ipv6": (
        rf"(?:{_GROUP}(?::{_GROUP}){{7}}"
        rf"|{_GROUP}(?::{_GROUP}){{0,3}}::{_GROUP}(?::{_GROUP}){{0,2}}|::1)"
    ),
    "uri": _URI,  # 7.3.5
    "uri-reference": rf"(?:{_URI}|/[A-Za-z0-9._~-]{{0,60}}{_PATH}{_QUERY}{_FRAGMENT})",
    "iri": _URI,
    "iri-reference": rf"(?:{_URI}|/[A-Za-z0-9._~-]{{0,60}}{_PATH}{_QUERY}{_FRAGMENT})",
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "uri-template": _URI,  # 7.3.6
    "json-pointer": r"(?:/[A-Za-z0-9._-]{1,40}){1,8}",  # 7.3.7
    "relative-json-pointer": r"(?:0|[1-9][0-9]{0,2})(?:#|(?:/[A-Za-z0-9._-]{1,40}){0,8})",
    "regex": r"\^?[A-Za-z0-9_ -]{1,80}\$?",  # 7.3.8
    "byte": r"(?:[A-Za-z0-9+/]{4}){0,200}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?",  # OpenAPI
}

FREE = frozenset({"password", "binary", "unknown"})
"""Formats that are annotations: any text will do (OpenAPI 3.0 data types)."""
