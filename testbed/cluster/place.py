"""Addresses and ports of one cluster's programs; two clusters share the sandbox's network."""

from dataclasses import dataclass

POD_CIDR = "10.244.0.0/16"
"""The range of all pods: those of two clusters reach each other directly, as in one VPC."""
_HALF = 2**15  # addresses of a cluster's pods


@dataclass(frozen=True)
class Place:
    """The addresses and ports of one cluster's own programs. All clusters share Route53 and its
    name server."""

    number: int

    @property
    def prefix(self) -> str:
        """Prefix of the cluster's program names and files."""
        return "" if self.number == 0 else f"cluster-{self.number + 1}-"

    @property
    def service_cidr(self) -> str:
        return f"10.{96 + self.number}.0.0/16"

    @property
    def kubernetes_address(self) -> str:
        """The ClusterIP of the `kubernetes` Service. The API server itself listens there, since
        nothing translates ClusterIPs here."""
        return f"10.{96 + self.number}.0.1"

    @property
    def dns_address(self) -> str:
        return f"10.{96 + self.number}.0.10"

    @property
    def etcd(self) -> tuple[str, int]:
        return "127.0.0.1", 2379 + 10 * self.number

    @property
    def agent_port(self) -> int:
        return 10250 + self.number

    @property
    def first_pod(self) -> int:
        """Number of the first pod's address in `POD_CIDR`; lower ones are the control planes'."""
        return 16 + _HALF * self.number


FIRST, SECOND = Place(0), Place(1)
