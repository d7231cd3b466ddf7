"""Structured output (section 5.5): what an answer must look like, and proof that it can.

`structure` is the entrance. A schema goes through `limits` (size), `canonical` (the algebra of
keywords), `compile` (a grammar that is never wider than the schema), and at the end through
`strict`, which validates the text that was generated. All of it is work for `vetting`'s workers:
a hostile schema may take any time.
"""

from xinghe.generation.structure.errors import Unguaranteed
from xinghe.generation.structure.structure import Structure, structured

__all__ = ["Structure", "Unguaranteed", "structured"]
