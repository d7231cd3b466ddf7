"""Text generation: what every engine speaks. Each engine is a module of its own."""

from xinghe.engines.protocol import (
    Abilities,
    Batch,
    Engine,
    EngineBusy,
    EngineError,
    EngineFailed,
    EngineRefused,
    EngineUnavailable,
    PromptTooLong,
    PromptUnsafe,
)
