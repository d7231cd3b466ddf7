"""What an operator can set, but for the models (see `catalog`): the tree, and how it is read."""

from xinghe.settings.bill import Bill
from xinghe.settings.console import Console
from xinghe.settings.images import Images
from xinghe.settings.reading import (
    SettingsError,
    check_fields,
    is_secret_name,
    load,
    nearest,
    shape,
    suggestion,
)
from xinghe.settings.sections import (
    Configuration,
    Embedded,
    Embedding,
    Fetching,
    Idempotency,
    Pictures,
    Responses,
    SafetyFlags,
    SafetyUpstream,
    Search,
    Server,
    Settings,
    Weights,
)
from xinghe.settings.signin import OpenID, SignIn
from xinghe.settings.urls import http_url, is_base_url, is_web_url, require_reachable
from xinghe.settings.valkey import Valkey
