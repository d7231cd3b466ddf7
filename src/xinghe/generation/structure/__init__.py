"""Structured output (section 5.5): what an answer must look like, and proof that it can.

`structured` is the entrance. A schema goes through `limits` (size, effort), `canonical` (the
algebra of keywords) and `narrow` (what llguidance's JSON compiler keeps to); `checker` validates
the text that was generated in the end, the only proof of what no grammar can say. All of it but
`sized` is work for `vetting`'s workers: a hostile schema may take any time.
"""

from xinghe.generation.structure.library import grammar_fault
from xinghe.generation.structure.limits import CHARACTERS, NODES, sized
from xinghe.generation.structure.refusals import Unguaranteed
from xinghe.generation.structure.structure import Structure, checker, structured, verifiable
