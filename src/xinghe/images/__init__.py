"""Images from a prompt: who draws them, where they are kept, what a style adds to the prompt."""

from xinghe.images.protocol import (
    Asked,
    Painter,
    PainterBusy,
    PainterError,
    PainterFailed,
    PainterUnavailable,
    Progress,
)

__all__ = [
    "Asked",
    "Painter",
    "PainterBusy",
    "PainterError",
    "PainterFailed",
    "PainterUnavailable",
    "Progress",
]
