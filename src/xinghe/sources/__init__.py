"""Where the model behind a name comes from: a file, a hub, an Ollama, a server.

A source becomes the table of a deployment. It is tried by one small request before it is applied.
"""

from xinghe.sources.draft import Key
from xinghe.sources.source import ALLOWED, Source, SourceError, parse, parse_all
from xinghe.sources.using import Desk, Options, Use, Using
from xinghe.sources.values import assigned, known
