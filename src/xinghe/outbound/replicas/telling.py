"""What metrics tell of replicas: read when they are asked for, so that no request pays for it."""

from collections.abc import Iterator
from typing import get_args

from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from xinghe.outbound.replicas.pool import POOLS
from xinghe.outbound.replicas.replica import State


class Replicas(Collector):
    """The state of every replica at work, and how many requests it has.

    A changed deployment and its former self, which may still be at work, share them.
    """

    def collect(self) -> Iterator[GaugeMetricFamily]:
        labels = ["deployment", "replica"]
        states = GaugeMetricFamily(
            "xinghe_replica_state",
            "1 for the state of a replica",
            labels=[*labels, "state"],
        )
        outstanding = GaugeMetricFamily(
            "xinghe_replica_outstanding", "Requests at work on a replica", labels=labels
        )
        state, work = dict[tuple[str, str], str](), dict[tuple[str, str], int]()
        for pool in sorted(POOLS, key=lambda pool: pool.made):
            now = pool.clock()
            for one in pool.replicas:
                named = pool.name, one.name
                state[named] = one.state(now)
                work[named] = one.outstanding
        for named, current in state.items():
            for each in get_args(State):
                states.add_metric([*named, each], float(each == current))
            outstanding.add_metric(named, work[named])
        yield states
        yield outstanding


REGISTRY.register(Replicas())
