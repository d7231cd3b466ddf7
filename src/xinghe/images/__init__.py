"""Images from a prompt: who draws them, where they are kept, what a style adds to the prompt."""

from xinghe.images.protocol import (
    DEFAULT_SAMPLER,
    DEFAULT_SIZE,
    DEFAULT_STYLE,
    MAX_SEED,
    SIZES,
    Asked,
    Painter,
    PainterError,
    PainterFailed,
    PainterIndebted,
    PainterRefused,
    PainterUnavailable,
    samplers,
    styles,
)
