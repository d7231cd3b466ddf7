"""The section `console`: the web pages."""

import re
from zoneinfo import ZoneInfo

import msgspec

_NAME = re.compile(r"[a-z0-9._-]{1,253}")


class Console(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """The web pages."""

    enabled: bool = True
    """Whether `/` is a page for browsers, with `/console` and `/docs`."""
    hosts: tuple[str, ...] = ()
    """Names under which browsers reach the pages, beside that of `server.public_url`, this
    machine's own and addresses: any other `Host` is refused."""
    zone: str = "Asia/Shanghai"
    """Whose days and hours are shown to a browser that has not said where it is."""

    def __post_init__(self) -> None:
        for name in self.hosts:
            if not _NAME.fullmatch(name):
                raise ValueError(f"`hosts` holds {name!r}, allowed: a name such as llm.example.edu")
        try:
            ZoneInfo(self.zone)
        except (OSError, ValueError, KeyError):
            raise ValueError(
                f"`zone` is {self.zone!r}, allowed: the name of a time zone, such as Asia/Shanghai"
            ) from None
