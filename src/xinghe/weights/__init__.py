"""Where model files come from: one index, sources in order, one verified copy on disk.

`find` is cheap and tells whether a file is here; `check_files` looks whether all are here that a
catalog needs. `fetch.fetch` brings one; it is left out here, as the gateway fetches none.
"""

from xinghe.weights.index import (
    SOURCE_NAMES,
    UnknownWeight,
    WeightsError,
    load_index,
    local_file,
    resolve,
)
from xinghe.weights.needed import check_files, missing_files
from xinghe.weights.progress import Progress, terminal_progress
from xinghe.weights.store import find
