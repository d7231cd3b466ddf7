"""Who is at work in one child of the embedded engine, whichever engine has sent them there."""

from xinghe.catalog import LlamaCppDeployment
from xinghe.engines.llamacpp.admission import ContextAdmissionQueue, with_spare
from xinghe.engines.llamacpp.prefill import PrefillScheduler
from xinghe.engines.llamacpp.shares import Shares
from xinghe.engines.llamacpp.slots import ChildSlots


class Occupancy:
    """Who has which places, slots and turns of one child.

    Two engines may speak to one child for a while: it is known to both which slot is whose.
    """

    def __init__(self, deployment: LlamaCppDeployment) -> None:
        places = max(1, deployment.slots)
        self._room = with_spare(places, deployment.context)
        self._shares = Shares()
        self._key = ""
        self.admission = ContextAdmissionQueue(
            self._shares,
            places,
            queue=deployment.queue,
            tokens=deployment.context,
            longest=deployment.longest_wait,
        )
        self._begin()

    def follow(self, key: str) -> None:
        """Begin anew where another child is there, or none: each has a key of its own."""
        if key != self._key:
            self._key = key
            self._begin()

    def _begin(self) -> None:
        # Of the old child's prompts nothing is left, and nobody waits for its turns.
        self.slots, self.prefill = ChildSlots(*self._room), PrefillScheduler(self._shares)
