"""The section `bill`: what an operator says on every bill."""

import msgspec

MOST_ISSUER, MOST_NOTE, MOST_LINES = 200, 2_000, 30


class Bill(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What stands on every bill (`xinghe bill`, `GET /account/bill`, the console's page)."""

    issuer: str = ""
    """Who makes out the bill: a line at its head."""
    note: str = ""
    """Lines at its foot, say on taxes."""

    def __post_init__(self) -> None:
        if len(self.issuer) > MOST_ISSUER or not self.issuer.isprintable():
            raise ValueError(
                f"`issuer` is {self.issuer[:60]!r}, allowed: a printable line of at most "
                f"{MOST_ISSUER} characters"
            )
        lines = self.note.splitlines()
        printable = all(line.isprintable() for line in lines)
        if len(self.note) > MOST_NOTE or len(lines) > MOST_LINES or not printable:
            raise ValueError(
                f"`note` is {self.note[:60]!r}, allowed: at most {MOST_LINES} printable lines and "
                f"{MOST_NOTE} characters"
            )
