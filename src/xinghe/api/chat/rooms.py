"""What a chat request depends on beside its model: who serves it, and how."""

from __future__ import annotations

from xinghe.api.chat.capabilities import OCR
from xinghe.api.chat.request import ChatRequest
from xinghe.catalog import LlamaCppDeployment
from xinghe.dispatch import ChatDeployment
from xinghe.settings import Search


def served_by(request: ChatRequest, deployment: ChatDeployment) -> str:
    """What really answers; who reads pictures for an engine without eyes is named too."""
    engine = deployment.engine
    read_out = request.shows and not engine.abilities.eyes
    return f"{engine.served_by}, {OCR}" if read_out else engine.served_by


def ignored(request: ChatRequest, deployment: ChatDeployment) -> list[str]:
    """What an engine that thinks by itself leaves no say in: only a budget cuts it off."""
    given = request.effort != 1.0 and deployment.engine.abilities.thinks
    return ["reasoning_effort"] if given else []


def search_budget(search: Search, deployment: ChatDeployment) -> int:
    """Tokens of found text that the engine reads: the embedded one reads slowly."""
    embedded = isinstance(deployment.spec, LlamaCppDeployment)
    return search.embedded_budget if embedded else search.budget
