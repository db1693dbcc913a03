"""Which of the agent's nodes a pod goes to: a scheduler of one rule. Pure."""

from collections import Counter
from collections.abc import Mapping

from testbed.node_agent import Json


class Placement:
    """The nodes, by name with their labels, and the pods that were placed on them.

    A pod goes where its nodeSelector allows, and there to the node with the fewest pods of the same
    owner. With one node in each zone that is what the scheduler makes of a topology spread over
    zones and hosts, and of its own default for pods without one.
    """

    def __init__(self, nodes: Mapping[str, Mapping[str, str]]) -> None:
        self.nodes = nodes
        self._placed: dict[str, tuple[str, str]] = {}  # by uid: the node and the owner

    def choose(self, pod: Json) -> str | None:
        """The pod's node, the same one each time; None if no node suits it."""
        uid = pod["metadata"]["uid"]
        if uid in self._placed:
            return self._placed[uid][0]
        wanted = pod["spec"].get("nodeSelector", {}).items()
        fit = [name for name, labels in self.nodes.items() if wanted <= labels.items()]
        if not fit:
            return None
        owner = _owner(pod)
        siblings = Counter(node for node, other in self._placed.values() if other == owner)
        everyone = Counter(node for node, _ in self._placed.values())
        node = min(fit, key=lambda name: (siblings[name], everyone[name]))
        self._placed[uid] = node, owner
        return node

    def leave(self, pod: Json) -> None:
        """The pod ends, or is gone: it no longer counts."""
        self._placed.pop(pod["metadata"]["uid"], None)


def _owner(pod: Json) -> str:
    meta = pod["metadata"]
    return next((one["uid"] for one in meta.get("ownerReferences", [])), meta["uid"])
