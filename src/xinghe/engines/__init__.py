"""Text generation: what every engine speaks. Each engine is a module of its own."""

from xinghe.engines.protocol import (
    MOST_TEXT,
    NOT_TO_THINK,
    NOTHING_SAID,
    Batch,
    Engine,
    EngineAway,
    EngineBusy,
    EngineFailed,
    EngineInterrupted,
    EngineRefused,
    EngineUnavailable,
    PromptTooLong,
    PromptUnsafe,
    portions,
    spread,
)
