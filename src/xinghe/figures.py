"""The numbers that people write, exact: 1000, 1,000, 1_000 and 1e3 are the same."""

import re
from decimal import Decimal

FORMS = "1000, 1,000, 1_000, 1e3 or 0.5"
"""What is told of a number that cannot be read."""
LONGEST = 28
"""Characters: as many digits stay exact in whatever is done with a `Decimal`."""
_NUMBER = re.compile(
    r"(?:(?:[0-9]+|[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,3}(?:_[0-9]{3})+)(?:\.[0-9]+)?|\.[0-9]+)"
    r"(?:e[+-]?[0-9]{1,2})?"
)
_HALF = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}
"""From the full-width forms that Chinese input methods write."""


def read(text: str) -> Decimal | None:
    """The number that a text is, None for any other; marks stand between groups of three digits."""
    plain = text.translate(_HALF).lower()
    if len(plain) > LONGEST or not _NUMBER.fullmatch(plain):
        return None
    return Decimal(re.sub("[,_]", "", plain))
