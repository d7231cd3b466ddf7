"""Which embedded engines shall run: what the gateway and the supervisor agree on by name."""

import hashlib

import msgspec

from xinghe.catalog import LlamaCppDeployment


class EngineWanted(msgspec.Struct, frozen=True):
    """An embedded engine for a deployment as its `spec` is."""

    deployment: str
    spec: LlamaCppDeployment

    @property
    def id(self) -> str:
        """The same for the same deployment, in every process: another child is another engine."""
        said = msgspec.json.encode(loaded(self.spec))
        return f"{self.deployment}:{hashlib.sha256(said).hexdigest()[:16]}"


def loaded(spec: LlamaCppDeployment) -> tuple[str, str, int, int]:
    """What a child is started with: where this is the same, one child serves both."""
    return spec.weights, spec.mmproj, spec.context, spec.slots
