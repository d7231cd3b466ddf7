"""A model's special tokens, and texts kept from becoming any of them."""

from xinghe.vocabulary.specials import JOINER, Specials
from xinghe.vocabulary.tokenizer import (
    DIRECT,
    PROBES,
    TIMEOUT,
    Frame,
    Tokenizer,
    special_texts,
)
