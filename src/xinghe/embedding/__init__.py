"""Vectors of texts: who makes them, in which form, and how many tokens a text may have."""

from xinghe.embedding.protocol import (
    Began,
    Embedder,
    EmbedderAway,
    EmbedderFailed,
    Form,
    TextTooLong,
    Vectors,
)
