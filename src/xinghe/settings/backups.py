"""The section `backups`: where operators have backups made."""

from pathlib import Path

import msgspec


class Backups(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Backups that operators make in the console, or over `/admin/v1`."""

    folder: str = ""
    """A folder that is there, by its whole path; empty: they are made by the command alone."""

    def __post_init__(self) -> None:
        if self.folder and not Path(self.folder).expanduser().is_absolute():
            raise ValueError(f"`folder` is {self.folder!r}, allowed: a whole path such as /backups")
