"""A model's special tokens, and texts kept from becoming any of them."""

from xinghe.vocabulary.file import special_texts
from xinghe.vocabulary.frame import PROBES, Frame
from xinghe.vocabulary.server import Tokenizer
from xinghe.vocabulary.specials import JOINER, Specials

__all__ = ["JOINER", "PROBES", "Frame", "Specials", "Tokenizer", "special_texts"]
