"""Any OpenAI-compatible server as an engine."""

from xinghe.engines.upstream.engine import UpstreamEngine

__all__ = ["UpstreamEngine"]
