"""Which limits hold now: of each member, of models and deployments, and of the server."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from xinghe.admin.operation import Call
from xinghe.dispatch import AnyLeased
from xinghe.dispatch.chat import ChatDeployment

Seconds = Annotated[float, Meta(description="Seconds.")]
Bytes = Annotated[int, Meta(description="Bytes.")]


class MemberLimits(msgspec.Struct, kw_only=True):
    """`limits` of models.toml: of each member, requests a second over all operations, and requests
    and tokens a minute over those that name no model; 0 is none. Before each limit of concurrent
    requests at most `queue` wait, for `wait` seconds.
    """

    qps: float
    rpm: int
    tpm: int
    queue: int
    wait: Seconds


class ModelLimits(msgspec.Struct, kw_only=True):
    """`models.<id>` of models.toml: of each member on that model; 0 is none."""

    id: str
    rpm: int
    tpm: int
    preemptible: bool
    deployment: str


class DeploymentLimits(msgspec.Struct, kw_only=True):
    """`deployments.<name>` of models.toml: of all members together. `slots` run at once, `queue`
    more may wait; null where it has no such limit.
    """

    name: str
    slots: int | None
    queue: int | None


class ServerLimits(msgspec.Struct, kw_only=True):
    """`server` of xinghe.toml."""

    max_body_bytes: Bytes
    max_body_values: int
    max_bodies_bytes: Bytes
    head_timeout: Seconds
    body_timeout: Seconds
    stall_timeout: Seconds
    grace: Seconds


class ServiceLimits(msgspec.Struct, kw_only=True):
    """What holds now, wherever it is set."""

    object: Literal["limits"] = "limits"
    members: MemberLimits
    models: list[ModelLimits]
    deployments: list[DeploymentLimits]
    server: ServerLimits


async def get(call: Call[None]) -> ServiceLimits:
    serving, server = call.services.live.now, call.services.server
    return ServiceLimits(
        members=_of(MemberLimits, serving.catalog.limits),
        models=[
            ModelLimits(
                id=name,
                rpm=card.rpm,
                tpm=card.tpm,
                preemptible=card.preemptible,
                deployment=card.deployment,
            )
            for name, card in serving.catalog.models.items()
        ],
        deployments=[_deployment(each) for each in serving.deployments.by_name.values()],
        server=_of(ServerLimits, server),
    )


def _of(shape: Any, found: msgspec.Struct) -> Any:
    """Its fields, which have the names of those that are set."""
    return shape(**{name: getattr(found, name) for name in shape.__struct_fields__})


def _deployment(leased: AnyLeased) -> DeploymentLimits:
    at_work = leased.at_work
    slots: int | None = getattr(leased.spec, "slots", None)
    if isinstance(at_work, ChatDeployment):
        slots = at_work.engine.admission.places
    queue = getattr(leased.spec, "queue", None)
    return DeploymentLimits(name=leased.name, slots=slots, queue=queue)
