"""The applied versions of the configuration: models, deployments, prices, limits, safety lists.

The database holds them. Whoever changes them (the operators' API, a command, an edited file) makes
a new version, and every running gateway follows to the newest.
"""

from xinghe.configuration.applying import SUBJECT, Outcome
from xinghe.configuration.configurations import Changed, Configurations
from xinghe.configuration.diff import compared, summary
from xinghe.configuration.follower import Applies, Follower
from xinghe.configuration.redaction import redacted
from xinghe.configuration.serving import Servable, servable, served
from xinghe.configuration.tables import Field, Place, Source, Version
from xinghe.configuration.tree import (
    Change,
    ConfigurationError,
    TreeError,
    changes,
    checked,
    lists_of,
    models_of,
    named,
)
