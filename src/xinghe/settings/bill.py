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
        lines = self.issuer.splitlines()
        if len(self.issuer) > MOST_ISSUER or len(lines) > 1 or not _printable(lines):
            raise ValueError(
                f"`issuer` is {self.issuer[:60]!r}, allowed: a printable line of at most "
                f"{MOST_ISSUER} characters"
            )
        lines = self.note.splitlines()
        if len(self.note) > MOST_NOTE or len(lines) > MOST_LINES or not _printable(lines):
            raise ValueError(
                f"`note` is {self.note[:60]!r}, allowed: at most {MOST_LINES} printable lines and "
                f"{MOST_NOTE} characters"
            )


def _printable(lines: list[str]) -> bool:
    """Blanks of any width may stand in them."""
    return all(each.isprintable() or each.isspace() for line in lines for each in line)
