"""What vectors say of texts: how alike they are."""

from __future__ import annotations

import math
from array import array
from operator import mul


def similarity(one: bytes, other: bytes) -> float:
    """The cosine of two vectors (32-bit floats), brought from [-1, 1] to [0, 1].

    A vector of length 0 is as far from one as from its opposite. Raises `ValueError` for vectors
    of unlike dimensions.
    """
    a, b = array("f", one), array("f", other)
    if len(a) != len(b):
        raise ValueError(f"the vectors have {len(a)} and {len(b)} dimensions")
    lengths = math.hypot(*a) * math.hypot(*b)
    cosine = sum(map(mul, a, b)) / lengths if lengths else 0.0
    return min(1.0, max(0.0, (1 + cosine) / 2))
