"""Images from a prompt: who draws them, where they are kept, what a style adds to the prompt."""

from xinghe.images.of_card import abilities_for, default_size, sizes_of
from xinghe.images.protocol import (
    DEFAULT_SAMPLER,
    DEFAULT_SIZE,
    DEFAULT_STYLE,
    MAX_SEED,
    SIZES,
    ImageEngine,
    ImageEngineAway,
    ImageEngineError,
    ImageEngineFailed,
    ImageEngineIndebted,
    ImageEngineRefused,
    ImageEngineUnavailable,
    ImageParams,
    samplers,
    styles,
)
