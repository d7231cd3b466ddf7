"""Brings work to the deployment that serves a model: queue, fallback, cancellation."""

from xinghe.dispatch.chain import CANNOT_SERVE, Chain, Unfit
from xinghe.dispatch.chat import (
    Away,
    ChatDeployment,
    DispatchFailed,
    Interrupted,
    Preempted,
    TooLong,
)
from xinghe.dispatch.deployments import AnyLeased, Deployments
from xinghe.dispatch.leased import Leased
from xinghe.dispatch.live import Live, Location, Serving, ServingEmbedder
