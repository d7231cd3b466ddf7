"""Several servers that do the same work, as one: who gets a request, and what follows a failure.

A `Pool` is made of a deployment; each request goes through its `attempts`, who is tried says its
`Group`. Three policies are small protocols in files of their own: `choice`, `affinity`, `breaker`;
`keys` are used in turn, and `probes` ask in the background.
"""

from xinghe.outbound.replicas.affinity import Head, digest
from xinghe.outbound.replicas.attempts import Attempt
from xinghe.outbound.replicas.group import Away, UsedUp
from xinghe.outbound.replicas.pool import Pool
from xinghe.outbound.replicas.replica import KeyRefused, OnServers, ServerState
