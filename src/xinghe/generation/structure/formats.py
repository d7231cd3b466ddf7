"""Formats as regular expressions, each of which admits only what the format's RFC does.

They are narrower than the RFCs where a model gains nothing by the rest (leap seconds, IPvFuture
hosts, quoted mailboxes); what is refused here never leaves. Sections are those of JSON Schema
Validation 2020-12; the formats that libraries add to it mean what the library takes.
"""

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
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_EMAIL = rf"[a-z0-9_+-]{{1,30}}(?:\.[a-z0-9_+-]{{1,30}}){{0,1}}@{_HOST}"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_SHORT6 = rf"{_GROUP}(?::{_GROUP}){{0,3}}::{_GROUP}(?::{_GROUP}){{0,2}}"
_IPV6 = rf"(?:{_GROUP}(?::{_GROUP}){{7}}|{_SHORT6}|::1)"
_INTERFACE4 = rf"{_IPV4}/(?:[12]?[0-9]|3[0-2])"
_INTERFACE6 = rf"{_IPV6}/(?:[1-9]?[0-9]|1[01][0-9]|12[0-8])"
_NETWORK4 = rf"{_OCTET}\.{_OCTET}\.0\.0/(?:1[6-9]|2[0-9]|3[0-2])"  # no bit behind the prefix
_NETWORK6 = rf"{_GROUP}(?::{_GROUP}){{0,3}}::/(?:6[4-9]|[7-9][0-9]|1[01][0-9]|12[0-8])"
_BASE64 = r"(?:[A-Za-z0-9+/]{4}){0,200}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"

FORMATS = {
    "date": _DATE,  # 7.3.1
    "time": _TIME,
    "date-time": rf"{_DATE}T{_TIME}",
    "duration": (
        rf"P(?:{_NUMBER}D|{_NUMBER}W|{_NUMBER}Y(?:{_NUMBER}M(?:{_NUMBER}D)?)?"
        rf"|{_NUMBER}M(?:{_NUMBER}D)?|(?:{_NUMBER}D)?T(?:{_NUMBER}H(?:{_NUMBER}M(?:{_NUMBER}S)?)?"
        rf"|{_NUMBER}M(?:{_NUMBER}S)?|{_NUMBER}S))"
    ),
    "email": _EMAIL,  # 7.3.2
    "idn-email": _EMAIL,
    "hostname": _HOST,  # 7.3.3
    "idn-hostname": _HOST,
    "ipv4": _IPV4,  # 7.3.4
    "ipv6": _IPV6,
    "uri": _URI,  # 7.3.5
    "uri-reference": rf"(?:{_URI}|/[A-Za-z0-9._~-]{{0,60}}{_PATH}{_QUERY}{_FRAGMENT})",
    "iri": _URI,
    "iri-reference": rf"(?:{_URI}|/[A-Za-z0-9._~-]{{0,60}}{_PATH}{_QUERY}{_FRAGMENT})",
    "uuid": _UUID,
    "uri-template": _URI,  # 7.3.6
    "json-pointer": r"(?:/[A-Za-z0-9._-]{1,40}){1,8}",  # 7.3.7
    "relative-json-pointer": r"(?:0|[1-9][0-9]{0,2})(?:#|(?:/[A-Za-z0-9._-]{1,40}){0,8})",
    "regex": r"\^?[A-Za-z0-9_ -]{1,80}\$?",  # 7.3.8
    "byte": _BASE64,  # OpenAPI
    # Pydantic's, beside the standard's
    **{
        f"uuid{version}": f"[0-9a-f]{{8}}-[0-9a-f]{{4}}-{version}[0-9a-f]{{3}}"
        "-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
        for version in range(1, 9)
    },
    "ipvanyaddress": rf"(?:{_IPV4}|{_IPV6})",
    "ipvanyinterface": rf"(?:{_INTERFACE4}|{_INTERFACE6})",
    "ipvanynetwork": rf"(?:{_NETWORK4}|{_NETWORK6})",
    "ipv4interface": _INTERFACE4,
    "ipv6interface": _INTERFACE6,
    "ipv4network": _NETWORK4,
    "ipv6network": _NETWORK6,
    "base64url": r"(?:[A-Za-z0-9_-]{4}){0,200}(?:[A-Za-z0-9_-]{2}==|[A-Za-z0-9_-]{3}=)?",
    "name-email": _EMAIL,
    "multi-host-uri": _URI,
    "phone": r"\+[1-9][0-9]{6,14}",
    "fraction": r"-?(?:0|[1-9][0-9]{0,8})(?:/[1-9][0-9]{0,8})?",
    # Zod's
    "guid": _UUID,
    "url": _URI,
    "base64": _BASE64,
    "cidrv4": _INTERFACE4,
    "cidrv6": _INTERFACE6,
    "e164": r"\+[1-9][0-9]{6,14}",
    "cuid": r"c[a-z0-9]{24}",
    "cuid2": r"[a-z][a-z0-9]{23}",
    "ulid": r"[0-7][0-9A-HJKMNP-TV-Z]{25}",
    "xid": r"[0-9a-v]{20}",
    "ksuid": r"[A-Za-z0-9]{27}",
    "nanoid": r"[A-Za-z0-9_-]{21}",
    "emoji": r"[\u{1F600}-\u{1F64F}]{1,4}",
}

FREE = frozenset(
    {
        "password", "binary", "unknown",  # OpenAPI 3.0
        "path", "file-path", "directory-path",  # Pydantic
        "text", "textarea", "markdown", "commonmark", "html",  # forms, OpenAPI's registry
    }
)  # fmt: skip
"""Formats that are annotations: any text will do."""
