"""The service of a data directory, as the move sees it."""

from collections.abc import Callable

import msgspec


class Service(msgspec.Struct):
    """What the move has to ask of a service that runs."""

    waits: Callable[[], bool]
    """Whether it has seen that requests have to wait; raises `StorageError` for one that never
    will."""
    back: Callable[[], None]
    """Returns when it goes on in PostgreSQL, or should have."""
    grace: float
    """For how long answers that are under way may go on, in seconds."""
