"""Brings work to the deployment that serves a model: queue, retry, cancellation."""

from xinghe.dispatch.chat import (
    RETRY_DELAYS,
    ChatDeployment,
    ClusterFull,
    DispatchFailed,
    TooLong,
    Yielding,
)
from xinghe.dispatch.deployments import Deployments

__all__ = [
    "RETRY_DELAYS",
    "ChatDeployment",
    "ClusterFull",
    "Deployments",
    "DispatchFailed",
    "TooLong",
    "Yielding",
]
