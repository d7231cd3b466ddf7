"""Programs that people connect to the service: the settings of each, ready to be pasted.

`clients.toml` holds them all. What reads it is the command `xinghe connect`, the console's page and
the tests, which run the settings that they can run.
"""

from xinghe.clients.client import CLIENTS, PLACEHOLDER, Client, Part, Values, find
from xinghe.clients.filling import Filled, filled, notes

__all__ = [
    "CLIENTS",
    "PLACEHOLDER",
    "Client",
    "Filled",
    "Part",
    "Values",
    "filled",
    "find",
    "notes",
]
