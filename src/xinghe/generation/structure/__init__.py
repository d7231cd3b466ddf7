"""Structured output (section 5.5): what an answer must look like, and proof that it can.

`structure.structured` is the entrance. A schema goes through `limits` (size, effort), `canonical`
(the algebra of keywords) and `narrow` (what llguidance's JSON compiler keeps to);
`structure.checker` validates the text that was generated in the end, the only proof of what no
grammar can say. All of it but `sized` is work for `vetting`'s workers, as a hostile schema may take
any time: the gateway loads none of it, nor its libraries.
"""

from xinghe.generation.structure.limits import CHARACTERS, NODES, sized
from xinghe.generation.structure.refusals import Unguaranteed
