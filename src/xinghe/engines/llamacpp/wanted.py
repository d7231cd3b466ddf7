"""Which embedded engines shall run: what the gateway and the supervisor agree on by name."""

import hashlib

import msgspec

from xinghe.catalog import LlamaCppDeployment


class EngineWanted(msgspec.Struct, frozen=True):
    """An embedded engine for a deployment as its `spec` is; `weights` is its model file."""

    deployment: str
    spec: LlamaCppDeployment
    weights: str

    @property
    def id(self) -> str:
        """The same for the same deployment, in every process: another spec is another engine."""
        said = msgspec.json.encode(self.spec, order="deterministic")
        return f"{self.deployment}:{hashlib.sha256(said).hexdigest()[:16]}"
