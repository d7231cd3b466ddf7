"""The section `valkey`: where several gateways share their limits."""

import re

import msgspec

_SCHEMES = ("valkey://", "valkeys://", "redis://", "rediss://", "unix://")


class Valkey(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A Valkey server that several gateways share."""

    url: str = ""
    """`valkey://user:password@host:6379/0`; `valkeys://` with TLS; empty: each gateway counts for
    itself."""
    password: str = ""
    password_env: str = ""
    """The password, or the variable that holds it, where it is not in the URL."""
    ca_file: str = ""
    """Certificates (PEM) that are trusted for TLS in place of the system's own."""

    def __post_init__(self) -> None:
        # Without what it is: a password may be in it.
        if self.url and not self.url.startswith(_SCHEMES):
            raise ValueError("`url` is not empty, and no valkey:// or valkeys:// URL")
        if re.search("://[^/?]*[/?].*@", self.url):
            raise ValueError(
                "`url` has an @ behind its host: in a user's name and password, characters other "
                "than letters and digits are written as %XX"
            )
        if self.url and not re.fullmatch(
            r"unix://.*|[a-z]+://([^@/]*@)?(\[[0-9a-fA-F:.]+\]|[^:/?#\[\]@\s]+)(:\d{1,5})?(/\d*)?",
            self.url,
        ):
            raise ValueError("`url` is wrong, allowed: as in valkey://user:password@host:6379/0")
        if self.ca_file and not self.url.startswith(("valkeys://", "rediss://")):
            raise ValueError("`ca_file` is set, which needs a valkeys:// `url`")
