"""Pages of the console that no menu names, by who may look at them."""

from __future__ import annotations

MEMBERS = (
    "/console/playground/images",
    "/console/playground/embeddings",
    "/console/playground/rerank",
    "/console/tokens/new",
    "/console/usage/entries",
    "/console/models/ernie-3.5-8k",
    "/docs/chat",
    "/docs?q=temperature",
)
OPERATORS = (
    "/console/members",
    "/console/groups",
    "/console/wallets",
    "/console/wallets/1",
    "/console/audit",
    "/console/live",
    "/console/config",
    "/console/config/versions",
    "/console/config/versions/1",
    "/console/safety",
    "/console/safety/lists/block",
    "/console/limits",
    "/console/limits?model=ernie-3.5-8k",
    "/console/health",
    "/console/health/findings",
    "/console/backups",
)
