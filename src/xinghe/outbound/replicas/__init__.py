"""Several servers that do the same work, as one: who gets a request, and what follows a failure.

A `Pool` is made of a deployment; each request goes through its `attempts`. A policy is a small
protocol in a file of its own: `choice`, `affinity`, `breaker`, `cooldown`, `slowness`, `keys`;
`probes` ask in the background, `telling` is read by metrics.
"""

from xinghe.outbound.replicas import telling
from xinghe.outbound.replicas.affinity import Head, digest
from xinghe.outbound.replicas.attempt import Attempt
from xinghe.outbound.replicas.pool import Pool
from xinghe.outbound.replicas.rounds import Away, UsedUp
from xinghe.outbound.replicas.states import KeyRefused, OnServers, ServerState
