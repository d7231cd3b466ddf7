"""What an operator can set, but for the models (see `catalog`): the tree, and how it is read."""

from xinghe.settings.fields import check_fields, suggestion
from xinghe.settings.reading import SettingsError, load
from xinghe.settings.sections import (
    Embedded,
    Embedding,
    Fetching,
    Idempotency,
    Images,
    Log,
    Pictures,
    Safety,
    SafetyFlags,
    SafetyUpstream,
    Search,
    Server,
    Settings,
    Weights,
    http_url,
)
